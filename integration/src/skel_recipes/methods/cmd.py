"""CMD (Mao et al., ECCV 2022, arXiv 2208.12448): streams teach each other how similar clips are.

Each stream learns as in MoCo. From the first step each is also taught by every other stream: it must see the
clips that are nearest in the other's queue at the distances at which the other's key sees them.
"""

from typing import Any, ClassVar

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Queue, Teacher, cmd, contrast, info_nce, mlp_head


@define(frozen=True)
class CMDSettings:
    """Settings of `CMD`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice, for query and key; all streams see the same draws.
        neighbors: Queue entries that a stream teaches another.
        weight: Weight of the distillation.
        student_temperature: Softmax temperature of the stream that is taught.
        teacher_temperature: Softmax temperature of the stream that teaches.
        queue_size: Keys of past clips in each queue; 0 to scale the queues to the training set.
        temperature: Of InfoNCE.
        momentum: EMA momentum of the key encoders.
        projection_dim: Dimension in which views are compared.
        batch_norm: Normalise within the projectors; the paper does not.
    """

    cross_stream: ClassVar[bool] = True

    view: View = preset("isc.view")
    neighbors: int = 8192
    weight: float = field(default=1.0, validator=validators.ge(0))
    student_temperature: float = field(default=0.1, validator=validators.gt(0))
    teacher_temperature: float = field(default=0.05, validator=validators.gt(0))
    queue_size: int = 16384
    temperature: float = field(default=0.07, validator=validators.gt(0))
    momentum: float = field(default=0.999, validator=[validators.ge(0), validators.le(1)])
    projection_dim: int = 128
    batch_norm: bool = False

    def build(self, encoder: nn.ModuleDict, context: MethodContext) -> "CMD":
        """The method around fresh encoders, one for each stream.

        Raises:
            ValueError: If there are more neighbours than keys in a queue.
        """
        size = context.queue_size(self.queue_size)
        if not 1 <= self.neighbors <= size:
            raise ValueError(
                f"method.neighbors must be from 1 to the queue's {size} keys, got {self.neighbors}"
            )
        return CMD(self, encoder, context)


class CMD(nn.Module):
    """A MoCo for each stream, and distillation between all of them."""

    def __init__(self, settings: CMDSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        self.projector: Any = nn.ModuleDict()
        for name in context.streams:
            dim = encoder[name].feature_dim
            self.projector[name] = mlp_head(dim, dim, settings.projection_dim, batch_norm=settings.batch_norm)
        self.teacher: Any = nn.ModuleDict({name: Teacher(self._student(name)) for name in context.streams})
        size, gather = context.queue_size(settings.queue_size), context.world.gather
        self.queue: Any = nn.ModuleDict(
            {name: Queue(size, settings.projection_dim, gather=gather) for name in context.streams}
        )

    def _student(self, name: str) -> nn.Module:
        return nn.Sequential(self.encoder[name], self.projector[name])

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s, streams = self.settings, self.context.streams
        query_view, key_view = self.context.views_by_stream(clips, [s.view, s.view], generator)
        queries, keys, negatives = [], [], []
        for name in streams:
            student, teacher = self._student(name), self.teacher[name]
            teacher.follow(student, s.momentum)
            queries.append(student(query_view[name]))
            keys.append(teacher(key_view[name]))
            # A copy, because the queue changes before the backward pass reads it.
            negatives.append(self.queue[name].keys.clone())
            self.queue[name].push(keys[-1])
        contrasts = [
            info_nce(contrast(*each, temperature=s.temperature))
            for each in zip(queries, keys, negatives, strict=True)
        ]
        distil = cmd(
            queries,
            keys,
            negatives,
            k=s.neighbors,
            student_temperature=s.student_temperature,
            teacher_temperature=s.teacher_temperature,
        )
        distillation = torch.stack(distil).sum()
        loss = torch.stack(contrasts).sum() + s.weight * distillation
        return {"loss": loss, **dict(zip(streams, contrasts, strict=True)), "distillation": distillation}
