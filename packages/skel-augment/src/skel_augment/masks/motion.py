"""Mask of the frames of largest motion."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, lt
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params
from skel_augment.time.order import TimeIndex
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class DropMotionFrames(Params):
    """Frames dropped: those of largest motion, then random others; the rest keep their order.

    The motion of a frame is the mean squared step to the next one; that of the last frame is zero. Of frames
    that move alike, the later are dropped.

    Attributes:
        scores: (N, T) random numbers below one; of the other frames those of lowest score stay.
        dropped: Number of frames dropped for their motion.
        frames: Number of frames that stay.
        dims: Channels that are coordinates; no other channel counts as motion.
    """

    scores: Tensor
    dropped: int
    frames: int
    dims: int

    def motion(self, clips: Tensor) -> Tensor:
        """(N, T) motion of the frames of clips (N, C, T, V, M), in single precision at least."""
        points = clips[:, : self.dims].to(torch.promote_types(clips.dtype, torch.float32))
        return torch.nn.functional.pad(points.diff(dim=2).square().mean((1, 3, 4)), (0, 1))

    def resolve(self, clips: Tensor) -> TimeIndex:
        """Index of the frames of these clips (N, C, T, V, M) that stay."""
        slowest_first = self.motion(clips).argsort(stable=True, dim=1)
        moving = slowest_first[:, clips.shape[2] - self.dropped :]
        stay = self.scores.scatter(1, moving, 1.0).argsort(stable=True, dim=1)[:, : self.frames]
        return TimeIndex(stay.sort(1).values)

    def apply(self, clips: Tensor) -> Tensor:
        return self.resolve(clips).apply(clips)

    def where(self, gate: Tensor) -> "DropMotionFrames":  # noqa: ARG002
        """The parameters themselves: a clip left alone would be longer than the others."""
        return self


@define(frozen=True)
class MotionAttentionMask(Augmentation):
    """Motion attention mask: frames of largest motion dropped, then as many at random (PSTL, 2302.09018).

    The clip becomes shorter: 50 frames become 30. So p must be 1.

    Attributes:
        ratio: Number of frames dropped each time as a share of the clip, rounded.
    """

    hides: ClassVar[bool] = True
    ratio: float = field(default=0.2, converter=float, validator=[ge(0), lt(0.5)])

    def __attrs_post_init__(self) -> None:
        if self.p != 1:
            raise ValueError(f"'p' must be 1, because all clips of a batch have one length; got {self.p}")

    def output_shape(self, shape: ClipShape) -> ClipShape:
        frames = shape.frames - 2 * self._count(shape)
        if frames < 1:
            raise ValueError(f"ratio {self.ratio} leaves nothing of clips of {shape.frames} frames")
        return replace(shape, frames=frames)

    def _count(self, shape: ClipShape) -> int:
        return round(self.ratio * shape.frames)

    def _param_uniforms(self, shape: ClipShape) -> int:
        return shape.frames

    def _params(self, uniforms: Tensor, shape: ClipShape) -> DropMotionFrames:
        return DropMotionFrames(uniforms, self._count(shape), self.output_shape(shape).frames, shape.dims)
