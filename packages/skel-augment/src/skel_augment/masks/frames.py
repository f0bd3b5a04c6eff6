"""Masks of frames, in all channels, joints and bodies."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params
from skel_augment.segments import segment_numbers
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class FrameMask(Params):
    """Frame mask: frames zeroed in all channels, joints and bodies.

    Attributes:
        keep: (N, T) ones and zeros: zero where frame t is zeroed.
    """

    axis: ClassVar[str] = "time"
    keep: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        return clips * self.keep.to(clips.dtype)[:, None, :, None, None]

    def where(self, gate: Tensor) -> "FrameMask":
        return FrameMask(torch.where(gate[:, None], self.keep, 1.0))

    def then(self, later: Params) -> "FrameMask | None":
        return FrameMask(self.keep * later.keep) if isinstance(later, FrameMask) else None


@define(frozen=True)
class TemporalSegmentMask(Augmentation):
    """Temporal mask: random segments of the clip set to zero (SCD-Net, 2309.05834).

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

    def _param_uniforms(self, shape: ClipShape) -> int:  # noqa: ARG002
        return self.segments

    def _params(self, uniforms: Tensor, shape: ClipShape) -> FrameMask:
        masked = uniforms.argsort(1)[:, : self.masked]
        keep = uniforms.new_ones(len(uniforms), self.segments).scatter(1, masked, 0.0)
        return FrameMask(keep.index_select(1, segment_numbers(shape, self.segments, uniforms.device)))


@define(frozen=True)
class FrameDrop(Augmentation):
    """Frame drop: random frames set to zero, each independently.

    Attributes:
        ratio: Number of frames as a share of the clip, rounded; the same for every clip.
    """

    hides: ClassVar[bool] = True
    ratio: float = field(default=0.2, converter=float, validator=[ge(0), le(1)])

    def _param_uniforms(self, shape: ClipShape) -> int:
        return shape.frames

    def _params(self, uniforms: Tensor, shape: ClipShape) -> FrameMask:
        dropped = uniforms.argsort(1)[:, : round(self.ratio * shape.frames)]
        return FrameMask(torch.ones_like(uniforms).scatter(1, dropped, 0.0))
