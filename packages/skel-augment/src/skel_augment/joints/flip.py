"""Left-right flips, of the whole body or of one pair of limbs."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.joints.joint_map import JointMap
from skel_augment.params import Chain, Params
from skel_augment.space.affine import Affine
from skel_data import ClipShape, SkeletonLayout


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LimbMap(JointMap):
    """Joints of clips in which the two limbs of one pair changed places.

    Attributes:
        label: (N,) integers: which pair, from 1 on; 0 where none did.
    """

    label: Tensor

    def where(self, gate: Tensor) -> "LimbMap":
        index = JointMap.where(self, gate).index
        return LimbMap(index, label=torch.where(gate, self.label, 0))


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


@define(frozen=True)
class LimbSwap(Augmentation):
    """Limb swap: both arms, or both legs, change places, in all frames and bodies (TS-Cubism, 2207.08095).

    Coordinates move from joint to joint; nothing is mirrored. The pairs are the parts of the layout that are
    mirror images of each other, in its order. Each clip draws one pair or none; the `LimbMap` has the choice.

    Attributes:
        unchanged: Probability of no swap; the pairs share the rest evenly.
    """

    param_uniforms: ClassVar[int] = 1
    unchanged: float = field(default=0.33, converter=float, validator=[ge(0), le(1)])

    def output_shape(self, shape: ClipShape) -> ClipShape:
        limb_swaps(shape.layout)
        return shape

    def _params(self, uniforms: Tensor, shape: ClipShape) -> LimbMap:
        swaps = limb_swaps(shape.layout).to(uniforms.device, non_blocking=True)
        pairs = len(swaps) - 1
        share = (1 - self.unchanged) / pairs
        stops = torch.tensor([self.unchanged + share * pair for pair in range(pairs)], dtype=torch.float32)
        label = (uniforms >= stops.to(uniforms, non_blocking=True)).sum(1)
        return LimbMap(swaps[label], label=label)


def limb_swaps(layout: SkeletonLayout) -> Tensor:
    """Joints (1 + pairs, V), on the CPU: row 0 as they are, then with the limbs of one pair exchanged.

    Raises:
        ValueError: If no two parts of the layout are mirror images of each other.
    """
    mirror, parts = layout.mirror, [set(joints) for _, joints in layout.parts]
    rows = [list(range(layout.num_joints))]
    for number, limb in enumerate(parts):
        other = {mirror[joint] for joint in limb}
        if other in parts[number + 1 :]:
            both = limb | other
            rows.append([mirror[joint] if joint in both else joint for joint in rows[0]])
    if len(rows) == 1:
        raise ValueError(f"layout {layout.name!r} has no two parts that are mirror images, to exchange them")
    return torch.tensor(rows)
