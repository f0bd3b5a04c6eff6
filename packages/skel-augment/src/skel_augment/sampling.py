"""Temporal crops of which frames are sampled, for views of several lengths."""

from dataclasses import dataclass, replace

import torch
from attrs import define, field
from attrs.validators import ge, gt, instance_of, le
from torch import Tensor

from skel_augment.augmentation import Augmentation, Params, between, choice
from skel_augment.time import TimePosition
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class FrameSample(Params):
    """Crop of which frames are sampled in order, or, of a shorter one, interpolated.

    Attributes:
        ratio: (N,) length of the crop as a share of its range.
        start: (N,) in [0, 1): where it starts, as a share of the starts that are possible.
        order: (N, frames + 1) in [0, 1): which frames are taken.
        min_frames: No crop is shorter than this, or than its range.
        padded: Whether clips end in frames of zeros, which are not part of what is cropped.
        extend: Clips are played forwards and backwards until they have this many frames.
        inside: First frame and end (N,) of the range; None for the whole clip. A range shorter than
            ``min_frames`` gives way to the whole clip.
        active: (N,) true where the clip is cropped at all; None for all.
    """

    ratio: Tensor
    start: Tensor
    order: Tensor
    min_frames: int
    padded: bool = False
    extend: int = 0
    inside: tuple[Tensor, Tensor] | None = None
    active: Tensor | None = None

    def span(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """First frame that is taken of these clips (N, C, T, V, M), and the one behind the last, (N,)."""
        begin, length, inside = self._crop(clips)
        taken = length >= inside.shape[1]
        first = torch.where(taken, inside[:, 0], 0)
        return begin + first, begin + torch.where(taken, inside[:, -1] + 1, length)

    def resolve(self, clips: Tensor) -> TimePosition:
        """The times that are picked from these clips (N, C, T, V, M)."""
        begin, _, inside = self._crop(clips)
        position = begin[:, None] + inside
        if self.extend:  # between two frames of which one is mirrored both are the same frame
            filled = self._filled(clips)[:, None]
            turn = (position + 0.5) % (2 * filled)
            position = torch.where(turn < filled, turn, 2 * filled - turn) - 0.5
            position = position.clamp(min=0).minimum(filled - 1)
        found = TimePosition(position)
        return found if self.active is None else found.where(self.active)

    def _crop(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """First frame and length (N,) of the crop, and the times that are picked inside it (N, frames)."""
        whole = self._filled(clips).clamp(min=self.extend)
        first, size = torch.zeros_like(whole), whole
        if self.inside is not None:
            begin, end = self.inside
            fits = end - begin >= self.min_frames
            first, size = torch.where(fits, begin, first), torch.where(fits, end - begin, size)
        count = (size * self.ratio).floor().clamp(min=self.min_frames).minimum(size)
        begin = first + choice(self.start, size - count + 1)
        length, frames = count[:, None], self.order.shape[1] - 1
        numbers = torch.arange(frames, dtype=length.dtype, device=length.device)
        stretched = ((numbers + 0.5) * (length / frames) - 0.5).clamp(min=0).minimum(length - 1)
        rank = self.order.argsort(1).argsort(1)
        thinned = numbers + (rank < length - frames)[:, :frames].cumsum(1)
        edge = (numbers * length / frames).floor()
        binned = edge + choice(self.order[:, :frames], ((numbers + 1) * length / frames).floor() - edge)
        inside = torch.where(length < frames, stretched, torch.where(length < 2 * frames, thinned, binned))
        return begin, count, inside

    def _filled(self, clips: Tensor) -> Tensor:
        """(N,) frames of the clips that are not padding."""
        if not self.padded:
            return torch.full_like(self.ratio, clips.shape[2])
        present = clips.detach().ne(0).any(1).flatten(2).any(2)
        numbers = torch.arange(1, clips.shape[2] + 1, device=clips.device)
        return (present * numbers).amax(1).clamp(min=1).to(self.ratio.dtype)

    def apply(self, clips: Tensor) -> Tensor:
        return self.resolve(clips).apply(clips)

    def where(self, gate: Tensor) -> "FrameSample":
        return replace(self, active=gate if self.active is None else self.active & gate)


@define(frozen=True)
class TemporalCropSample(Augmentation):
    """Temporal crop of which frames are sampled: a random window of random length (SLiM, 2603.10648).

    A window of twice the wanted frames or more is cut into as many bins, and a random frame of each is taken.
    Of a shorter one random frames are left out. One that has too few frames is resized linearly.

    Attributes:
        min_ratio: Shortest window as a share of the clip.
        max_ratio: Longest window as a share of the clip.
        frames: Frames that are taken; 0 for as many as the clip has. With another number p must be 1.
        min_frames: No window is shorter than this, or than the clip if that is shorter; 0 for the program's
            rule, ``frames`` but at least 8 and at most 16.
        padded: Clips end in frames of zeros, which are not part of what is cropped.
        extend: Play clips forwards and backwards until they have this many frames; 150 in SLiM.
    """

    min_ratio: float = field(default=0.5, converter=float, validator=[gt(0), le(1)])
    max_ratio: float = field(default=1.0, converter=float, validator=[gt(0), le(1)])
    frames: int = field(default=0, validator=[instance_of(int), ge(0)])
    min_frames: int = field(default=0, validator=[instance_of(int), ge(0)])
    padded: bool = field(default=False, validator=instance_of(bool))
    extend: int = field(default=0, validator=[instance_of(int), ge(0)])

    def __attrs_post_init__(self) -> None:
        if self.max_ratio < self.min_ratio:
            raise ValueError(
                f"max_ratio must not be below min_ratio = {self.min_ratio}, got {self.max_ratio}"
            )
        if self.frames and self.p != 1:
            raise ValueError(f"p must be 1, as clips change their length, got {self.p}")

    def output_shape(self, shape: ClipShape) -> ClipShape:
        return replace(shape, frames=self.frames or shape.frames)

    def _param_uniforms(self, shape: ClipShape) -> int:
        return 3 + self.output_shape(shape).frames

    def _params(self, uniforms: Tensor, shape: ClipShape) -> FrameSample:
        frames = self.output_shape(shape).frames
        return FrameSample(
            between(uniforms[:, 0], self.min_ratio, self.max_ratio),
            uniforms[:, 1],
            uniforms[:, 2:],
            self.min_frames or max(8, min(16, frames)),
            self.padded,
            self.extend,
        )
