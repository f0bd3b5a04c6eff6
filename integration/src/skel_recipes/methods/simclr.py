"""SimCLR on skeletons (Chen et al., ICML 2020): two views of a clip agree, all other clips repel.

No teacher, no queue: the simplest contrast, and the quickest on small sets.
"""

from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import mlp_head, nt_xent


@define(frozen=True)
class SimCLRSettings:
    """Settings of `SimCLR`.

    Attributes:
        view: The view that is drawn twice.
        temperature: Softmax temperature of NT-Xent.
        hidden_dim: Width of the projector.
        projection_dim: Dimension in which views are compared.
    """

    view: View = preset("compact.view")
    temperature: float = field(default=0.1, validator=validators.gt(0))
    hidden_dim: int = 512
    projection_dim: int = 128

    def build(self, encoder: Any, context: MethodContext) -> "SimCLR":
        """The method around a fresh encoder."""
        return SimCLR(self, encoder, context)


class SimCLR(nn.Module):
    """Two views, one encoder, NT-Xent within the batch."""

    def __init__(self, settings: SimCLRSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        self.projector = mlp_head(
            encoder.feature_dim, settings.hidden_dim, settings.projection_dim, batch_norm=True
        )

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        view, world = self.settings.view, self.context.world
        views = self.context.views(clips, [view, view], generator)
        first, second = self.projector(self.encoder(torch.cat(views))).chunk(2)
        temperature = self.settings.temperature
        return {"loss": nt_xent(first, second, temperature=temperature, gather=world.gather, rank=world.rank)}
