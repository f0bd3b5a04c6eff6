"""USDRL (Weng et al., AAAI 2025, arXiv 2412.09220) and USDRL+ (arXiv 2508.12586): VICReg in three domains.

Four views of a clip agree in their temporal, their spatial and their whole feature, and the dimensions
of each vary and keep apart. No teacher, no queue and no negatives.
"""

from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_encoders import DSTE, SCDEncoder
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import mlp_head, usdrl

_DOMAINS = ("temporal", "spatial", "instance")


@define(frozen=True)
class USDRLSettings:
    """Settings of `USDRL`; the defaults are those of USDRL+ for NTU-60.

    Attributes:
        view: The view that is drawn.
        views: How often it is drawn for each clip, 2 or more; the last one draws the others to it.
        similarity_weight: Weight of the distances between views.
        variance_weight: Weight of the variance term.
        covariance_weight: Weight of the covariance term.
        correlation_weight: Weight of the cross-correlation of views: 0 in USDRL+, 0.001 in USDRL.
        domain_weights: Weights of the temporal, the spatial and the instance domain.
        projection_dim: Width of the temporal and spatial projectors, and of the hidden layers of that of
            the instance, whose output is twice as wide.
    """

    view: View = preset("isc.view")
    views: int = field(default=4, validator=validators.ge(2))
    similarity_weight: float = field(default=5.0, validator=validators.ge(0))
    variance_weight: float = field(default=5.0, validator=validators.ge(0))
    covariance_weight: float = field(default=1.0, validator=validators.ge(0))
    correlation_weight: float = field(default=0.0, validator=validators.ge(0))
    domain_weights: tuple[float, float, float] = (0.5, 0.5, 1.0)
    projection_dim: int = 2048

    def build(self, encoder: Any, context: MethodContext) -> "USDRL":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder does not have a temporal and a spatial half.
        """
        if not isinstance(encoder, DSTE | SCDEncoder):
            raise ValueError(
                "method usdrl needs encoder dste or scd, of a temporal and a spatial half, got "
                f"{type(encoder).__name__}"
            )
        return USDRL(self, encoder, context)


class USDRL(nn.Module):
    """Several views, one encoder of two halves, and USDRL's decorrelation in each domain."""

    def __init__(self, settings: USDRLSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        dim, half = settings.projection_dim, encoder.feature_dim // 2
        sizes = {"temporal": (half, dim), "spatial": (half, dim), "instance": (2 * half, 2 * dim)}
        self.projectors: Any = nn.ModuleDict(
            {name: mlp_head(into, dim, out, layers=3, batch_norm=True) for name, (into, out) in sizes.items()}
        )

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s = self.settings
        views = self.context.views(clips, [s.view] * s.views, generator)
        whole = self.encoder(torch.cat(views))
        temporal, spatial = whole.chunk(2, dim=1)
        losses = {}
        for domain, weight, feature in zip(
            _DOMAINS, s.domain_weights, (temporal, spatial, whole), strict=True
        ):
            # views go through the projector one by one: its BatchNorm is over clips, not over views
            terms = usdrl(
                [self.projectors[domain](view) for view in feature.chunk(s.views)],
                similarity_weight=s.similarity_weight,
                variance_weight=s.variance_weight,
                covariance_weight=s.covariance_weight,
                correlation_weight=s.correlation_weight,
                gather=self.context.world.gather,
            )
            losses[domain] = weight * torch.stack(list(terms.values())).sum()
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}
