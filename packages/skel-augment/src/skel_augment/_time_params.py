"""What can be done to the frames: picked, interpolated, mixed."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from skel_augment._params import Params, with_rest
from skel_augment._uniforms import choice


@dataclass(frozen=True, eq=False, slots=True)
class TimeIndex(Params):
    """Frames picked by number, for crops and flips.

    Attributes:
        index: (N, T') integers; frame t of the result is frame ``index[:, t]`` of the clip.
    """

    axis: ClassVar[str] = "time"
    index: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        return _pick_frames(clips, self.index)

    def where(self, gate: Tensor) -> "TimeIndex":
        still = torch.arange(self.index.shape[1], device=self.index.device)
        return TimeIndex(torch.where(gate[:, None], self.index, still))

    def then(self, later: Params) -> "TimeIndex | None":
        return TimeIndex(self.index.gather(1, later.index)) if isinstance(later, TimeIndex) else None


@dataclass(frozen=True, eq=False, slots=True)
class TimePosition(Params):
    """Frames at fractional times, interpolated linearly, for resizing and speed changes.

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
        before = _pick_frames(clips, index)
        after = _pick_frames(clips, (index + 1).clamp(max=last))
        return torch.lerp(before, after, part)

    def where(self, gate: Tensor) -> "TimePosition":
        still = torch.arange(self.position.shape[1], dtype=self.position.dtype, device=self.position.device)
        return TimePosition(torch.where(gate[:, None], self.position, still))

    def then(self, later: Params) -> "TimePosition | None":
        return TimePosition(self.position.gather(1, later.index)) if isinstance(later, TimeIndex) else None


@dataclass(frozen=True, eq=False, slots=True)
class FilledWindow(Params):
    """A window of the frames that are there, resized linearly; frames of zeros follow those.

    Attributes:
        ratio: (N,) length of the window as a share of the frames that are there.
        lot: (N,) in [0, 1): decides where it starts.
        used: (N,) true where the clip is cropped at all.
        min_frames: No window is shorter than this, or than the frames that are there.
        frames: Length to resize to.
    """

    ratio: Tensor
    lot: Tensor
    used: Tensor
    min_frames: int
    frames: int

    def resolve(self, clips: Tensor) -> TimePosition:
        """The times at which these clips (N, C, T, V, M) are seen."""
        filled = (clips.detach().abs().sum((1, 3, 4)) != 0).sum(1).clamp(min=1).to(self.ratio.dtype)
        length = (filled * self.ratio).floor().clamp(min=self.min_frames).minimum(filled)
        start = choice(self.lot, filled - length + 1)
        return TimePosition.crop(start, length, self.frames).where(self.used)

    def apply(self, clips: Tensor) -> Tensor:
        return self.resolve(clips).apply(clips)

    def where(self, gate: Tensor) -> "FilledWindow":
        return replace(self, used=self.used & gate)


@dataclass(frozen=True, eq=False, slots=True)
class TimeFilter(Params):
    """Frames mixed with their neighbours, for blurs; coordinates only, a confidence channel is left alone.

    Attributes:
        taps: (N, K); ``taps[:, k]`` is the weight of the frames k before and k after.
        dims: Channels that are coordinates.
        normalised: Divide by the sum of the weights that lie inside the clip. False: take frames beyond
            its ends as zero.
    """

    axis: ClassVar[str] = "time"
    taps: Tensor
    dims: int
    normalised: bool = True

    def weights(self, frames: int) -> Tensor:
        """(N, T, T); frame t of the result is the sum of ``weights[:, t, s]`` times frame s."""
        frame = torch.arange(frames, device=self.taps.device)
        apart = (frame[:, None] - frame).abs().clamp(max=self.taps.shape[1])
        weights = torch.nn.functional.pad(self.taps, (0, 1)).index_select(1, apart.flatten())
        weights = weights.view(-1, frames, frames)
        return weights / weights.sum(2, keepdim=True) if self.normalised else weights

    def apply(self, clips: Tensor) -> Tensor:
        points = clips[:, : self.dims].flatten(3)
        weights = self.weights(clips.shape[2]).to(clips.dtype)
        with torch.autocast(clips.device.type, enabled=False):
            # One channel after the other: all in one product would first copy the weights for each.
            mixed = torch.stack([weights @ channel for channel in points.unbind(1)], 1)
        return with_rest(mixed.view(*mixed.shape[:3], *clips.shape[3:]), clips)

    def where(self, gate: Tensor) -> "TimeFilter":
        still = torch.eye(1, self.taps.shape[1], dtype=self.taps.dtype, device=self.taps.device)
        return replace(self, taps=torch.where(gate[:, None], self.taps, still))


def _pick_frames(clips: Tensor, index: Tensor) -> Tensor:
    """Frames ``index`` (N, T') of clips (N, C, T, V, M), copied as whole rows."""
    count, channels, frames, joints, bodies = clips.shape
    first = torch.arange(count * channels, device=clips.device).view(count, channels, 1) * frames
    rows = clips.reshape(-1, joints * bodies).index_select(0, (first + index[:, None]).flatten())
    return rows.view(count, channels, index.shape[1], joints, bodies)
