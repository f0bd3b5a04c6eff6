"""Order of frames: reversal and shuffling."""

from dataclasses import dataclass
from math import factorial
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of
from torch import Tensor
from torch.nn import functional

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


@dataclass(frozen=True, eq=False, slots=True)
class SegmentOrder(TimeIndex):
    """Frames of segments that were put in another order.

    Attributes:
        order: (N, S) integers; place j of the result has segment ``order[:, j]`` of the clip.
    """

    order: Tensor

    @property
    def label(self) -> Tensor:
        """(N,) number of the order among all S! in lexicographic order; 0 is the original one.

        Raises:
            ValueError: If there are more orders than 64 bits can count, from 21 segments on.
        """
        count = self.order.shape[1]
        if count > 20:
            raise ValueError(f"the orders of {count} segments are too many to number; of 20 they are not")
        weights = torch.tensor([factorial(count - 1 - place) for place in range(count)])
        smaller = (self.order[:, None] < self.order[:, :, None]).triu(1).sum(2)  # of the places behind
        return (smaller * weights.to(self.order.device, non_blocking=True)).sum(1)

    def where(self, gate: Tensor) -> "SegmentOrder":
        still = torch.arange(self.order.shape[1], device=self.order.device)
        index = TimeIndex.where(self, gate).index
        return SegmentOrder(index, torch.where(gate[:, None], self.order, still))


@define(frozen=True)
class TimeFlip(Augmentation):
    """Time flip: the clip played backwards."""

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeIndex:
        index = torch.arange(shape.frames - 1, -1, -1, device=uniforms.device)
        return TimeIndex(index.expand(len(uniforms), -1))


@define(frozen=True)
class SegmentShuffle(Augmentation):
    """Segment shuffle: the clip's segments in a random order (TS-Cubism, 2207.08095).

    Every order is equally likely, the original one included. The `SegmentOrder` tells it.

    Attributes:
        segments: Frame t belongs to segment ``t * segments // T``; those of a shorter clip may be empty.
        equal: Segments of ``T // segments`` frames each; the frames left over stay at the end, as in the
            program of Recover-and-Resample (2410.23641).
    """

    segments: int = field(default=3, validator=[instance_of(int), ge(1)])
    equal: bool = field(default=False, validator=instance_of(bool))

    def output_shape(self, shape: ClipShape) -> ClipShape:
        if self.equal and shape.frames < self.segments:
            raise ValueError(f"cannot cut {shape.frames} frames into {self.segments} equal segments")
        return shape

    def _param_uniforms(self, shape: ClipShape) -> int:  # noqa: ARG002
        return self.segments

    def _params(self, uniforms: Tensor, shape: ClipShape) -> SegmentOrder:
        place = uniforms.argsort(1)  # of each segment
        of_frame = segment_numbers(shape, self.segments, uniforms.device)
        places = place
        if self.equal:
            self.output_shape(shape)
            frame = torch.arange(shape.frames, device=uniforms.device)
            of_frame = (frame // (shape.frames // self.segments)).clamp_max(self.segments)
            places = functional.pad(place, (0, 1), value=self.segments)
        index = places.index_select(1, of_frame).argsort(stable=True, dim=1)
        return SegmentOrder(index, place.argsort(1))


def pick_frames(clips: Tensor, index: Tensor) -> Tensor:
    """Frames ``index`` (N, T') of clips (N, C, T, V, M), copied as whole rows."""
    count, channels, frames, joints, bodies = clips.shape
    first = torch.arange(count * channels, device=clips.device).view(count, channels, 1) * frames
    rows = clips.reshape(-1, joints * bodies).index_select(0, (first + index[:, None]).flatten())
    return rows.view(count, channels, index.shape[1], joints, bodies)
