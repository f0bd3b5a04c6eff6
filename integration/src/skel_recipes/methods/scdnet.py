"""SCD-Net (Wu et al., AAAI 2024, arXiv 2309.05834): temporal and spatial clues apart, the whole as anchor.

The encoder gives a temporal and a spatial feature; both together are the instance's. Queries of one
domain look for the key of another: temporal and spatial ones for the instance's, the instance's for both.
"""

from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_encoders import SCDEncoder
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Clues, Queue, Teacher, mlp_head, scd


@define(frozen=True)
class SCDNetSettings:
    """Settings of `SCDNet`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice, for query and key.
        queue_size: Keys of past clips in each of the three queues; 0 to scale them to the training set.
        temperature: Softmax temperature of all similarities.
        momentum: EMA momentum of the key encoder.
        projection_dim: Dimension in which clues are compared.
        batch_norm: Normalise within the projectors; the paper does not.
    """

    view: View = preset("scd.view")
    queue_size: int = 8192
    temperature: float = field(default=0.2, validator=validators.gt(0))
    momentum: float = field(default=0.999, validator=[validators.ge(0), validators.le(1)])
    projection_dim: int = 128
    batch_norm: bool = False

    def build(self, encoder: Any, context: MethodContext) -> "SCDNet":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder is not one of two paths.
        """
        if not isinstance(encoder, SCDEncoder):
            raise ValueError(f"method scdnet needs encoder scd, of two paths, got {type(encoder).__name__}")
        return SCDNet(self, encoder, context)


class SCDNet(nn.Module):
    """Interactive contrast between the clues of query and key, with a queue for each domain."""

    def __init__(self, settings: SCDNetSettings, encoder: SCDEncoder, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.student = _Clues(encoder, settings.projection_dim, batch_norm=settings.batch_norm)
        self.teacher = Teacher(self.student)
        size, gather = context.queue_size(settings.queue_size), context.world.gather
        self.queues: Any = nn.ModuleDict(
            {domain: Queue(size, settings.projection_dim, gather=gather) for domain in Clues._fields}
        )

    @property
    def encoder(self) -> SCDEncoder:
        """The encoder that is kept in the end."""
        return self.student.encoder

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s = self.settings
        query_view, key_view = self.context.views(clips, [s.view, s.view], generator)
        self.teacher.follow(self.student, s.momentum)
        queries: Clues = self.student(query_view)
        keys: Clues = self.teacher(key_view)
        # Copies, because the queues change before the backward pass reads them.
        negatives = Clues(*(queue.keys.clone() for queue in self.queues.values()))
        terms = scd(queries, keys, negatives, temperature=s.temperature)
        for queue, key in zip(self.queues.values(), keys, strict=True):
            queue.push(key)
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}


class _Clues(nn.Module):
    """An encoder of two paths with a projector for each domain."""

    def __init__(self, encoder: SCDEncoder, dim: int, *, batch_norm: bool) -> None:
        super().__init__()
        half = encoder.feature_dim // 2
        self.encoder = encoder
        self.temporal = mlp_head(half, half, dim, batch_norm=batch_norm)
        self.spatial = mlp_head(half, half, dim, batch_norm=batch_norm)
        self.instance = mlp_head(2 * half, half, dim, batch_norm=batch_norm)

    def forward(self, clips: Tensor) -> Clues:
        """Projections (N, D) in the three domains."""
        feature = self.encoder(clips)
        temporal, spatial = feature.chunk(2, dim=1)
        return Clues(self.temporal(temporal), self.spatial(spatial), self.instance(feature))
