"""VICReg on skeletons (Bardes et al., ICLR 2022, arXiv 2105.04906): views agree, and dimensions keep apart.

No teacher, no queue and no negatives: every dimension has to vary over the batch and no two may say the
same, so that features cannot collapse.
"""

from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import mlp_head, vicreg


@define(frozen=True)
class VICRegSettings:
    """Settings of `VICReg`.

    Attributes:
        view: The view that is drawn.
        views: How often it is drawn for each clip, 2 or more.
        invariance_weight: Weight of the distance of the views to their mean.
        variance_weight: Weight of the variance term.
        covariance_weight: Weight of the covariance term.
        projection_dim: Width of all three layers of the projector.
    """

    view: View = preset("compact.view")
    views: int = field(default=2, validator=validators.ge(2))
    invariance_weight: float = field(default=10.0, validator=validators.ge(0))
    variance_weight: float = field(default=5.0, validator=validators.ge(0))
    covariance_weight: float = field(default=1.0, validator=validators.ge(0))
    projection_dim: int = 1024

    def build(self, encoder: Any, context: MethodContext) -> "VICReg":
        """The method around a fresh encoder."""
        return VICReg(self, encoder, context)


class VICReg(nn.Module):
    """Several views, one encoder, and VICReg on their projections."""

    def __init__(self, settings: VICRegSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        dim = settings.projection_dim
        self.projector = mlp_head(encoder.feature_dim, dim, dim, layers=3, batch_norm=True)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s = self.settings
        views = self.context.views(clips, [s.view] * s.views, generator)
        projections = self.projector(self.encoder(torch.cat(views))).chunk(s.views)
        terms = vicreg(
            projections,
            invariance_weight=s.invariance_weight,
            variance_weight=s.variance_weight,
            covariance_weight=s.covariance_weight,
            gather=self.context.world.gather,
        )
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}
