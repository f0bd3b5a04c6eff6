"""ISC (Thoker et al., ACM MM 2021, arXiv 2108.03656): inter-skeleton contrast of two representations.

Two encoders see the same views, one as a sequence and one as a graph. The query of each looks for the key of
the other, among the other's keys of past clips.
"""

from collections.abc import Mapping
from typing import Any

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext, build_encoder
from skel_ssl_objectives import Queue, Teacher, contrast, info_nce, mlp_head


@define(frozen=True)
class ISCSettings:
    """Settings of `ISC`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice, for query and key; both encoders see the same draws.
        partner: Name of the second encoder, which is not kept.
        partner_settings: Arguments of its constructor.
        queue_size: Keys of past clips in each of the two queues; 0 to scale them to the training set.
        temperature: Softmax temperature of both contrasts.
        momentum: EMA momentum of the key encoders.
        projection_dim: Dimension in which views are compared.
        batch_norm: Normalise within the projectors; the paper does not.
    """

    view: View = preset("isc.view")
    partner: str = "agcn"
    partner_settings: Mapping[str, Any] = field(factory=dict)
    queue_size: int = 16384
    temperature: float = field(default=0.07, validator=validators.gt(0))
    momentum: float = field(default=0.999, validator=[validators.ge(0), validators.le(1)])
    projection_dim: int = 128
    batch_norm: bool = False

    def build(self, encoder: Any, context: MethodContext) -> "ISC":
        """The method around a fresh encoder.

        Raises:
            ValueError: If there is no such partner, or it has no such setting.
        """
        partner = build_encoder(self.partner, context.shape, context.stream, **self.partner_settings)
        return ISC(self, encoder, partner, context)


class ISC(nn.Module):
    """Two encoders, each with a key encoder and a queue, whose contrasts are crossed."""

    def __init__(self, settings: ISCSettings, encoder: Any, partner: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        dim, size = settings.projection_dim, context.queue_size(settings.queue_size)

        def head(of: Any) -> nn.Module:
            return mlp_head(of.feature_dim, of.feature_dim, dim, batch_norm=settings.batch_norm)

        self.encoder, self.partner = encoder, partner
        self.projector, self.partner_projector = head(encoder), head(partner)
        self.teacher: Any = nn.ModuleList(map(Teacher, self._students()))
        self.queue: Any = nn.ModuleList(Queue(size, dim, gather=context.world.gather) for _ in range(2))

    def _students(self) -> list[nn.Module]:
        return [
            nn.Sequential(self.encoder, self.projector),
            nn.Sequential(self.partner, self.partner_projector),
        ]

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s = self.settings
        query_view, key_view = self.context.views(clips, [s.view, s.view], generator)
        students = self._students()
        for teacher, student in zip(self.teacher, students, strict=True):
            teacher.follow(student, s.momentum)
        queries = [student(query_view) for student in students]
        keys = [teacher(key_view) for teacher in self.teacher]
        # Copies, because the queues change before the backward pass reads them.
        negatives = [queue.keys.clone() for queue in self.queue]
        own, partner = (
            info_nce(contrast(query, key, queue, temperature=s.temperature))
            for query, key, queue in zip(queries, reversed(keys), reversed(negatives), strict=True)
        )
        for queue, key in zip(self.queue, keys, strict=True):
            queue.push(key)
        return {"loss": own + partner, "own": own, "partner": partner}
