"""Distortion of some joints."""

from dataclasses import dataclass, replace

import torch
from attrs import define, field
from attrs.validators import ge, le
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params
from skel_augment.space.affine import Affine
from skel_augment.uniforms import between
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class JointAffine(Params):
    """Linear map of the coordinates of some joints, the same for all frames and bodies.

    Attributes:
        matrix: (N, dims, dims); a point p becomes ``matrix @ p``.
        moved: (N, V) true where joint v is moved.
    """

    matrix: Tensor
    moved: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        return torch.where(self.moved[:, None, None, :, None], Affine(self.matrix).apply(clips), clips)

    def where(self, gate: Tensor) -> "JointAffine":
        return replace(self, moved=self.moved & gate[:, None])


@define(frozen=True)
class JointDistortion(Augmentation):
    """Joint distortion: random joints moved by one random matrix (ISC, 2108.03656).

    That is half of its corruption of joints; the other half is a `JointMask`, and `OneOf` chooses.

    Attributes:
        ratio: Number of joints to move as a share of the joints, rounded; 15 of 25 in ISC.
        amplitude: All entries of the matrix are uniform in -amplitude to amplitude.
    """

    ratio: float = field(default=0.6, converter=float, validator=[ge(0), le(1)])
    amplitude: float = field(default=1.0, converter=float, validator=ge(0))

    def _param_uniforms(self, shape: ClipShape) -> int:
        return shape.joints + 9

    def _params(self, uniforms: Tensor, shape: ClipShape) -> JointAffine:
        scores, entries = uniforms[:, : shape.joints], uniforms[:, shape.joints :]
        joints = scores.argsort(1)[:, : round(self.ratio * shape.joints)]
        moved = torch.zeros_like(scores, dtype=torch.bool).scatter(1, joints, True)
        matrix = between(entries, -self.amplitude, self.amplitude).view(-1, 3, 3)
        return JointAffine(matrix[:, : shape.dims, : shape.dims], moved)
