"""What can be done to hide frames: set to zero, whole or some joints of them, left out by their motion."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from skel_augment._params import Params
from skel_augment._time_params import TimeIndex


@dataclass(frozen=True, eq=False, slots=True)
class FrameMask(Params):
    """Frames zeroed in all channels, joints and bodies.

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


@dataclass(frozen=True, eq=False, slots=True)
class PointMask(Params):
    """Joints zeroed in some frames, in all channels and bodies.

    Attributes:
        keep: (N, T, V) ones and zeros: zero where joint v of frame t is zeroed.
    """

    keep: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        return clips * self.keep.to(clips.dtype)[:, None, :, :, None]

    def where(self, gate: Tensor) -> "PointMask":
        return PointMask(torch.where(gate[:, None, None], self.keep, 1.0))


@dataclass(frozen=True, eq=False, slots=True)
class CalmFrames(Params):
    """The frames of largest motion left out, then others by lot; the rest keep their order.

    The motion of a frame is the mean squared step to the next one; that of the last frame is zero. Of frames
    that move alike, the later are left out.

    Attributes:
        lots: (N, T) random numbers below one: of the calm frames those with the lowest stay.
        moving: Number of frames left out for their motion.
        frames: Number of frames that stay.
        dims: Channels that are coordinates; no other channel counts as motion.
    """

    lots: Tensor
    moving: int
    frames: int
    dims: int

    def motion(self, clips: Tensor) -> Tensor:
        """(N, T) motion of the frames of clips (N, C, T, V, M), in single precision at least."""
        points = clips[:, : self.dims].to(torch.promote_types(clips.dtype, torch.float32))
        return torch.nn.functional.pad(points.diff(dim=2).square().mean((1, 3, 4)), (0, 1))

    def resolve(self, clips: Tensor) -> TimeIndex:
        """The frames of these clips (N, C, T, V, M) that stay."""
        calm_first = self.motion(clips).argsort(stable=True, dim=1)
        moving = calm_first[:, clips.shape[2] - self.moving :]
        stay = self.lots.scatter(1, moving, 1.0).argsort(stable=True, dim=1)[:, : self.frames]
        return TimeIndex(stay.sort(1).values)

    def apply(self, clips: Tensor) -> Tensor:
        return self.resolve(clips).apply(clips)

    def where(self, gate: Tensor) -> "CalmFrames":  # noqa: ARG002
        """The parameters themselves: a clip left alone would be longer than the others."""
        return self
