"""UmURL (Sun et al., ACM MM 2023, arXiv 2311.03106): one encoder for joints, motion and bones, fused early.

Each modality is seen in a view of its own, and all of them, fused, in another. What the fused feature says
of a modality agrees with that modality alone, and the modalities agree with each other. No teacher, no
queue and no negatives.
"""

from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_encoders import UmURL as Encoder
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import mlp_head, umurl


@define(frozen=True)
class UmURLSettings:
    """Settings of `UmURL`; the defaults are the paper's.

    Attributes:
        view: The view that is drawn for each modality, and again for all of them.
        consistency_weight: Weight of the distances within and between modalities.
        variance_weight: Weight of the variance term.
        covariance_weight: Weight of the covariance term.
        projection_dim: Dimension in which modalities are compared.
    """

    view: View = preset("umurl.view")
    consistency_weight: float = field(default=5.0, validator=validators.ge(0))
    variance_weight: float = field(default=5.0, validator=validators.ge(0))
    covariance_weight: float = field(default=1.0, validator=validators.ge(0))
    projection_dim: int = 4096

    def build(self, encoder: Any, context: MethodContext) -> "UmURL":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder is another one, or the stream is not that of the joints.
        """
        if not isinstance(encoder, Encoder):
            raise ValueError(f"method umurl needs encoder umurl, got {type(encoder).__name__}")
        if context.stream != "joint":
            raise ValueError(
                f"method umurl makes its modalities of data.stream 'joint', got {context.stream!r}; "
                "choose them by encoder.modalities"
            )
        return UmURL(self, encoder, context)


class UmURL(nn.Module):
    """A view in each modality and one in all, one encoder, and a projector for each modality."""

    def __init__(self, settings: UmURLSettings, encoder: Encoder, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        dim = encoder.feature_dim
        self.projector = nn.ModuleDict(
            {
                name: mlp_head(dim, dim, settings.projection_dim, layers=3, batch_norm=True)
                for name in encoder.modalities
            }
        )

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s, encoder, names = self.settings, self.encoder, self.encoder.modalities
        context = self.context.for_stream("+".join(names))
        views = context.views_by_stream(clips, [s.view] * (len(names) + 1), generator)
        tokens = [encoder.embed({name: view[name]}) for name, view in zip(names, views, strict=False)]
        tokens.append(encoder.embed(views[-1]))
        *single, fused = encoder.pool(encoder.encode(torch.cat(tokens))).chunk(len(tokens))
        # batches go through a projector one by one: its BatchNorm is over clips, not over views
        terms = umurl(
            [self.projector[name](feature) for name, feature in zip(names, single, strict=True)],
            [self.projector[name](fused) for name in names],
            consistency_weight=s.consistency_weight,
            variance_weight=s.variance_weight,
            covariance_weight=s.covariance_weight,
            gather=context.world.gather,
        )
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}
