"""AimCLR (Guo et al., AAAI 2022, arXiv 2112.03590): learn from extreme views without trusting them.

The normal query contrasts with keys as in SkeletonCLR. The extreme query, and the same with what it
attends to most dropped, only have to see the keys at the distances at which the normal query sees
them. Later the nearest neighbours of all three in the queue count as positives too.
"""

from typing import Any, Literal

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import (
    Queue,
    Teacher,
    attention_drop,
    contrast,
    d3m,
    info_nce,
    mlp_head,
    nearest_neighbors,
)


@define(frozen=True)
class AimCLRSettings:
    """Settings of `AimCLR`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice, for query and key.
        extreme: The view of the extreme query.
        mining_epoch: Epochs before nearest neighbours count as positives.
        neighbors: Neighbours mined per query.
        positives: How key and neighbours count together. each: the mean of their logarithms, as in the
            released program. sum: the logarithm of their sum, as in the paper. (What the second view is
            drawn of is ``data.positives``.)
        keep: Attention above which features are dropped.
        queue_size: Keys of past clips to contrast with; 0 to scale the queue to the training set.
        temperature: Softmax temperature of all similarities.
        momentum: EMA momentum of the key encoder.
        projection_dim: Dimension in which views are compared.
        batch_norm: Normalise within the projector. The papers do not; it helps where steps are few, since
            pooled features of different clips begin almost parallel.
    """

    view: View = preset("aimclr.normal")
    extreme: View = preset("aimclr.extreme")
    mining_epoch: int = 150
    neighbors: int = 1
    positives: Literal["each", "sum"] = "each"
    keep: float = 0.7
    queue_size: int = 32768
    temperature: float = field(default=0.07, validator=validators.gt(0))
    momentum: float = field(default=0.999, validator=[validators.ge(0), validators.le(1)])
    projection_dim: int = 128
    batch_norm: bool = False

    def build(self, encoder: Any, context: MethodContext) -> "AimCLR":
        """The method around a fresh encoder."""
        return AimCLR(self, encoder, context)


class AimCLR(nn.Module):
    """SkeletonCLR with extreme views, attention drop, D3M and nearest-neighbour mining."""

    def __init__(self, settings: AimCLRSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        self.projector = mlp_head(
            encoder.feature_dim, encoder.feature_dim, settings.projection_dim, batch_norm=settings.batch_norm
        )
        self.teacher = Teacher(nn.Sequential(encoder, self.projector))
        self.queue = Queue(
            context.queue_size(settings.queue_size), settings.projection_dim, gather=context.world.gather
        )

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        s = self.settings
        query_view, key_view, extreme_view = self.context.views(clips, [s.view, s.view, s.extreme], generator)
        self.teacher.follow(nn.Sequential(self.encoder, self.projector), s.momentum)
        query = self.projector(self.encoder(query_view))
        features = self.encoder.forward_features(extreme_view)
        extreme = self.projector(self.encoder.pool(features))
        features = attention_drop(features, threshold=s.keep, gather=self.context.world.gather)
        dropped = self.projector(self.encoder.pool(features))
        key = self.teacher(key_view)

        # A copy, because the queue changes before the backward pass reads it.
        keys = self.queue.keys.clone()
        normal, extreme, dropped = (
            contrast(view, key, keys, temperature=s.temperature) for view in (query, extreme, dropped)
        )
        self.queue.push(key)
        mining = epoch >= s.mining_epoch
        positives = nearest_neighbors([normal, extreme, dropped], k=s.neighbors) if mining else None
        nce = info_nce(normal, positives, over_positives=s.positives)
        divergence = (d3m(extreme, normal) + d3m(dropped, normal)) / 2
        return {"loss": nce + divergence, "nce": nce, "d3m": divergence}
