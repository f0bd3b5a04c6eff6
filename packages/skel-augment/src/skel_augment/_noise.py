"""Noise on the coordinates: in each frame anew, or the same for the whole clip."""

import math
from dataclasses import replace

import torch
from attrs import define, field
from attrs.validators import ge, in_
from torch import Tensor

from skel_augment._augmentation import Augmentation
from skel_augment._point_params import Noise
from skel_augment._uniforms import normals
from skel_data import ClipShape

SPARED = ("frames", "bodies", "joints", "nothing")
"""What noise may leave at exactly zero."""


@define(frozen=True)
class GaussianNoise(Augmentation):
    """Independent Gaussian noise on every coordinate (AimCLR, 2112.03590).

    Attributes:
        std: Standard deviation, in the unit of the clips.
        spare: What stays exactly zero: "frames" in which all joints of a body are zero, as where a clip is
            padded; "bodies" that are zero in the whole clip alone; "joints" that are zero in a frame; or
            "nothing", as in AimCLR's program, where absent bodies become noise.
    """

    std: float = field(default=0.01, converter=float, validator=ge(0))
    spare: str = field(default="frames", validator=in_(SPARED))

    def _draws(self, shape: ClipShape) -> int:
        return _draws(shape)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Noise:
        return _noise(uniforms, shape, self.std, self.spare)


@define(frozen=True)
class JointJitter(Augmentation):
    """Each joint off its place by a Gaussian step that stays for the whole clip: a badly measured body.

    Attributes:
        std: Standard deviation of each coordinate, in the unit of the clips.
        spare: What stays exactly zero, as in `GaussianNoise`.
    """

    std: float = field(default=0.02, converter=float, validator=ge(0))
    spare: str = field(default="frames", validator=in_(SPARED))

    def _draws(self, shape: ClipShape) -> int:
        return _draws(replace(shape, frames=1))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Noise:
        return _noise(uniforms, replace(shape, frames=1), self.std, self.spare)


def _count(shape: ClipShape) -> int:
    return shape.dims * shape.frames * shape.joints * shape.bodies


def _draws(shape: ClipShape) -> int:
    """Uniform numbers for a normal one in each coordinate: as many, made even."""
    return 2 * math.ceil(_count(shape) / 2)


def _noise(uniforms: Tensor, shape: ClipShape, std: float, spare: str) -> Noise:
    values = normals(uniforms)[:, : _count(shape)]
    values = values.view(len(uniforms), shape.dims, shape.frames, shape.joints, shape.bodies)
    return Noise(values, torch.full_like(uniforms[:, 0], std), spare)
