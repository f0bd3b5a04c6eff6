"""SkeletonCLR (Li et al., CVPR 2021, arXiv 2104.14466): MoCo v2 on skeletons."""

from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Queue, Teacher, contrast, info_nce, mlp_head


@define(frozen=True)
class SkeletonCLRSettings:
    """Settings of `SkeletonCLR`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice, for query and key.
        queue_size: Keys of past clips to contrast with; 0 to scale the queue to the training set.
        temperature: Of InfoNCE.
        momentum: EMA momentum of the key encoder.
        projection_dim: Dimension in which views are compared.
        batch_norm: Normalise within the projector. The papers do not; it helps where steps are few, since
            pooled features of different clips begin almost parallel.
    """

    view: View = preset("aimclr.normal")
    queue_size: int = 32768
    temperature: float = field(default=0.07, validator=validators.gt(0))
    momentum: float = field(default=0.999, validator=[validators.ge(0), validators.le(1)])
    projection_dim: int = 128
    batch_norm: bool = False

    def build(self, encoder: Any, context: MethodContext) -> "SkeletonCLR":
        """The method around a fresh encoder."""
        return SkeletonCLR(self, encoder, context)


class SkeletonCLR(nn.Module):
    """A query encoder, a key encoder that follows it, and a queue of keys."""

    def __init__(self, settings: SkeletonCLRSettings, encoder: Any, context: MethodContext) -> None:
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
        del epoch
        s = self.settings
        query_view, key_view = self.context.views(clips, [s.view, s.view], generator)
        self.teacher.follow(nn.Sequential(self.encoder, self.projector), s.momentum)
        query = self.projector(self.encoder(query_view))
        key = self.teacher(key_view)
        # A copy, because the queue changes before the backward pass reads it.
        logits = contrast(query, key, self.queue.keys.clone(), temperature=s.temperature)
        self.queue.push(key)
        return {"loss": info_nce(logits)}
