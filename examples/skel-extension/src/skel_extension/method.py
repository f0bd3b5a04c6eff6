"""SimCLR on projections of which the batch mean is taken away."""

from typing import Any

import torch
from attrs import define
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes import MethodContext
from skel_ssl_objectives import mlp_head, nt_xent


@define(frozen=True)
class MeanSimCLRSettings:
    """Settings of `MeanSimCLR`.

    Attributes:
        view: The view that is drawn twice.
        projection_dim: Dimension in which views are compared.
    """

    view: View = preset("compact.view")
    projection_dim: int = 16

    def build(self, encoder: Any, context: MethodContext) -> "MeanSimCLR":
        """The method around a fresh encoder."""
        return MeanSimCLR(self, encoder, context)


class MeanSimCLR(nn.Module):
    """Two views, one encoder, NT-Xent on centred projections."""

    def __init__(self, settings: MeanSimCLRSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context, self.encoder = settings, context, encoder
        self.projector = mlp_head(encoder.feature_dim, encoder.feature_dim, settings.projection_dim)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M)."""
        views = self.context.views(clips, [self.settings.view] * 2, generator)
        first, second = (self.projector(self.encoder(view)) for view in views)
        return {"loss": nt_xent(first - first.mean(0), second - second.mean(0), temperature=0.2)}
