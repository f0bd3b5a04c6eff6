"""Limbs of other lengths."""

from dataclasses import dataclass

import torch
from attrs import define, field
from attrs.validators import gt, instance_of
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params, with_rest
from skel_augment.uniforms import between
from skel_data import ClipShape, SkeletonLayout


@dataclass(frozen=True, eq=False, slots=True)
class LimbScaling(Params):
    """Linear map of the joints of every body; joints that are zero in a frame stay zero.

    Attributes:
        offsets: (N, M, V, V); joint v is moved by ``offsets[v] @ joints``.
        dims: Number of channels that are coordinates.
    """

    offsets: Tensor
    dims: int

    def apply(self, clips: Tensor) -> Tensor:
        points = clips[:, : self.dims]
        with torch.autocast(clips.device.type, enabled=False):
            moved = torch.einsum("nctvm,nmuv->nctum", points, self.offsets.to(clips.dtype))
        present = points.ne(0).any(1, keepdim=True)
        return with_rest(points + moved * present, clips)

    def where(self, gate: Tensor) -> "LimbScaling":
        return LimbScaling(torch.where(gate[:, None, None, None], self.offsets, 0.0), self.dims)


@define(frozen=True)
class LimbScale(Augmentation):
    """Limb scaling: longer or shorter trunk, arms and legs (SLiM, 2603.10648); the root stays.

    The bones of each kind of part, left and right alike, are scaled by one factor for each body, and the
    skeleton is put together again from its root. Bones of no part keep their length.

    Attributes:
        low: Smallest factor.
        high: Largest factor.
        released: Put it together as SLiM's program does, from the first joint on by number: a joint whose
            parent on the trunk has a larger number hangs at the origin with all that follows it, which tears
            NTU's head and arms off.
    """

    low: float = field(default=0.85, converter=float, validator=gt(0))
    high: float = field(default=1.15, converter=float)
    released: bool = field(default=False, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError(f"high must not be below low = {self.low}, got {self.high}")

    def _param_uniforms(self, shape: ClipShape) -> int:
        return len(_kinds(shape.layout)) * shape.bodies

    def _params(self, uniforms: Tensor, shape: ClipShape) -> LimbScaling:
        layout = shape.layout

        def like(x: Tensor) -> Tensor:
            return x.to(uniforms.device, uniforms.dtype, non_blocking=True)

        count = len(_kinds(layout))
        members = torch.zeros(count, layout.num_joints)
        for row, joints in zip(members, _kinds(layout).values(), strict=True):
            row[list(joints)] = 1.0
        change = between(uniforms, self.low, self.high).view(len(uniforms), shape.bodies, count) - 1
        change = change @ like(members)  # (N, M, V) of each joint's bone
        chains, bones, lost = map(like, _tree(layout, self.released))
        offsets = torch.einsum("uw,nmw,wv->nmuv", chains, change, bones) - lost
        return LimbScaling(offsets, shape.dims)


def _kinds(layout: SkeletonLayout) -> dict[str, tuple[int, ...]]:
    """Joints of the parts by name, left and right in one."""
    kinds: dict[str, tuple[int, ...]] = {}
    for name, joints in layout.parts:
        kind = name.removeprefix("left_").removeprefix("right_")
        kinds[kind] = (*kinds.get(kind, ()), *joints)
    return kinds


def _tree(layout: SkeletonLayout, released: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Which bones lead to each joint from the root (V, V), the bones (V, V), and what is lost (V, V)."""
    count = layout.num_joints
    hops = layout.hops_from(0 if released else layout.root)
    neighbours = [[b for b in range(count) if layout.hops[a][b] == 1] for a in range(count)]
    parents = [min(near, key=lambda b: hops[b], default=0) for near in neighbours]
    trunk = _kinds(layout).get("trunk", ())
    chains, bones, lost = (torch.zeros(count, count) for _ in range(3))
    for joint in range(count):
        here = joint
        while hops[here]:
            parent = parents[here]
            chains[joint, here] = bones[here, here] = 1.0
            bones[here, parent] = -1.0
            if released and parent > here and parent in trunk:
                lost[joint, parent] = 1.0
                break
            here = parent
    return chains, bones, lost
