"""Bodies that are taller or shorter."""

import torch
from attrs import define
from torch import Tensor

from skel_augment import Affine, Augmentation
from skel_data import ClipShape


@define(frozen=True)
class Stretch(Augmentation):
    """Stretch along the second axis by a random factor.

    Attributes:
        amount: Largest change of the factor from 1.
    """

    param_uniforms = 1
    amount: float = 0.2

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        matrix = torch.eye(shape.dims, dtype=uniforms.dtype, device=uniforms.device).repeat(
            len(uniforms), 1, 1
        )
        matrix[:, 1, 1] += self.amount * (2 * uniforms[:, 0] - 1)
        return Affine(matrix)
