"""CrosSCLR (Li et al., CVPR 2021, arXiv 2104.14466): streams tell each other which clips are alike.

Each stream learns as in SkeletonCLR. Later every stream takes as positives, too, what another stream
finds nearest in the queue, and the streams' similarities to the queue are multiplied as context.
"""

from typing import Any, ClassVar, Literal

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Queue, Teacher, contrast, crossclr, info_nce, mlp_head


@define(frozen=True)
class CrosSCLRSettings:
    """Settings of `CrosSCLR`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice, for query and key; all streams see the same draws.
        cross_epoch: Epochs before streams learn from each other.
        neighbors: Positives that a stream takes from another.
        positives: How key and taken ones count together. each: the mean of their logarithms, as in the
            released program. sum: the logarithm of their sum, as in the paper. (What the second view is
            drawn of is ``data.positives``.)
        context: Whether products of similarities are appended.
        queue_size: Keys of past clips to contrast with; 0 to scale the queue to the training set.
        temperature: Softmax temperature of all similarities.
        momentum: EMA momentum of the key encoders.
        projection_dim: Dimension in which views are compared.
        batch_norm: Normalise within the projectors. The papers do not; it helps where steps are few, since
            pooled features of different clips begin almost parallel.
        shared_heads: As the released program has it: the projectors of all streams but the first are a layer
            followed by the projector of the first.
        stale_keys: As the released program has it: once streams learn from each other, only the key
            encoder of the motion stream still follows.
    """

    cross_stream: ClassVar[bool] = True

    view: View = preset("aimclr.normal")
    cross_epoch: int = 150
    neighbors: int = 1
    positives: Literal["each", "sum"] = "each"
    context: bool = True
    queue_size: int = 32768
    temperature: float = field(default=0.07, validator=validators.gt(0))
    momentum: float = field(default=0.999, validator=[validators.ge(0), validators.le(1)])
    projection_dim: int = 128
    batch_norm: bool = False
    shared_heads: bool = False
    stale_keys: bool = False

    def build(self, encoder: nn.ModuleDict, context: MethodContext) -> "CrosSCLR":
        """The method around fresh encoders, one for each stream."""
        return CrosSCLR(self, encoder, context)


class CrosSCLR(nn.Module):
    """A SkeletonCLR for each stream, and cross-view knowledge mining between them."""

    def __init__(self, settings: CrosSCLRSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        projector: dict[str, nn.Sequential] = {}
        for name in context.streams:
            dim = self.encoder[name].feature_dim
            if settings.shared_heads and projector:
                first = projector[context.streams[0]]
                projector[name] = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(inplace=True), first)
            else:
                projector[name] = mlp_head(dim, dim, settings.projection_dim, batch_norm=settings.batch_norm)
        self.projector: Any = nn.ModuleDict(projector)
        teachers = {name: Teacher(self._student(name)) for name in context.streams}
        if settings.shared_heads:  # what students share, teachers share
            heads: list[Any] = [teacher.module.get_submodule("1") for teacher in teachers.values()]
            for head in heads[1:]:
                head[-1] = heads[0]
        self.teacher: Any = nn.ModuleDict(teachers)
        size = context.queue_size(settings.queue_size)
        self.queue: Any = nn.ModuleDict(
            {
                name: Queue(size, settings.projection_dim, gather=context.world.gather)
                for name in context.streams
            }
        )

    def _student(self, name: str) -> nn.Module:
        return nn.Sequential(self.encoder[name], self.projector[name])

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        s = self.settings
        query_view, key_view = self.context.views_by_stream(clips, [s.view, s.view], generator)
        crossing = epoch >= s.cross_epoch
        for name in self.context.streams:
            if not (crossing and s.stale_keys and name != "motion"):
                self.teacher[name].follow(self._student(name), s.momentum)
        logits = {}
        for name in self.context.streams:
            query = self.projector[name](self.encoder[name](query_view[name]))
            key = self.teacher[name](key_view[name])
            # A copy, because the queue changes before the backward pass reads it.
            keys = self.queue[name].keys.clone()
            logits[name] = contrast(query, key, keys, temperature=s.temperature)
            self.queue[name].push(key)
        if crossing:
            views = list(logits.values())
            losses = crossclr(
                views,
                temperature=s.temperature,
                k=s.neighbors,
                context=s.context,
                over_positives=s.positives,
            )
        else:
            losses = [info_nce(own) for own in logits.values()]
        return {"loss": torch.stack(losses).sum(), **dict(zip(logits, losses, strict=True))}
