"""Masks of frames, in all channels, joints and bodies, and of the joint-time tokens of a Transformer."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le, lt
from torch import Tensor

from skel_augment.augmentation import Augmentation, Params, choice
from skel_augment.segments import part_members, segment_numbers
from skel_augment.time import TimeIndex
from skel_data import ClipShape, SkeletonLayout, get_layout


@dataclass(frozen=True, eq=False, slots=True)
class FrameMask(Params):
    """Frame mask: frames zeroed in all channels, joints and bodies.

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


@define(frozen=True)
class TemporalSegmentMask(Augmentation):
    """Temporal mask: random segments of the clip set to zero (SCD-Net, 2309.05834).

    Attributes:
        segments: Frame t belongs to segment ``t * segments // T``; those of a shorter clip may be empty.
        masked: Number of segments to mask, the same for every clip.
    """

    hides: ClassVar[bool] = True
    segments: int = field(default=16, validator=[instance_of(int), ge(1)])
    masked: int = field(default=6, validator=[instance_of(int), ge(0)])

    def __attrs_post_init__(self) -> None:
        if self.masked > self.segments:
            raise ValueError(f"masked must not be above segments = {self.segments}, got {self.masked}")

    def _param_uniforms(self, shape: ClipShape) -> int:  # noqa: ARG002
        return self.segments

    def _params(self, uniforms: Tensor, shape: ClipShape) -> FrameMask:
        masked = uniforms.argsort(1)[:, : self.masked]
        keep = uniforms.new_ones(len(uniforms), self.segments).scatter(1, masked, 0.0)
        return FrameMask(keep.index_select(1, segment_numbers(shape, self.segments, uniforms.device)))


@define(frozen=True)
class FrameDrop(Augmentation):
    """Frame drop: random frames set to zero, each independently.

    Attributes:
        ratio: Number of frames as a share of the clip, rounded; the same for every clip.
    """

    hides: ClassVar[bool] = True
    ratio: float = field(default=0.2, converter=float, validator=[ge(0), le(1)])

    def _param_uniforms(self, shape: ClipShape) -> int:
        return shape.frames

    def _params(self, uniforms: Tensor, shape: ClipShape) -> FrameMask:
        dropped = uniforms.argsort(1)[:, : round(self.ratio * shape.frames)]
        return FrameMask(torch.ones_like(uniforms).scatter(1, dropped, 0.0))


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


MaskKind = Literal["uniform", "motion", "tubes"]
_TUBES = 64
_TINY = 1e-10


class TokenMask(NamedTuple):
    """Token mask: the tokens of each body that are seen, and those that are hidden.

    Attributes:
        keep: (B, K) int64 indices of the tokens seen, those of lowest score first.
        hidden: (B, L), true where a token is hidden.
    """

    keep: Tensor
    hidden: Tensor


def token_mask(
    bodies: Tensor,
    uniforms: Tensor,
    *,
    tubelet: int,
    keep: int,
    kind: MaskKind = "motion",
    temperature: float = 0.8,
    layout: SkeletonLayout | str | None = None,
) -> TokenMask:
    """Random mask of joint-time tokens, each body its own, that leaves as many tokens to all of them.

    A token is ``tubelet`` frames of one joint; token t * V + v is joint v at time t. Every kind gives the
    tokens a score and keeps those of lowest score.

    - ``uniform``: all tokens alike, as in MAE (He et al., CVPR 2022).
    - ``motion``: moving tokens are hidden more often (MAMP, Mao et al., ICCV 2023): a token's score is the
      logarithm of the softmax of its motion, see `token_motion`, plus Gumbel noise.
    - ``tubes``: neighbours are hidden together: random tubes of some joints that follow each other in one
      part of the layout, over some time steps, until enough is hidden. After SLiM (arXiv 2603.10648), whose
      masks differ in size. Of the last tube random tokens are hidden, as many as are wanted.

    Args:
        bodies: (B, C, T, V), coordinates; T a multiple of ``tubelet``.
        uniforms: (B, `token_uniforms`) random numbers in [0, 1).
        tubelet: Frames of a token.
        keep: Tokens that each body keeps.
        kind: How tokens are chosen.
        temperature: motion: how evenly tokens are hidden. The lower, the more those that move.
        layout: tubes: the joints.

    Raises:
        ValueError: If the frames are no multiple of ``tubelet``, ``keep`` is not between 1 and the number of
            tokens, there is no such kind, the temperature is not positive, or the uniforms do not fit; for
            ``tubes`` if there is no layout, it has other joints or no parts.
    """
    motion = token_motion(bodies, tubelet)
    tokens = motion.shape[1]
    if not 1 <= keep <= tokens:
        raise ValueError(f"keep must lie between 1 and the {tokens} tokens, got {keep}")
    joints = bodies.shape[3]
    wanted = (len(bodies), token_uniforms(kind, tokens))
    if uniforms.shape != wanted:
        raise ValueError(f"expected uniforms {wanted} for kind {kind!r}, got {tuple(uniforms.shape)}")
    if kind == "uniform":
        score = uniforms
    elif kind == "motion":
        score = _motion_score(motion, uniforms, temperature)
    else:
        if layout is None:
            raise ValueError("kind 'tubes' needs the layout, for its parts")
        layout = get_layout(layout)
        if layout.num_joints != joints:
            raise ValueError(f"layout {layout.name!r} has {layout.num_joints} joints, the bodies {joints}")
        score = _tube_score(uniforms, layout, tokens // joints)
    kept = score.argsort(stable=True, dim=1)[:, :keep]
    hidden = torch.ones_like(score, dtype=torch.bool).scatter(1, kept, False)
    return TokenMask(kept, hidden)


def token_motion(bodies: Tensor, tubelet: int) -> Tensor:
    """Motion of joint-time tokens: the mean absolute step from the token before, as in MAMP.

    Tokens of the first step have the motion of those of the second.

    Args:
        bodies: (B, C, T, V), coordinates; T a multiple of ``tubelet``.
        tubelet: Frames of a token.

    Returns:
        (B, T / tubelet * V), in single precision at least.

    Raises:
        ValueError: If there are no such bodies, or the frames are no multiple of ``tubelet``.
    """
    if bodies.ndim != 4 or tubelet < 1 or bodies.shape[2] == 0 or bodies.shape[2] % tubelet:
        raise ValueError(
            f"expected bodies (B, C, T, V), T a multiple of tubelet {tubelet}, got {tuple(bodies.shape)}"
        )
    points = bodies.to(torch.promote_types(bodies.dtype, torch.float32))
    count, channels, frames, joints = points.shape
    tokens = points.reshape(count, channels, frames // tubelet, tubelet, joints)
    step = tokens.diff(dim=2).abs().mean((1, 3))  # (B, T' - 1, V)
    first = step[:, :1] if step.shape[1] else step.new_zeros(count, 1, joints)
    return torch.cat([first, step], 1).flatten(1)


def token_uniforms(kind: MaskKind, tokens: int) -> int:
    """Number of uniform numbers that `token_mask` takes for each body with this number of tokens.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in ("uniform", "motion", "tubes"):
        raise ValueError(f"kind must be uniform, motion or tubes, got {kind!r}")
    return tokens + 5 * _TUBES if kind == "tubes" else tokens


def _motion_score(motion: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    relative = motion / (temperature * motion.amax(1, keepdim=True) + _TINY)
    gumbel = -torch.log(-torch.log(uniforms + _TINY) + _TINY)
    return relative.log_softmax(1) + gumbel


def _tube_score(uniforms: Tensor, layout: SkeletonLayout, steps: int) -> Tensor:
    """Minus the order in which tubes hide the tokens, (B, L)."""
    device, joints = uniforms.device, layout.num_joints
    sizes = part_members(layout, 1).sum(1).to(device, torch.int64)
    # place of each joint in the list of a part; one that is not in it has a place that no tube reaches
    places = torch.full((len(layout.parts), joints), 2 * joints)
    for row, (_, members) in zip(places, layout.parts, strict=True):
        row[list(members)] = torch.arange(len(members))
    draws = uniforms[:, : 5 * _TUBES].reshape(-1, 5, _TUBES).unbind(1)
    part = choice(draws[0], len(sizes)).long()
    width = choice(draws[1], sizes[part]).long() + 1
    left = choice(draws[2], sizes[part] - width + 1).long()
    height = choice(draws[3], steps).long() + 1
    start = choice(draws[4], steps - height + 1).long()
    place = places.to(device)[part]  # (B, tubes, V)
    inside = (place >= left[..., None]) & (place < (left + width)[..., None])
    time = torch.arange(steps, device=device)
    during = (time >= start[..., None]) & (time < (start + height)[..., None])
    covered = (during[..., :, None] & inside[..., None, :]).flatten(2)  # (B, tubes, L)
    order = torch.where(covered.any(1), covered.int().argmax(1), _TUBES)
    return -order - uniforms[:, 5 * _TUBES :]
