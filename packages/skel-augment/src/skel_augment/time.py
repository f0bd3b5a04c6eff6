"""Order, speed and crops of frames."""

import math
from dataclasses import dataclass, replace
from math import factorial
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, gt, instance_of, le
from torch import Tensor
from torch.nn import functional

from skel_augment.augmentation import Augmentation, Params, between, choice, finite
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


@dataclass(frozen=True, eq=False, slots=True)
class TimePosition(Params):
    """Resampling in time: frames at fractional times, interpolated linearly.

    Attributes:
        position: (N, T') times in frames, 0 to T-1; later times read the last frame.
    """

    axis: ClassVar[str] = "time"
    position: Tensor

    @classmethod
    def crop(cls, start: Tensor, length: Tensor, frames: int) -> "TimePosition":
        """Resize the window of ``length`` (N,) frames from frame ``start`` (N,) on to ``frames`` frames.

        Frames are intervals of time, as pixels are areas: the first and last new frame lie inside the window.
        """
        steps = torch.arange(frames, dtype=length.dtype, device=length.device) + 0.5
        inside = steps * (length[:, None] / frames) - 0.5
        inside = inside.clamp(min=0).minimum(length[:, None] - 1)
        return cls(start[:, None] + inside)

    def apply(self, clips: Tensor) -> Tensor:
        last = clips.shape[2] - 1
        below = self.position.floor().clamp(0, last)
        part = (self.position - below).clamp(0, 1).to(clips.dtype)[:, None, :, None, None]
        index = below.long()
        before = pick_frames(clips, index)
        after = pick_frames(clips, (index + 1).clamp(max=last))
        return torch.lerp(before, after, part)

    def where(self, gate: Tensor) -> "TimePosition":
        still = torch.arange(self.position.shape[1], dtype=self.position.dtype, device=self.position.device)
        return TimePosition(torch.where(gate[:, None], self.position, still))

    def then(self, later: Params) -> "TimePosition | None":
        return TimePosition(self.position.gather(1, later.index)) if isinstance(later, TimeIndex) else None


@define(frozen=True)
class SpeedChange(Augmentation):
    """Speed change: the whole clip faster or slower, resampled linearly.

    A slower clip is cut at a random place to its old length. A faster one is over sooner: its first and last
    frame are held, for a random part of the time that is left.

    Attributes:
        low: Smallest factor of the speed.
        high: Largest factor of the speed; the factor is uniform in between.
    """

    param_uniforms: ClassVar[int] = 2
    low: float = field(default=0.75, converter=float, validator=gt(0))
    high: float = field(default=1.25, converter=float, validator=finite)

    def __attrs_post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError(f"high must not be below low = {self.low}, got {self.high}")

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimePosition:
        last = shape.frames - 1
        speed = between(uniforms[:, :1], self.low, self.high)
        frame = torch.arange(shape.frames, dtype=uniforms.dtype, device=uniforms.device)
        # The window of speed * last frames starts somewhere in the clip, or the clip somewhere in it.
        start = uniforms[:, 1:] * (last - speed * last)
        return TimePosition((start + speed * frame).clamp(0, last))


@define(frozen=True)
class TimeWarp(Augmentation):
    """Time warp: faster at one end, slower at the other; first and last frame stay.

    Time s in 0 to 1 becomes s + a sin(pi s) / pi, so the speed runs from 1 + a to 1 - a.

    Attributes:
        amplitude: a is uniform in -amplitude to amplitude; at most 1, so time never runs backwards.
    """

    param_uniforms: ClassVar[int] = 1
    amplitude: float = field(default=0.3, converter=float, validator=[ge(0), le(1)])

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimePosition:
        last = shape.frames - 1
        frame = torch.arange(shape.frames, dtype=uniforms.dtype, device=uniforms.device)
        bend = torch.sin(frame * (math.pi / max(last, 1))) * (last / math.pi)
        position = frame + between(uniforms, -self.amplitude, self.amplitude) * bend
        return TimePosition(position.clamp(0, last))


def recorded_frames(clips: Tensor) -> Tensor:
    """Frames (N,) of clips (N, C, T, V, M) up to the last that is not zero; empty ones before it count."""
    present = clips.detach().abs().sum((1, 3, 4)) != 0
    numbers = torch.arange(1, clips.shape[2] + 1, device=clips.device)
    return (present * numbers).amax(1).clamp(min=1)


def centre_crop(frames: Tensor, ratio: float, size: int) -> TimePosition:
    """Centre crop of SCD-Net, ISC, CMD, HiCo and MAMP: int((1 - ratio) n / 2) of n frames go at either end.

    Args:
        frames: (N,) frames of each clip, n.
        ratio: Share that is kept, about.
        size: Frames to resize the rest to.
    """
    count = frames.double()
    start = ((1 - ratio) * count / 2).floor()
    return TimePosition.crop(start, count - 2 * start, size)


@dataclass(frozen=True, eq=False, slots=True)
class PaddedCrop(Params):
    """Crop of clips padded with frames of zeros: a window of the other frames, resized linearly.

    Attributes:
        ratio: (N,) length of the window as a share of the frames that are no padding.
        start: (N,) in [0, 1): where it starts, as a share of the starts that are possible.
        active: (N,) true where the clip is cropped at all.
        min_frames: No window is shorter than this, or than the frames that are no padding.
        frames: Length to resize to.
    """

    ratio: Tensor
    start: Tensor
    active: Tensor
    min_frames: int
    frames: int

    def resolve(self, clips: Tensor) -> TimePosition:
        """The times that are picked from these clips (N, C, T, V, M)."""
        filled = recorded_frames(clips).to(self.ratio.dtype)
        length = (filled * self.ratio).floor().clamp(min=self.min_frames).minimum(filled)
        start = choice(self.start, filled - length + 1)
        return TimePosition.crop(start, length, self.frames).where(self.active)

    def apply(self, clips: Tensor) -> Tensor:
        return self.resolve(clips).apply(clips)

    def where(self, gate: Tensor) -> "PaddedCrop":
        return replace(self, active=self.active & gate)


@define(frozen=True)
class TemporalCrop(Augmentation):
    """Temporal crop: a random window, as long as the clip, of the clip padded by its mirror image.

    The first and the last frame are repeated by the mirror (CrosSCLR, 2104.14466; AimCLR).

    Attributes:
        padding_ratio: T // padding_ratio frames are padded at each end.
    """

    param_uniforms: ClassVar[int] = 1
    padding_ratio: int = field(default=6, validator=[instance_of(int), ge(1)])

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeIndex:
        padding = shape.frames // self.padding_ratio
        start = choice(uniforms, 2 * padding + 1).long()
        index = torch.arange(-padding, shape.frames - padding, device=uniforms.device) + start
        index = torch.where(index < 0, -1 - index, index)
        return TimeIndex(torch.where(index < shape.frames, index, 2 * shape.frames - 1 - index))


@define(frozen=True)
class TemporalCropResize(Augmentation):
    """Temporal crop and resize: a random window of random length, resized linearly (ISC, SCD-Net, MAMP).

    Attributes:
        min_ratio: Shortest window as a share of the clip.
        max_ratio: Longest window as a share of the clip.
        min_frames: No window is shorter than this, or than the clip if that is shorter.
        frames: Length to resize to; 0 is the clip's own. With another one p must be 1.
        padded: Clips end in frames of zeros, which are not part of what is cropped.
    """

    param_uniforms: ClassVar[int] = 2
    min_ratio: float = field(default=0.5, converter=float, validator=[gt(0), le(1)])
    max_ratio: float = field(default=1.0, converter=float, validator=[gt(0), le(1)])
    min_frames: int = field(default=1, validator=[instance_of(int), ge(1)])
    frames: int = field(default=0, validator=[instance_of(int), ge(0)])
    padded: bool = field(default=False, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        if self.max_ratio < self.min_ratio:
            raise ValueError(
                f"max_ratio must not be below min_ratio = {self.min_ratio}, got {self.max_ratio}"
            )

    def output_shape(self, shape: ClipShape) -> ClipShape:
        frames = self.frames or shape.frames
        if frames != shape.frames and self.p != 1:
            raise ValueError(
                f"p must be 1 where clips of {shape.frames} frames become {frames} long, got {self.p}"
            )
        return replace(shape, frames=frames)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimePosition | PaddedCrop:
        frames = shape.frames
        ratio = between(uniforms[:, 0], self.min_ratio, self.max_ratio)
        if self.padded:
            active = torch.ones_like(ratio, dtype=torch.bool)
            return PaddedCrop(ratio, uniforms[:, 1], active, self.min_frames, self.output_shape(shape).frames)
        length = (frames * ratio).floor()
        length = length.clamp(min(self.min_frames, frames), frames)
        start = choice(uniforms[:, 1], frames - length + 1)
        return TimePosition.crop(start, length, self.output_shape(shape).frames)
