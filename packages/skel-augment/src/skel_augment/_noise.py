"""Noise on the coordinates."""

import math

import torch
from attrs import define, field
from attrs.validators import ge, in_
from torch import Tensor

from skel_augment._augmentation import Augmentation
from skel_augment._point_params import Noise
from skel_augment._shape import ClipShape


def normals(uniforms: Tensor) -> Tensor:
    """Independent standard normal numbers, (N, K) from as many uniforms in [0, 1), K even.

    Box and Muller's transform: exact, without infinities, and cheaper than the inverse of the distribution.
    """
    first, second = uniforms.chunk(2, 1)
    radius = (1 - first).log_().mul_(-2).sqrt_()
    # The sine is the cosine a quarter turn earlier; both in one go saves passes over memory.
    turn = torch.arange(2, dtype=uniforms.dtype, device=uniforms.device) * (-math.pi / 2)
    values = torch.add(turn[:, None], second[:, None], alpha=2 * math.pi).cos_().mul_(radius[:, None])
    return values.flatten(1)


@define(frozen=True)
class GaussianNoise(Augmentation):
    """Independent Gaussian noise on every coordinate (AimCLR, 2112.03590).

    Attributes:
        std: Standard deviation, in the unit of the clips.
        spare: What stays exactly zero: "bodies" that are zero in the whole clip (absent ones), "joints" that
            are zero in a frame, or "nothing", as in AimCLR's program, where absent bodies become noise.
    """

    std: float = field(default=0.01, converter=float, validator=ge(0))
    spare: str = field(default="bodies", validator=in_(("bodies", "joints", "nothing")))

    def _draws(self, shape: ClipShape) -> int:
        return 2 * math.ceil(_count(shape) / 2)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Noise:
        values = normals(uniforms)[:, : _count(shape)]
        values = values.view(len(uniforms), shape.dims, shape.frames, shape.joints, shape.bodies)
        return Noise(values, torch.full_like(uniforms[:, 0], self.std), self.spare)


def _count(shape: ClipShape) -> int:
    return shape.dims * shape.frames * shape.joints * shape.bodies
