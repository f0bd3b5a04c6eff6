"""Joints: left-right flips, distortion and masks."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le
from torch import Tensor

from skel_augment.augmentation import Augmentation, Chain, Params, between, choice, finite
from skel_augment.segments import part_members, segment_numbers
from skel_augment.space import Affine
from skel_data import ClipShape, SkeletonLayout


@dataclass(frozen=True, eq=False, slots=True)
class JointMap(Params):
    """Joints permuted, then joints zeroed in all channels, the same for all frames and bodies.

    Attributes:
        index: (N, V) integers or None: joint v of the result is joint ``index[:, v]`` of the clip.
        keep: (N, V) ones and zeros or None: zero where joint v of the result is zeroed.
    """

    axis: ClassVar[str] = "joints"
    index: Tensor | None = None
    keep: Tensor | None = None

    def apply(self, clips: Tensor) -> Tensor:
        count, channels, frames, joints, bodies = clips.shape
        rows = clips.reshape(count, channels * frames, joints * bodies)
        if self.index is not None:
            column = self.index[:, :, None] * bodies + torch.arange(bodies, device=clips.device)
            rows = rows.gather(2, column.flatten(1)[:, None].expand_as(rows))
        if self.keep is not None:
            rows = rows * self.keep.to(clips.dtype).repeat_interleave(bodies, 1)[:, None]
        return rows.view(clips.shape)

    def kept(self, count: int) -> Tensor:
        """(N, count) joints that are not zeroed, in ascending order, if each clip has `count` of them.

        The count must be known from the settings: a look at the numbers would wait for the device.

        Raises:
            ValueError: If no joints are zeroed, or the clips do not have as many joints.

        >>> JointMap(keep=torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])).kept(2)
        tensor([[0, 2],
                [1, 2]])
        """
        if self.keep is None:
            raise ValueError("these parameters zero no joints")
        if not 0 <= count <= self.keep.shape[1]:
            raise ValueError(f"cannot keep {count} of {self.keep.shape[1]} joints")
        return self.keep.argsort(stable=True, dim=1, descending=True)[:, :count]

    def where(self, gate: Tensor) -> "JointMap":
        index, keep = self.index, self.keep
        if index is not None:
            index = torch.where(gate[:, None], index, torch.arange(index.shape[1], device=index.device))
        if keep is not None:
            keep = torch.where(gate[:, None], keep, 1.0)
        return JointMap(index, keep)

    def then(self, later: Params) -> "JointMap | None":
        if not isinstance(later, JointMap):
            return None
        index, keep = self.index, self.keep
        if later.index is not None:
            index = later.index if index is None else index.gather(1, later.index)
            keep = None if keep is None else keep.gather(1, later.index)
        if later.keep is not None:
            keep = later.keep if keep is None else keep * later.keep
        return JointMap(index, keep)


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
    amplitude: float = field(default=1.0, converter=float, validator=[ge(0), finite])

    def _param_uniforms(self, shape: ClipShape) -> int:
        return shape.joints + 9

    def _params(self, uniforms: Tensor, shape: ClipShape) -> JointAffine:
        scores, entries = uniforms[:, : shape.joints], uniforms[:, shape.joints :]
        joints = scores.argsort(1)[:, : round(self.ratio * shape.joints)]
        moved = torch.zeros_like(scores, dtype=torch.bool).scatter(1, joints, True)
        matrix = between(entries, -self.amplitude, self.amplitude).view(-1, 3, 3)
        return JointAffine(matrix[:, : shape.dims, : shape.dims], moved)


@dataclass(frozen=True, eq=False, slots=True)
class PointMask(Params):
    """Joint mask of each frame: joints zeroed in some frames, in all channels and bodies.

    Attributes:
        keep: (N, T, V) ones and zeros: zero where joint v of frame t is zeroed.
    """

    keep: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        return clips * self.keep.to(clips.dtype)[:, None, :, :, None]

    def where(self, gate: Tensor) -> "PointMask":
        return PointMask(torch.where(gate[:, None, None], self.keep, 1.0))


@define(frozen=True)
class JointMask(Augmentation):
    """Joint mask: random joints zeroed (ISC, 2108.03656, 15 of 25; HiCLR, 2211.13466, in each frame others).

    Attributes:
        joints: Number of joints to mask, the same for every clip.
        ratio: The same as a share of the joints, rounded; used in place of ``joints`` if above 0.
        segments: Number of segments of the clip, each with its own masked joints; 0: each frame has its own.
    """

    hides: ClassVar[bool] = True
    joints: int = field(default=5, validator=[instance_of(int), ge(0)])
    ratio: float = field(default=0.0, converter=float, validator=[ge(0), le(1)])
    segments: int = field(default=1, validator=[instance_of(int), ge(0)])

    def num_masked(self, shape: ClipShape) -> int:
        """Joints masked at a time in each clip that is augmented."""
        return round(self.ratio * shape.joints) if self.ratio else self.joints

    def _param_uniforms(self, shape: ClipShape) -> int:
        if self.num_masked(shape) > shape.joints:
            raise ValueError(
                f"cannot mask {self.joints} joints of layout {shape.layout.name!r}: {shape.joints} joints"
            )
        return (self.segments or shape.frames) * shape.joints

    def _params(self, uniforms: Tensor, shape: ClipShape) -> JointMap | PointMask:
        scores = uniforms.reshape(len(uniforms), self.segments or shape.frames, shape.joints)
        masked = scores.argsort(2)[:, :, : self.num_masked(shape)]
        return _over_time(torch.ones_like(scores).scatter(2, masked, 0.0), shape)


@define(frozen=True)
class PartMask(Augmentation):
    """Part mask: whole parts of the body set to zero (PCM3, 2308.03975: 3 of 5 in each of 8 segments).

    Joints that are in no part of the layout stay.

    Attributes:
        parts: Number of parts to mask, the same for every clip.
        segments: Number of segments of the clip, each with its own masked parts; 0: each frame has its own.
    """

    hides: ClassVar[bool] = True
    parts: int = field(default=1, validator=[instance_of(int), ge(0)])
    segments: int = field(default=1, validator=[instance_of(int), ge(0)])

    def _param_uniforms(self, shape: ClipShape) -> int:
        return (self.segments or shape.frames) * len(part_members(shape.layout, self.parts))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> JointMap | PointMask:
        members = part_members(shape.layout, self.parts).to(
            uniforms.device, uniforms.dtype, non_blocking=True
        )
        scores = uniforms.reshape(len(uniforms), self.segments or shape.frames, len(members))
        masked = scores.argsort(2)[:, :, : self.parts]
        return _over_time((members[masked].sum(2) == 0).to(uniforms.dtype), shape)


@define(frozen=True)
class StructuralSpatialMask(Augmentation):
    """Structural mask: joints zeroed where random seeds lie close on the skeleton (SCD-Net, 2309.05834).

    A joint scores the number of walks of two steps to it from all seeds, where standing still is a step too:
    the sum of ``(A @ A)[seed, joint]``, with A the adjacency with self loops. The joints of highest score
    are masked. Ties are broken at random; SCD-Net's program leaves them to the order of argsort, which
    favours some joints.

    Attributes:
        seeds: Number of seeds as a share of the joints, rounded; a joint may be drawn more than once.
        ratio: Number of joints to mask as a share of the joints, rounded.
    """

    hides: ClassVar[bool] = True
    seeds: float = field(default=0.2, converter=float, validator=[ge(0), le(1)])
    ratio: float = field(default=0.32, converter=float, validator=[ge(0), le(1)])

    def num_masked(self, shape: ClipShape) -> int:
        """Joints masked in each clip that is augmented."""
        return round(self.ratio * shape.joints)

    def _param_uniforms(self, shape: ClipShape) -> int:
        return round(self.seeds * shape.joints) + shape.joints

    def _params(self, uniforms: Tensor, shape: ClipShape) -> JointMap:
        draws, ties = uniforms[:, : -shape.joints], uniforms[:, -shape.joints :]
        step = _adjacency(shape.layout)
        walks = (step @ step).to(uniforms.device, uniforms.dtype, non_blocking=True)
        scores = walks[choice(draws, shape.joints).long()].sum(1)  # whole numbers
        best_first = (scores + ties / 2).argsort(1, descending=True)
        return _mask(best_first[:, : self.num_masked(shape)], ties, shape)


@define(frozen=True)
class CentralSpatialMask(Augmentation):
    """Central mask: joints zeroed, drawn in proportion to the number of their bones (PSTL, 2302.09018).

    Attributes:
        ratio: Number of joints to draw as a share of the joints, rounded.
        duplicates: Draw bones' ends, of which a joint may have several, so that fewer joints than drawn may
            be masked, as in PSTL's program. False: each draw is another joint.
    """

    hides: ClassVar[bool] = True
    ratio: float = field(default=0.32, converter=float, validator=[ge(0), le(1)])
    duplicates: bool = field(default=False, validator=instance_of(bool))

    def num_masked(self, shape: ClipShape) -> int:
        """Joints masked in each clip that is augmented; with duplicates the most that may be."""
        return round(self.ratio * shape.joints)

    def _param_uniforms(self, shape: ClipShape) -> int:
        return 2 * len(shape.layout.bones) if self.duplicates else shape.joints

    def _params(self, uniforms: Tensor, shape: ClipShape) -> JointMap:
        if self.duplicates:
            ends = torch.tensor(shape.layout.bones, dtype=torch.long).flatten()
            ends = ends.to(uniforms.device, non_blocking=True)
            return _mask(ends[uniforms.argsort(1)[:, : self.num_masked(shape)]], uniforms, shape)
        degrees = _adjacency(shape.layout).sum(1) - 1
        # The first of exponential waiting times with these rates are weighted draws without replacement.
        waits = -torch.log1p(-uniforms) / degrees.to(uniforms.device, uniforms.dtype, non_blocking=True)
        return _mask(waits.argsort(1)[:, : self.num_masked(shape)], uniforms, shape)


def _adjacency(layout: SkeletonLayout) -> Tensor:
    """(V, V) on the CPU: one where two joints share a bone, and on the diagonal."""
    return (torch.tensor(layout.hops) <= 1).float()


def _over_time(keep: Tensor, shape: ClipShape) -> JointMap | PointMask:
    """Mask of the joints kept (N, S, V) in each of S segments."""
    if keep.shape[1] == 1:
        return JointMap(keep=keep[:, 0])
    return PointMask(keep.index_select(1, segment_numbers(shape, keep.shape[1], keep.device)))


def _mask(joints: Tensor, like: Tensor, shape: ClipShape) -> JointMap:
    """All joints of (N, V) kept but these (N, K); dtype and device of ``like``."""
    return JointMap(keep=like.new_ones(len(like), shape.joints).scatter(1, joints, 0.0))
