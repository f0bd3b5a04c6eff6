"""HiCLR (Zhang et al., AAAI 2023, arXiv 2211.13466): hierarchical consistency of growing augmentations.

The query of the basic view contrasts with keys as in SkeletonCLR. The query of a stronger view only has to
see the keys at the distances at which the basic one sees them, and that of a view with hidden joints at
those of the strong one: each view learns from the next weaker one. Later the nearest neighbours of all three
in the queue count as positives too, as in AimCLR.
"""

from typing import Any

import torch
from attrs import define, field
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext, ends_in_masks
from skel_recipes.methods.skeletonclr import SkeletonCLR, SkeletonCLRSettings
from skel_ssl_objectives import contrast, d3m, info_nce, nearest_neighbors


@define(frozen=True)
class HiCLRSettings(SkeletonCLRSettings):
    """Settings of `HiCLR`: those of `SkeletonCLR` and more; the defaults are the paper's for NTU-60.

    Attributes:
        strong: The stronger view, which learns from ``view``.
        masked: The strongest view, which learns from ``strong``. A learned number stands for the joints that
            it hides.
        mining_epoch: Epochs before nearest neighbours count as positives.
        neighbors: Neighbours mined per query.
    """

    view: View = preset("hiclr.basic")
    strong: View = preset("hiclr.normal")
    masked: View = field(default=preset("hiclr.masked"), validator=ends_in_masks)
    mining_epoch: int = 150
    neighbors: int = 1

    def build(self, encoder: Any, context: MethodContext) -> "HiCLR":
        """The method around a fresh encoder."""
        return HiCLR(self, encoder, context)


class HiCLR(SkeletonCLR):
    """SkeletonCLR with a chain of stronger views and nearest-neighbour mining."""

    settings: HiCLRSettings

    def __init__(self, settings: HiCLRSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__(settings, encoder, context)
        self.mask_value = nn.Parameter(torch.zeros(()))

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        s = self.settings
        query_view, key_view, strong_view = self.context.views(clips, [s.view, s.view, s.strong], generator)
        shown, visible = self.context.masked_view(clips, s.masked, generator)
        masked_view = torch.where(visible, shown, self.mask_value.to(shown.dtype))
        student = nn.Sequential(self.encoder, self.projector)
        self.teacher.follow(student, s.momentum)
        queries = [student(view) for view in (query_view, strong_view, masked_view)]
        key = self.teacher(key_view)
        # A copy, because the queue changes before the backward pass reads it.
        keys = self.queue.keys.clone()
        basic, strong, masked = (contrast(query, key, keys, temperature=s.temperature) for query in queries)
        self.queue.push(key)
        mining = epoch >= s.mining_epoch
        positives = nearest_neighbors([basic, strong, masked], k=s.neighbors) if mining else None
        nce = info_nce(basic, positives)
        chain = (d3m(strong, basic) + d3m(masked, strong)) / 2
        return {"loss": nce + chain, "nce": nce, "chain": chain}
