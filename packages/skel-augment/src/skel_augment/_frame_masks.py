"""Augmentations that hide frames: some or whole segments set to zero, moving frames left out."""

from dataclasses import replace
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le, lt
from torch import Tensor

from skel_augment._augmentation import Augmentation
from skel_augment._mask_params import CalmFrames, FrameMask
from skel_augment._pieces import segment_numbers
from skel_data import ClipShape


@define(frozen=True)
class TemporalSegmentMask(Augmentation):
    """The clip cut into segments, random ones of which are set to zero (SCD-Net, 2309.05834).

    Attributes:
        segments: Frame t belongs to segment ``t * segments // T``; those of a shorter clip may be empty.
        masked: Number of segments to mask, the same for every clip.
    """

    hides: ClassVar[bool] = True
    segments: int = field(default=16, validator=[instance_of(int), ge(1)])
    masked: int = field(default=6, validator=[instance_of(int), ge(0)])

    def __attrs_post_init__(self) -> None:
        if self.masked > self.segments:
            raise ValueError(f"masked must not be above segments = {self.segments}, got {self.masked}")

    def _draws(self, shape: ClipShape) -> int:  # noqa: ARG002
        return self.segments

    def _params(self, uniforms: Tensor, shape: ClipShape) -> FrameMask:
        masked = uniforms.argsort(1)[:, : self.masked]
        keep = uniforms.new_ones(len(uniforms), self.segments).scatter(1, masked, 0.0)
        return FrameMask(keep.index_select(1, segment_numbers(shape, self.segments, uniforms.device)))


@define(frozen=True)
class FrameDrop(Augmentation):
    """Random frames set to zero, each by itself.

    Attributes:
        ratio: Number of frames as a share of the clip, rounded; the same for every clip.
    """

    hides: ClassVar[bool] = True
    ratio: float = field(default=0.2, converter=float, validator=[ge(0), le(1)])

    def _draws(self, shape: ClipShape) -> int:
        return shape.frames

    def _params(self, uniforms: Tensor, shape: ClipShape) -> FrameMask:
        dropped = uniforms.argsort(1)[:, : round(self.ratio * shape.frames)]
        return FrameMask(torch.ones_like(uniforms).scatter(1, dropped, 0.0))


@define(frozen=True)
class MotionAttentionMask(Augmentation):
    """The frames of largest motion left out, then as many others at random (PSTL's MATM, 2302.09018).

    The clip becomes shorter: 50 frames become 30. So p must be 1.

    Attributes:
        ratio: Number of frames left out each time as a share of the clip, rounded.
    """

    hides: ClassVar[bool] = True
    ratio: float = field(default=0.2, converter=float, validator=[ge(0), lt(0.5)])

    def __attrs_post_init__(self) -> None:
        if self.p != 1:
            raise ValueError(f"'p' must be 1, because all clips of a batch have one length; got {self.p}")

    def after(self, shape: ClipShape) -> ClipShape:
        frames = shape.frames - 2 * self._count(shape)
        if frames < 1:
            raise ValueError(f"ratio {self.ratio} leaves nothing of clips of {shape.frames} frames")
        return replace(shape, frames=frames)

    def _count(self, shape: ClipShape) -> int:
        return round(self.ratio * shape.frames)

    def _draws(self, shape: ClipShape) -> int:
        return shape.frames

    def _params(self, uniforms: Tensor, shape: ClipShape) -> CalmFrames:
        return CalmFrames(uniforms, self._count(shape), self.after(shape).frames, shape.dims)
