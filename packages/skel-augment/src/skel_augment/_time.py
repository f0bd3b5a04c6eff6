"""Augmentations along time: crops, flip, shuffle, resize, speed, warp, blur."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import torch
from attrs import Attribute, define, field
from attrs.validators import ge, gt, instance_of, le
from torch import Tensor

from skel_augment._augmentation import Augmentation
from skel_augment._pieces import segment_numbers
from skel_augment._time_params import FilledWindow, TimeFilter, TimeIndex, TimePosition
from skel_augment._uniforms import between, choice
from skel_data import ClipShape


@define(frozen=True)
class TemporalCrop(Augmentation):
    """A random window of the clip's own length from the clip padded by its mirror image at both ends.

    The first and the last frame are repeated by the mirror (CrosSCLR, 2104.14466; AimCLR).

    Attributes:
        padding_ratio: T // padding_ratio frames are padded at each end.
    """

    numbers: ClassVar[int] = 1
    padding_ratio: int = field(default=6, validator=[instance_of(int), ge(1)])

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeIndex:
        padding = shape.frames // self.padding_ratio
        start = choice(uniforms, 2 * padding + 1).long()
        index = torch.arange(-padding, shape.frames - padding, device=uniforms.device) + start
        index = torch.where(index < 0, -1 - index, index)
        return TimeIndex(torch.where(index < shape.frames, index, 2 * shape.frames - 1 - index))


@define(frozen=True)
class TimeFlip(Augmentation):
    """The clip played backwards."""

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeIndex:
        index = torch.arange(shape.frames - 1, -1, -1, device=uniforms.device)
        return TimeIndex(index.expand(len(uniforms), -1))


@define(frozen=True)
class SegmentShuffle(Augmentation):
    """The clip cut into segments, which are put in a random order (TS-Cubism, 2207.08095).

    Every order is equally likely, the original one included. The `TimeIndex` tells it.

    Attributes:
        segments: Frame t belongs to segment ``t * segments // T``; those of a shorter clip may be empty.
    """

    segments: int = field(default=3, validator=[instance_of(int), ge(1)])

    def _draws(self, shape: ClipShape) -> int:  # noqa: ARG002
        return self.segments

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeIndex:
        place = uniforms.argsort(1)
        of_frame = place.index_select(1, segment_numbers(shape, self.segments, uniforms.device))
        return TimeIndex(of_frame.argsort(stable=True, dim=1))


@define(frozen=True)
class TemporalCropResize(Augmentation):
    """A random window of random length, resized linearly (ISC, SCD-Net, MAMP).

    Attributes:
        min_ratio: Shortest window as a share of the clip.
        max_ratio: Longest window as a share of the clip.
        min_frames: No window is shorter than this, or than the clip if that is shorter.
        frames: Length to resize to; 0 is the clip's own. With another one p must be 1.
        padded: Clips end in frames of zeros, which do not count as part of the clip and are not seen.
    """

    numbers: ClassVar[int] = 2
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

    def after(self, shape: ClipShape) -> ClipShape:
        frames = self.frames or shape.frames
        if frames != shape.frames and self.p != 1:
            raise ValueError(
                f"p must be 1 where clips of {shape.frames} frames become {frames} long, got {self.p}"
            )
        return replace(shape, frames=frames)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimePosition | FilledWindow:
        frames = shape.frames
        ratio = between(uniforms[:, 0], self.min_ratio, self.max_ratio)
        if self.padded:
            used = torch.ones_like(ratio, dtype=torch.bool)
            return FilledWindow(ratio, uniforms[:, 1], used, self.min_frames, self.after(shape).frames)
        length = (frames * ratio).floor()
        length = length.clamp(min(self.min_frames, frames), frames)
        start = choice(uniforms[:, 1], frames - length + 1)
        return TimePosition.crop(start, length, self.after(shape).frames)


@define(frozen=True)
class SpeedChange(Augmentation):
    """The whole clip faster or slower, resampled linearly.

    A slower clip is cut at a random place to its old length. A faster one is over sooner: its first and last
    frame are held, for a random part of the time that is left.

    Attributes:
        low: Smallest factor of the speed.
        high: Largest factor of the speed; the factor is uniform in between.
    """

    numbers: ClassVar[int] = 2
    low: float = field(default=0.75, converter=float, validator=gt(0))
    high: float = field(default=1.25, converter=float)

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
    """A smooth change of speed: faster at one end, slower at the other; first and last frame stay.

    Time s in 0 to 1 becomes s + a sin(pi s) / pi, so the speed runs from 1 + a to 1 - a.

    Attributes:
        amplitude: a is uniform in -amplitude to amplitude; at most 1, so time never runs backwards.
    """

    numbers: ClassVar[int] = 1
    amplitude: float = field(default=0.3, converter=float, validator=[ge(0), le(1)])

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimePosition:
        last = shape.frames - 1
        frame = torch.arange(shape.frames, dtype=uniforms.dtype, device=uniforms.device)
        bend = torch.sin(frame * (math.pi / max(last, 1))) * (last / math.pi)
        position = frame + between(uniforms, -self.amplitude, self.amplitude) * bend
        return TimePosition(position.clamp(0, last))


def _pair(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _odd(_: object, attribute: "Attribute[int]", value: int) -> None:
    if value % 2 == 0:
        raise ValueError(f"{attribute.name!r} must be odd, got {value}")


@define(frozen=True)
class GaussianBlur(Augmentation):
    """Each frame becomes a weighted mean of its neighbours in time (AimCLR, 2112.03590).

    Attributes:
        kernel: Width of the window in frames, odd.
        sigma: (low, high): the width of the Gaussian is uniform in between, in frames.
        normalised: Weights of a frame sum to one, at the ends of the clip too, so a body that stands still
            stays where it is. False: weights exp(-i² / 2 sigma²) as they are and zeros beyond the ends,
            as in AimCLR's program, which thereby enlarges the body up to fivefold.
    """

    numbers: ClassVar[int] = 1
    kernel: int = field(default=15, validator=[instance_of(int), ge(1), _odd])
    sigma: tuple[float, float] = field(default=(0.1, 2.0), converter=_pair)
    normalised: bool = field(default=True, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma must be (low, high) with 0 < low <= high, got {self.sigma}")

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeFilter:
        sigma = between(uniforms, *self.sigma)
        apart = torch.arange(self.kernel // 2 + 1, dtype=sigma.dtype, device=sigma.device)
        return TimeFilter(torch.exp(-0.5 * (apart / sigma).square()), shape.dims, self.normalised)
