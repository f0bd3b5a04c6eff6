"""Temporal blur."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from attrs import Attribute, define, field
from attrs.validators import ge, instance_of
from torch import Tensor

from skel_augment.augmentation import Augmentation, as_floats
from skel_augment.params import Params, with_rest
from skel_augment.uniforms import between
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class TimeFilter(Params):
    """Symmetric filter along time, of coordinates only: a confidence channel is left alone.

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


def _odd(_: object, attribute: "Attribute[int]", value: int) -> None:
    if value % 2 == 0:
        raise ValueError(f"{attribute.name!r} must be odd, got {value}")


@define(frozen=True)
class GaussianBlur(Augmentation):
    """Gaussian blur along time: each frame a weighted mean of its neighbours (AimCLR, 2112.03590).

    Attributes:
        kernel: Width of the window in frames, odd.
        sigma: (low, high): the width of the Gaussian is uniform in between, in frames.
        normalised: Weights of a frame sum to one, at the ends of the clip too, so a body that stands still
            stays where it is. False: weights exp(-i² / 2 sigma²) as they are and zeros beyond the ends,
            as in AimCLR's program, which thereby enlarges the body up to fivefold.
    """

    param_uniforms: ClassVar[int] = 1
    kernel: int = field(default=15, validator=[instance_of(int), ge(1), _odd])
    sigma: tuple[float, float] = field(default=(0.1, 2.0), converter=as_floats)
    normalised: bool = field(default=True, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma must be (low, high) with 0 < low <= high, got {self.sigma}")

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeFilter:
        sigma = between(uniforms, *self.sigma)
        apart = torch.arange(self.kernel // 2 + 1, dtype=sigma.dtype, device=sigma.device)
        return TimeFilter(torch.exp(-0.5 * (apart / sigma).square()), shape.dims, self.normalised)
