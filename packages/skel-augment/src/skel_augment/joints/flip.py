"""Left-right flips."""

import torch
from attrs import define, field
from attrs.validators import instance_of
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.joints.joint_map import JointMap
from skel_augment.params import Chain, Params
from skel_augment.space.affine import Affine
from skel_data import ClipShape


@define(frozen=True)
class SpatialFlip(Augmentation):
    """Spatial flip: left and right joints exchanged.

    Attributes:
        mirror_axis: Also negate x, so that the result is the body's mirror image. False exchanges the
            joints only and leaves the coordinates where they are, as in AimCLR's program (2112.03590).
        flat_only: Leave clips in three dimensions alone. Those can be turned to face one way, and then
            left and right tell actions apart; in two dimensions the side that is seen is chance.
    """

    mirror_axis: bool = field(default=False, validator=instance_of(bool))
    flat_only: bool = field(default=False, validator=instance_of(bool))

    def applies_to(self, shape: ClipShape) -> bool:
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
