"""Order of frames: reversal and shuffling."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params
from skel_augment.segments import segment_numbers
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class TimeIndex(Params):
    """Frames picked by index, for crops and flips.

    Attributes:
        index: (N, T') integers; frame t of the result is frame ``index[:, t]`` of the clip.
    """

    axis: ClassVar[str] = "time"
    index: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        return pick_frames(clips, self.index)

    def where(self, gate: Tensor) -> "TimeIndex":
        still = torch.arange(self.index.shape[1], device=self.index.device)
        return TimeIndex(torch.where(gate[:, None], self.index, still))

    def then(self, later: Params) -> "TimeIndex | None":
        return TimeIndex(self.index.gather(1, later.index)) if isinstance(later, TimeIndex) else None


@define(frozen=True)
class TimeFlip(Augmentation):
    """Time flip: the clip played backwards."""

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeIndex:
        index = torch.arange(shape.frames - 1, -1, -1, device=uniforms.device)
        return TimeIndex(index.expand(len(uniforms), -1))


@define(frozen=True)
class SegmentShuffle(Augmentation):
    """Segment shuffle: the clip's segments in a random order (TS-Cubism, 2207.08095).

    Every order is equally likely, the original one included. The `TimeIndex` tells it.

    Attributes:
        segments: Frame t belongs to segment ``t * segments // T``; those of a shorter clip may be empty.
    """

    segments: int = field(default=3, validator=[instance_of(int), ge(1)])

    def _param_uniforms(self, shape: ClipShape) -> int:  # noqa: ARG002
        return self.segments

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeIndex:
        rank = uniforms.argsort(1)
        of_frame = rank.index_select(1, segment_numbers(shape, self.segments, uniforms.device))
        return TimeIndex(of_frame.argsort(stable=True, dim=1))


def pick_frames(clips: Tensor, index: Tensor) -> Tensor:
    """Frames ``index`` (N, T') of clips (N, C, T, V, M), copied as whole rows."""
    count, channels, frames, joints, bodies = clips.shape
    first = torch.arange(count * channels, device=clips.device).view(count, channels, 1) * frames
    rows = clips.reshape(-1, joints * bodies).index_select(0, (first + index[:, None]).flatten())
    return rows.view(count, channels, index.shape[1], joints, bodies)
