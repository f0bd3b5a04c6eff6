"""SkeletonBYOL (Liu et al., IEEE THMS 2024, arXiv 2307.07791): BYOL on skeletons, without negatives."""

from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Teacher, byol, mlp_head


@define(frozen=True)
class SkeletonBYOLSettings:
    """Settings of `SkeletonBYOL`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice.
        momentum: EMA momentum of the teacher.
        hidden_dim: Width of projector and predictor.
        projection_dim: Dimension in which views are compared.
        output_norm: Normalise projections over the batch. The paper does not; it helps where steps are few,
            since projections of different clips begin almost parallel, and a student that predicts what
            they have in common is hardly wrong.
    """

    view: View = preset("aimclr.normal")
    momentum: float = field(default=0.996, validator=[validators.ge(0), validators.le(1)])
    hidden_dim: int = 2048
    projection_dim: int = 512
    output_norm: bool = False

    def build(self, encoder: Any, context: MethodContext) -> "SkeletonBYOL":
        """The method around a fresh encoder."""
        return SkeletonBYOL(self, encoder, context)


class SkeletonBYOL(nn.Module):
    """From each view, a student predicts what its slower teacher makes of the other view."""

    objective = staticmethod(byol)

    def __init__(self, settings: SkeletonBYOLSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        hidden, dim = settings.hidden_dim, settings.projection_dim
        self.encoder = encoder
        self.projector = mlp_head(
            encoder.feature_dim, hidden, dim, batch_norm=True, output_norm=settings.output_norm
        )
        self.predictor = mlp_head(dim, hidden, dim, batch_norm=True)
        self.teacher = Teacher(nn.Sequential(encoder, self.projector))

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        view = self.settings.view
        views = self.context.views(clips, [view, view], generator)
        self.teacher.follow(nn.Sequential(self.encoder, self.projector), self.settings.momentum)
        predictions = [self.predictor(self.projector(self.encoder(seen))) for seen in views]
        targets = [self.teacher(seen) for seen in views]
        return {"loss": self.objective(*predictions, *targets)}
