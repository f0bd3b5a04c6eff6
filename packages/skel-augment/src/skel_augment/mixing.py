"""Mixing of clips with others of their batch."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of, le
from torch import Tensor

from skel_augment.augmentation import Augmentation, Params, choice
from skel_augment.segments import part_members, segment_numbers
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class Mix(Params):
    """Mix: a region of each clip replaced by the same region of another clip of the batch.

    Attributes:
        partner: (N,) integers: the clip that the region is taken from.
        region: (N, T, V) true where joint v of frame t is the partner's, in all channels and bodies; or how
            much of it is, from 0 to 1.
        frame: (N, T) integers: the frame of the partner that each frame takes; the same frame unless given.
    """

    partner: Tensor
    region: Tensor
    frame: Tensor | None = None

    @property
    def share(self) -> Tensor:
        """(N,) how much of a clip is its partner's, from 0 to 1."""
        return self.region.to(torch.float32).mean((1, 2))

    def apply(self, clips: Tensor) -> Tensor:
        others = clips.index_select(0, self.partner)
        if self.frame is not None:
            others = others.take_along_dim(self.frame[:, None, :, None, None], 2)
        region = self.region[:, None, :, :, None]
        if region.dtype == torch.bool:
            return torch.where(region, others, clips)
        region = region.to(clips.dtype)
        return clips * (1 - region) + others * region

    def where(self, gate: Tensor) -> "Mix":
        return replace(self, region=self.region * gate[:, None, None])


@define(frozen=True)
class PartMix(Augmentation):
    """Part mix: body parts of one clip, for some time, put into another one (SkeleMix, 2207.03065).

    Each clip has a partner in its batch, the clip this many rows after it; nobody is left alone or
    taken twice. `Mix.share` says how much of a clip is its partner's, `Mix.region` which part. The draw
    of the region is that of any other augmentation; who is whose partner depends on the batch.

    PCM3 (2308.03975) does two more things with some clips, a quarter each: it squeezes the partner's first
    frames, twice as many as are replaced, into their place, or it blends two whole clips.

    Attributes:
        parts: (low, high): number of the layout's parts that are exchanged, both included.
        segments: Frame t belongs to segment ``t * segments // T``.
        window: (low, high): number of consecutive segments in which they are exchanged, both included.
        squeezed: Probability that the parts are the partner's first frames at twice the speed.
        blended: Probability that the clip is instead a weighted mean of both, with a weight
            from 0 to 1 for the partner (mixup, Zhang et al., ICLR 2018).
    """

    hides: ClassVar[bool] = True
    parts: tuple[int, ...] = field(default=(2, 3), converter=tuple)
    segments: int = field(default=16, validator=[instance_of(int), ge(1)])
    window: tuple[int, ...] = field(default=(7, 11), converter=tuple)
    squeezed: float = field(default=0.0, converter=float, validator=[ge(0), le(1)])
    blended: float = field(default=0.0, converter=float, validator=[ge(0), le(1)])

    def __attrs_post_init__(self) -> None:
        for name, pair in (("parts", self.parts), ("window", self.window)):
            if len(pair) != 2 or not 0 <= pair[0] <= pair[1] or not all(isinstance(n, int) for n in pair):
                raise ValueError(f"{name} must be (low, high), whole with 0 <= low <= high, got {pair}")
        if self.window[1] > self.segments:
            raise ValueError(f"window must not exceed segments = {self.segments}, got {self.window}")
        if self.squeezed + self.blended > 1:
            raise ValueError(
                f"squeezed and blended must not exceed 1 together, got {self.squeezed} and {self.blended}"
            )

    def _param_uniforms(self, shape: ClipShape) -> int:
        more = 2 if self.squeezed or self.blended else 0
        return 4 + len(part_members(shape.layout, self.parts[1])) + more

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Mix:
        modes = None
        if self.squeezed or self.blended:
            uniforms, modes = uniforms[:, :-2], uniforms[:, -2:]
        shifts, counts, lengths, starts = uniforms[:, :4].unbind(1)
        rows = torch.arange(len(uniforms), device=uniforms.device)
        # One shift for all, so that nobody is taken twice; a clip that is alone is its own partner.
        partner = (rows + 1 + choice(shifts[:1], len(uniforms) - 1).long()) % max(len(uniforms), 1)

        low, high = self.parts
        count = low + choice(counts, high - low + 1)
        picked = uniforms[:, 4:].argsort(1) < count[:, None]
        members = part_members(shape.layout, high).to(uniforms.device, uniforms.dtype, non_blocking=True)
        joints = (picked[:, :, None] * members).sum(1) > 0

        low, high = self.window
        length = low + choice(lengths, high - low + 1)
        start = choice(starts, self.segments - length + 1)
        segment = segment_numbers(shape, self.segments, uniforms.device)
        frames = (start[:, None] <= segment) & (segment < (start + length)[:, None])
        region = frames[:, :, None] & joints[:, None]
        if modes is None:
            return Mix(partner, region)
        mode, share = modes[:, 0], modes[:, 1]
        blended = mode >= 1 - self.blended
        squeezed = ~blended & (mode >= 1 - self.blended - self.squeezed)
        weight = torch.where(blended[:, None, None], share[:, None, None], region.to(share.dtype))
        return Mix(partner, weight, _squeeze(frames, squeezed))


def _squeeze(frames: Tensor, squeezed: Tensor) -> Tensor:
    """Frame (N, T) of the partner for each frame: every second one from the first on, where it is squeezed.

    Args:
        frames: (N, T) true in a window, whose n frames become the partner's first 2 n, or all where it has no
            more.
        squeezed: (N,) whether that is so; the same frames elsewhere.
    """
    count = frames.sum(1, keepdim=True)
    place = frames.cumsum(1) - 1  # within the window
    taken = (2 * count).clamp(max=frames.shape[1])
    source = place.clamp(min=0) * taken // count.clamp(min=1)
    same = torch.arange(frames.shape[1], device=frames.device)
    return torch.where(squeezed[:, None] & frames, source, same)
