"""Augmentations of the joints: left-right exchange, mirror image, distortion of some."""

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le
from torch import Tensor

from skel_augment._augmentation import Augmentation
from skel_augment._params import Chain, Params
from skel_augment._point_params import Affine, JointAffine, JointMap
from skel_augment._uniforms import between
from skel_data import ClipShape


@define(frozen=True)
class SpatialFlip(Augmentation):
    """Left and right joints exchanged.

    Attributes:
        mirror_axis: Also negate x, so that the result is the body's mirror image. False exchanges the
            joints only and leaves the coordinates where they are, as in AimCLR's program (2112.03590).
        flat_only: Leave clips in three dimensions alone. Those can be turned to face one way, and then
            left and right tell actions apart; in two dimensions the side that is seen is chance.
    """

    mirror_axis: bool = field(default=False, validator=instance_of(bool))
    flat_only: bool = field(default=False, validator=instance_of(bool))

    def _concerns(self, shape: ClipShape) -> bool:
        return shape.dims == 2 or not self.flat_only

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Params:
        # non_blocking: nothing here may wait for the device
        mirror = torch.tensor(shape.layout.mirror).to(uniforms.device, non_blocking=True)
        swap = JointMap(index=mirror.expand(len(uniforms), -1))
        if not self.mirror_axis:
            return swap
        signs = torch.ones(shape.dims, dtype=uniforms.dtype, device=uniforms.device)
        signs[0] = -1
        return Chain((swap, Affine(signs.diag().expand(len(uniforms), -1, -1))))


@define(frozen=True)
class JointDistortion(Augmentation):
    """Random joints moved by one random matrix (ISC, 2108.03656).

    That is half of its corruption of joints; the other half is a `JointMask`, and `OneOf` chooses.

    Attributes:
        ratio: Number of joints to move as a share of the joints, rounded; 15 of 25 in ISC.
        amplitude: All entries of the matrix are uniform in -amplitude to amplitude.
    """

    ratio: float = field(default=0.6, converter=float, validator=[ge(0), le(1)])
    amplitude: float = field(default=1.0, converter=float, validator=ge(0))

    def _draws(self, shape: ClipShape) -> int:
        return shape.joints + 9

    def _params(self, uniforms: Tensor, shape: ClipShape) -> JointAffine:
        lots, entries = uniforms[:, : shape.joints], uniforms[:, shape.joints :]
        joints = lots.argsort(1)[:, : round(self.ratio * shape.joints)]
        moved = torch.zeros_like(lots, dtype=torch.bool).scatter(1, joints, True)
        matrix = between(entries, -self.amplitude, self.amplitude).view(-1, 3, 3)
        return JointAffine(matrix[:, : shape.dims, : shape.dims], moved)
