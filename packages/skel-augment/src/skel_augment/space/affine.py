"""Matrices on the coordinates: shear, scale, axis mask.

The matrices are made for three coordinates. Clips with two get the upper left 2 x 2 block: the flat figure is
moved in space and looked at from the front again.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, gt
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params, with_rest
from skel_augment.uniforms import between, choice
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class Affine(Params):
    """Linear map of the coordinates of every joint; a confidence channel is left alone.

    Attributes:
        matrix: (N, dims, dims); a point p becomes ``matrix @ p``.
    """

    axis: ClassVar[str] = "space"
    matrix: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        # Written out because a matrix product would be rounded to TF32 or bfloat16 where those are
        # allowed, which is too coarse for coordinates; for three terms it is also no slower.
        matrix = self.matrix.to(clips.dtype)[..., None, None, None]
        dims = matrix.shape[1]
        moved = matrix[:, :, 0] * clips[:, :1]
        for axis in range(1, dims):
            moved.addcmul_(matrix[:, :, axis], clips[:, axis : axis + 1])
        return with_rest(moved, clips)

    def where(self, gate: Tensor) -> "Affine":
        eye = torch.eye(self.matrix.shape[1], dtype=self.matrix.dtype, device=self.matrix.device)
        return Affine(torch.where(gate[:, None, None], self.matrix, eye))

    def then(self, later: Params) -> "Affine | None":
        if not isinstance(later, Affine):
            return None
        product = (later.matrix[..., None] * self.matrix[:, None]).sum(2)  # as in apply: no TF32
        return Affine(product)


def shear_matrix(factors: Tensor) -> Tensor:
    """Shear matrix with the factors off its diagonal.

    Args:
        factors: (N, 6): the middle column of the first row and the first column of the other rows, then
            the last column of the first two rows and the middle column of the last, as AimCLR draws them.

    Returns:
        (N, 3, 3); a point p becomes ``matrix @ p``.
    """
    a, b, c, d, e, f = factors.unbind(1)
    one = torch.ones_like(a)
    rows = ((one, a, d), (b, one, e), (c, f, one))
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


@define(frozen=True)
class Shear(Augmentation):
    """Shear: each coordinate gets a share of the others (CrosSCLR, 2104.14466; AimCLR).

    Attributes:
        amplitude: The shares are uniform in -amplitude to amplitude.
    """

    param_uniforms: ClassVar[int] = 6
    amplitude: float = field(default=0.5, converter=float, validator=ge(0))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        matrix = shear_matrix(between(uniforms, -self.amplitude, self.amplitude))
        return Affine(matrix[:, : shape.dims, : shape.dims])


@define(frozen=True)
class Scale(Augmentation):
    """Scaling: all coordinates times one factor per clip, a larger or smaller body.

    Attributes:
        low: Smallest factor.
        high: Largest factor.
    """

    param_uniforms: ClassVar[int] = 1
    low: float = field(default=0.8, converter=float, validator=gt(0))
    high: float = field(default=1.2, converter=float)

    def __attrs_post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError(f"high must not be below low = {self.low}, got {self.high}")

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        return Affine(between(uniforms, self.low, self.high)[:, :, None] * _eye(uniforms, shape))


@define(frozen=True)
class AxisMask(Augmentation):
    """Axis mask: one random coordinate set to zero, the clip pressed flat (AimCLR, 2112.03590)."""

    param_uniforms: ClassVar[int] = 1

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        axes = torch.arange(shape.dims, device=uniforms.device)
        kept = choice(uniforms, shape.dims) != axes
        return Affine(kept[:, :, None] * _eye(uniforms, shape))


def _eye(uniforms: Tensor, shape: ClipShape) -> Tensor:
    return torch.eye(shape.dims, dtype=uniforms.dtype, device=uniforms.device)
