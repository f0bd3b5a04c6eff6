"""Temporal resampling: changes of speed."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, gt, le
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params
from skel_augment.time.order import TimeIndex, pick_frames
from skel_augment.uniforms import between
from skel_data import ClipShape


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
