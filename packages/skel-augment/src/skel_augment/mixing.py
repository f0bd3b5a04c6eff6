"""Mixing of clips with others of their batch."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, instance_of
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.params import Params
from skel_augment.segments import part_members, segment_numbers
from skel_augment.uniforms import choice
from skel_data import ClipShape


@dataclass(frozen=True, eq=False, slots=True)
class Mix(Params):
    """Mix: a region of each clip replaced by the same region of another clip of the batch.

    Attributes:
        partner: (N,) integers: the clip that the region is taken from.
        region: (N, T, V) true where joint v of frame t is the partner's, in all channels and bodies.
    """

    partner: Tensor
    region: Tensor

    @property
    def share(self) -> Tensor:
        """(N,) how much of a clip is its partner's, from 0 to 1."""
        return self.region.to(torch.float32).mean((1, 2))

    def apply(self, clips: Tensor) -> Tensor:
        others = clips.index_select(0, self.partner)
        return torch.where(self.region[:, None, :, :, None], others, clips)

    def where(self, gate: Tensor) -> "Mix":
        return replace(self, region=self.region & gate[:, None, None])


@define(frozen=True)
class PartMix(Augmentation):
    """Part mix: body parts of one clip, for some time, put into another one (SkeleMix, 2207.03065).

    Each clip has a partner in its batch, the one so many rows further on; nobody is left alone or
    taken twice. `Mix.share` says how much of a clip is its partner's, `Mix.region` which part. The draw
    of the region is that of any other augmentation; who is whose partner depends on the batch.

    Attributes:
        parts: (low, high): number of the layout's parts that are exchanged, both included.
        segments: Frame t belongs to segment ``t * segments // T``.
        window: (low, high): number of consecutive segments in which they are exchanged, both included.
    """

    hides: ClassVar[bool] = True
    parts: tuple[int, ...] = field(default=(2, 3), converter=tuple)
    segments: int = field(default=16, validator=[instance_of(int), ge(1)])
    window: tuple[int, ...] = field(default=(7, 11), converter=tuple)

    def __attrs_post_init__(self) -> None:
        for name, pair in (("parts", self.parts), ("window", self.window)):
            if len(pair) != 2 or not 0 <= pair[0] <= pair[1] or not all(isinstance(n, int) for n in pair):
                raise ValueError(f"{name} must be (low, high), whole with 0 <= low <= high, got {pair}")
        if self.window[1] > self.segments:
            raise ValueError(f"window must not exceed segments = {self.segments}, got {self.window}")

    def _param_uniforms(self, shape: ClipShape) -> int:
        return 4 + len(part_members(shape.layout, self.parts[1]))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Mix:
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
        return Mix(partner, frames[:, :, None] & joints[:, None])
