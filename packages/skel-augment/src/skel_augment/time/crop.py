"""Temporal crops."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, gt, instance_of, le
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params
from skel_augment.time.order import TimeIndex
from skel_augment.time.speed import TimePosition
from skel_augment.uniforms import between, choice
from skel_data import ClipShape


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
