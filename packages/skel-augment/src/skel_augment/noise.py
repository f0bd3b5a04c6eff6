"""Gaussian noise on the coordinates, and Gaussian blur over time."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from attrs import Attribute, define, field
from attrs.validators import ge, in_, instance_of, le
from torch import Tensor
from torch.nn import functional

from skel_augment.augmentation import Augmentation, Params, as_floats, between, finite, normals, with_rest
from skel_data import ClipShape

KEEP_ZERO = ("frames", "bodies", "joints", "nothing")
"""What noise may leave at exactly zero."""


@dataclass(frozen=True, eq=False, slots=True)
class Noise(Params):
    """Additive noise on the coordinates.

    Attributes:
        values: (N, dims, T, V, M), or (N, dims, 1, V, M) for the same numbers in all frames.
        scale: (N,) factor of the values.
        keep_zero: What stays exactly zero: "bodies" that are zero in the whole clip, in "frames" where all
            their joints are zero (and so absent bodies too), "joints" that are zero in a frame (and so all of
            the former), or "nothing".
    """

    values: Tensor
    scale: Tensor
    keep_zero: str = "frames"

    def apply(self, clips: Tensor) -> Tensor:
        count, channels, frames, joints, bodies = clips.shape
        points = clips[:, : self.values.shape[1]].flatten(3)
        scale = self.scale.to(clips.dtype)[:, None, None, None]
        # A sum of magnitudes is zero only where all of them are, and quicker than to ask each.
        if self.keep_zero == "bodies":
            size = clips.abs().reshape(count, channels * frames, joints * bodies).sum(1)
            size = size.view(count, joints, bodies).sum(1)
            scale = scale * (size != 0).repeat(1, joints)[:, None, None]
        elif self.keep_zero == "frames":
            size = clips.abs().sum(1).sum(2, keepdim=True)
            scale = scale * (size != 0).expand(-1, -1, joints, -1).flatten(2)[:, None]
        elif self.keep_zero == "joints":
            scale = scale * (clips.abs().sum(1, keepdim=True) != 0).flatten(3)
        moved = torch.addcmul(points, self.values.to(clips.dtype).flatten(3), scale)
        return with_rest(moved.view(*moved.shape[:3], joints, bodies), clips)

    def where(self, gate: Tensor) -> "Noise":
        return replace(self, scale=torch.where(gate, self.scale, 0.0))


@define(frozen=True)
class GaussianNoise(Augmentation):
    """Gaussian noise, independent on every coordinate (AimCLR, 2112.03590).

    Attributes:
        std: Standard deviation, in the unit of the clips.
        keep_zero: What stays exactly zero: "frames" in which all joints of a body are zero, as where a clip
            is padded; "bodies" that are zero in the whole clip alone; "joints" that are zero in a frame; or
            "nothing", as in AimCLR's program, where absent bodies become noise.
    """

    std: float = field(default=0.01, converter=float, validator=[ge(0), finite])
    keep_zero: str = field(default="frames", validator=in_(KEEP_ZERO))

    def _param_uniforms(self, shape: ClipShape) -> int:
        # as many as there are coordinates, made even, as `normals` needs them
        return 2 * math.ceil(_coordinates(shape) / 2)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Noise:
        values = normals(uniforms)[:, : _coordinates(shape)]
        values = values.view(len(uniforms), shape.dims, shape.frames, shape.joints, shape.bodies)
        return Noise(values, torch.full_like(uniforms[:, 0], self.std), self.keep_zero)


@define(frozen=True)
class JointJitter(GaussianNoise):
    """Joint jitter: each joint off its place by a Gaussian step that stays for the whole clip.

    A badly measured body looks like that.

    Attributes:
        std: Standard deviation of each coordinate, in the unit of the clips.
        keep_zero: What stays exactly zero, as in `GaussianNoise`.
    """

    std: float = field(default=0.02, converter=float, validator=[ge(0), finite])
    keep_zero: str = field(default="frames", validator=in_(KEEP_ZERO))

    def _param_uniforms(self, shape: ClipShape) -> int:
        return super()._param_uniforms(replace(shape, frames=1))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Noise:
        return super()._params(uniforms, replace(shape, frames=1))


@define(frozen=True)
class JointDrift(Augmentation):
    """Joint drift: some joints off their place by a Gaussian step that changes slowly over the clip.

    A depth camera misplaces joints that it cannot see like that.

    Attributes:
        std: Standard deviation of each coordinate of the step, in the unit of the clips.
        share: Probability that a joint drifts.
        knots: Number of steps drawn over the clip; between them the step changes linearly.
        keep_zero: What stays exactly zero, as in `GaussianNoise`.
    """

    std: float = field(default=0.08, converter=float, validator=[ge(0), finite])
    share: float = field(default=0.3, converter=float, validator=[ge(0), le(1)])
    knots: int = field(default=3, validator=ge(2))
    keep_zero: str = field(default="frames", validator=in_(KEEP_ZERO))

    def _param_uniforms(self, shape: ClipShape) -> int:
        points = shape.joints * shape.bodies
        return 2 * math.ceil(shape.dims * self.knots * points / 2) + points

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Noise:
        joints, bodies, count = shape.joints, shape.bodies, len(uniforms)
        drifts = (uniforms[:, : joints * bodies] < self.share).to(uniforms.dtype)
        steps = normals(uniforms[:, joints * bodies :])[:, : shape.dims * self.knots * joints * bodies]
        steps = steps.view(count, shape.dims * joints * bodies, self.knots)
        values = functional.interpolate(steps, size=shape.frames, mode="linear", align_corners=True)
        values = values.view(count, shape.dims, joints, bodies, shape.frames).movedim(4, 2)
        values = values * drifts.view(count, 1, 1, joints, bodies)
        return Noise(values, torch.full_like(uniforms[:, 0], self.std), self.keep_zero)


def _coordinates(shape: ClipShape) -> int:
    return shape.dims * shape.frames * shape.joints * shape.bodies


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
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1] < math.inf:
            raise ValueError(
                f"sigma must be two finite numbers (low, high) with 0 < low <= high, got {self.sigma}"
            )

    def _params(self, uniforms: Tensor, shape: ClipShape) -> TimeFilter:
        sigma = between(uniforms, *self.sigma)
        apart = torch.arange(self.kernel // 2 + 1, dtype=sigma.dtype, device=sigma.device)
        return TimeFilter(torch.exp(-0.5 * (apart / sigma).square()), shape.dims, self.normalised)
