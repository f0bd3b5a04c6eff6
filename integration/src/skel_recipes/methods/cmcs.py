"""CMCS (Liu et al., IEEE THMS 2024, arXiv 2307.07791): cross-model, then cross-stream learning.

Each stream learns by CMAL. Later, clips of the batch that are near in both directions and in most
streams become pseudo labels, which every stream learns too (CSCL).
"""

from typing import Any, ClassVar, Literal

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Teacher, TwoViews, cmal, cscl, mlp_head


@define(frozen=True)
class CMCSSettings:
    """Settings of `CMCS`; the defaults are the paper's for NTU-60.

    Attributes:
        view: The view that is drawn twice; all streams see the same draws.
        cross_epoch: Epochs before streams learn from each other.
        neighbors: Nearest clips of the batch that count in a direction.
        agree: Streams that must agree on a pseudo label.
        positives: How the pseudo labels of a clip count together. each: the sum of their logarithms, as in
            the released program. sum: the logarithm of their sum. (What the second view is drawn of is
            ``data.positives``.)
        weight: Of the cross-stream loss.
        momentum: EMA momentum of the teachers.
        hidden_dim: Width of projectors and predictors.
        projection_dim: Dimension in which views are compared.
        output_norm: Normalise projections over the batch. The paper does not; it helps where steps are few,
            since projections of different clips begin almost parallel, and a student that predicts what
            they have in common is hardly wrong.
        stale_teacher: As the released program has it: once streams learn from each other, the teachers stay
            as they are.
    """

    cross_stream: ClassVar[bool] = True

    view: View = preset("aimclr.normal")
    cross_epoch: int = 60
    neighbors: int = 2
    agree: int = 2
    positives: Literal["each", "sum"] = "each"
    weight: float = field(default=10.0, validator=validators.ge(0))
    momentum: float = field(default=0.996, validator=[validators.ge(0), validators.le(1)])
    hidden_dim: int = 2048
    projection_dim: int = 512
    output_norm: bool = False
    stale_teacher: bool = False

    def build(self, encoder: nn.ModuleDict, context: MethodContext) -> "CMCS":
        """The method around fresh encoders, one for each stream."""
        return CMCS(self, encoder, context)


class CMCS(nn.Module):
    """A CMAL for each stream, and pseudo labels that they agree on."""

    def __init__(self, settings: CMCSSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        hidden, dim, names = settings.hidden_dim, settings.projection_dim, context.streams
        self.encoder = encoder
        self.projector: Any = nn.ModuleDict(
            {
                name: mlp_head(
                    self.encoder[name].feature_dim,
                    hidden,
                    dim,
                    batch_norm=True,
                    output_norm=settings.output_norm,
                )
                for name in names
            }
        )
        self.predictor: Any = nn.ModuleDict(
            {name: mlp_head(dim, hidden, dim, batch_norm=True) for name in names}
        )
        self.teacher: Any = nn.ModuleDict({name: Teacher(self._student(name)) for name in names})

    def _student(self, name: str) -> nn.Module:
        return nn.Sequential(self.encoder[name], self.projector[name])

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        s, world = self.settings, self.context.world
        views = self.context.views_by_stream(clips, [s.view, s.view], generator)
        crossing = epoch >= s.cross_epoch
        streams: dict[str, TwoViews] = {}
        for name in self.context.streams:
            student, teacher = self._student(name), self.teacher[name]
            if not (crossing and s.stale_teacher):
                teacher.follow(student, s.momentum)
            predictions = [self.predictor[name](student(view[name])) for view in views]
            streams[name] = TwoViews(*predictions, *(teacher(view[name]) for view in views))
        losses = {name: cmal(*two) for name, two in streams.items()}
        total = torch.stack(list(losses.values())).sum()
        if not crossing:
            return {"loss": total, **losses}
        cross = cscl(
            list(streams.values()),
            k=s.neighbors,
            agree=s.agree,
            over_positives=s.positives,
            gather=world.gather,
            rank=world.rank,
        )
        collaborative = torch.stack(cross).sum()
        return {"loss": total + s.weight * collaborative, **losses, "cscl": collaborative}
