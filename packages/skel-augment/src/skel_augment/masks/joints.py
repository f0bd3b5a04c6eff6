"""Masks of joints, in all channels and all bodies."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.joints.joint_map import JointMap
from skel_augment.params import Params
from skel_augment.segments import part_members, segment_numbers
from skel_augment.uniforms import choice
from skel_data import ClipShape, SkeletonLayout


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
