"""SLiM (Do et al., NeurIPS 2026, arXiv 2603.10648): self-distillation of views and masked tokens.

A student sees two long views of a clip, some of them with hidden tokens, and short ones from inside them. It
learns the assignment to prototypes that its slower teacher makes of the long ones, for the views and for the
hidden tokens. No negatives, no decoder.
"""

from dataclasses import replace
from typing import Any, Literal, cast

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import FrameSample, TemporalCropSample, View, preset
from skel_data import SkeletonLayout
from skel_encoders import SLiM as Encoder
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import (
    Centre,
    PrototypeHead,
    Teacher,
    cosine_schedule,
    sinkhorn_knopp,
    slim,
    tube_mask,
)

_PROPOSALS = 64  # tubes proposed for a mask; a mask of 90 % takes about 20


@define(frozen=True)
class SLiMSettings:
    """Settings of `SLiM`; the defaults are the paper's.

    Attributes:
        view: The first global view. All views begin with temporal_crop_sample.
        second_view: The second global view.
        local_views: Local views, drawn inside of each global one.
        mask_ratios: Smallest and largest share of hidden tokens in a view that has some.
        masked_views: Share of the global views that have hidden tokens; all local ones have.
        momentum: EMA momentum of the teacher at the beginning; it grows to 1.
        temperature: Of the student.
        teacher_temperature: Of the teacher: at the beginning, and after its warm-up.
        teacher_warmup_epochs: Length of that warm-up.
        assignment: How the teacher assigns prototypes: sinkhorn, or by a softmax behind a running centre, as
            in DINO.
        iterations: Of Sinkhorn-Knopp.
        prototypes: Number of prototypes, of views and of tokens.
        hidden_dim: Width of the heads.
        bottleneck_dim: Dimension in which features and prototypes are compared.
        frozen_epochs: First epochs in which prototypes are not trained.
        koleo_weight: Weight of the term that keeps the clips of a batch apart.
        patch_weight: Weight of the term of hidden tokens.
    """

    view: View = preset("slim.global-1")
    second_view: View = preset("slim.global-2")
    local_views: tuple[View, ...] = tuple(preset(f"slim.local-{frames}") for frames in (32, 16, 16, 8))
    mask_ratios: tuple[float, float] = (0.5, 0.9)
    masked_views: float = field(default=0.5, validator=[validators.ge(0), validators.le(1)])
    momentum: float = field(default=0.994, validator=[validators.ge(0), validators.le(1)])
    temperature: float = field(default=0.1, validator=validators.gt(0))
    teacher_temperature: tuple[float, float] = (0.04, 0.07)
    teacher_warmup_epochs: int = field(default=30, validator=validators.ge(0))
    assignment: Literal["sinkhorn", "centre"] = "sinkhorn"
    iterations: int = field(default=3, validator=validators.ge(0))
    prototypes: int = field(default=65536, validator=validators.ge(2))
    hidden_dim: int = 2048
    bottleneck_dim: int = 256
    frozen_epochs: int = field(default=1, validator=validators.ge(0))
    koleo_weight: float = field(default=0.1, validator=validators.ge(0))
    patch_weight: float = field(default=1.0, validator=validators.ge(0))

    def __attrs_post_init__(self) -> None:
        low, high = self.mask_ratios
        if not 0 < low <= high < 1:
            raise ValueError(f"mask_ratios must be 0 < low <= high < 1, got {low}, {high}")
        if min(self.teacher_temperature) <= 0:
            raise ValueError(f"teacher_temperature must be positive, got {self.teacher_temperature}")
        views = {"view": self.view, "second_view": self.second_view}
        views |= {f"local_views[{number}]": view for number, view in enumerate(self.local_views)}
        for name, view in views.items():
            if not view.steps or not isinstance(view.steps[0], TemporalCropSample):
                raise ValueError(f"{name} of method slim must begin with temporal_crop_sample")

    def build(self, encoder: Any, context: MethodContext) -> "SLiM":
        """The method around a fresh encoder.

        Raises:
            ValueError: If the encoder is another one, or the layout has no parts.
        """
        if not isinstance(encoder, Encoder):
            raise ValueError(f"method slim needs encoder slim, got {type(encoder).__name__}")
        if not context.layout.parts:
            raise ValueError(f"layout {context.layout.name!r} has no parts, of which method slim hides some")
        return SLiM(self, encoder, context)


class SLiM(nn.Module):
    """A student of long and short views and masked tokens, and its slower teacher of long views."""

    def __init__(self, settings: SLiMSettings, encoder: Encoder, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context, self.encoder = settings, context, encoder
        sizes = (encoder.width, settings.hidden_dim, settings.bottleneck_dim, settings.prototypes)
        self.projector = nn.ModuleList([PrototypeHead(*sizes), PrototypeHead(*sizes)])  # views, tokens
        self.mask_token = nn.Parameter(torch.zeros(encoder.width))
        self.teacher = Teacher(nn.ModuleList([encoder, self.projector]))
        self.centre = nn.ModuleList(
            Centre(settings.prototypes) for _ in range(2 * (settings.assignment == "centre"))
        )
        self.groups = limbs(context.layout)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        s, progress = self.settings, self.context.progress
        steps = progress.epochs * progress.steps_per_epoch
        momentum = cosine_schedule(progress.step, steps, s.momentum, 1.0)
        self.teacher.follow(nn.ModuleList([self.encoder, self.projector]), momentum)
        views, local = self.views(clips, generator)
        hidden = self.hidden(clips, 2, views.shape[2], s.masked_views, generator)
        frozen = epoch < s.frozen_epochs
        of_views, of_tokens = cast("list[PrototypeHead]", list(self.projector))

        tokens = self.encoder.encode(views, hidden, self.mask_token)
        classes = tokens.classes[:, -1]
        local_logits = [classes.new_zeros(0, s.prototypes)]
        for short in local:
            count = len(short) // len(clips)
            theirs = self.hidden(clips, count, short.shape[2], 1.0, generator)
            seen = self.encoder.encode(short, theirs, self.mask_token).classes[:, -1]
            local_logits.append(of_views(seen, frozen=frozen))
        targets, patch_targets = self.targets(views, hidden)
        terms = slim(
            torch.cat(local_logits),
            of_views(classes, frozen=frozen),
            targets,
            classes,
            of_tokens(tokens.patches[hidden], frozen=frozen),
            patch_targets,
            hidden,
            temperature=s.temperature,
            koleo_weight=s.koleo_weight,
            patch_weight=s.patch_weight,
            gather=self.context.world.gather,
        )
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    @torch.no_grad()
    def targets(self, views: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's assignments of the global views (2 N, K) and of their hidden tokens (H, K)."""
        s, progress, gather = self.settings, self.context.progress, self.context.world.gather
        encoder, heads = cast("nn.ModuleList", self.teacher.module)
        tokens = cast("Encoder", encoder).encode(views)
        start, end = s.teacher_temperature
        temperature = cosine_schedule(
            progress.step,
            progress.epochs * progress.steps_per_epoch,
            end,
            end,
            warmup_steps=round(s.teacher_warmup_epochs * progress.stretch * progress.steps_per_epoch),
            warmup_start=start,
        )
        found = []
        for number, (head, x) in enumerate(
            zip(cast("nn.ModuleList", heads), (tokens.classes[:, -1], tokens.patches[hidden]), strict=True)
        ):
            logits = head(x)
            if s.assignment == "sinkhorn":
                found.append(
                    sinkhorn_knopp(logits, temperature=temperature, iterations=s.iterations, gather=gather)
                )
            else:
                centre = cast("Centre", self.centre[number])
                found.append(centre(logits, temperature=temperature))
                centre.update(logits, gather=gather)
        return found[0], found[1]

    def views(self, clips: Tensor, generator: torch.Generator | None) -> tuple[Tensor, list[Tensor]]:
        """Two global views (2 N, C, T, V, 1), and local ones of each length, of one body of each clip.

        Rows are view by view. The second global view is drawn of other recordings where the run has them.
        """
        s, context = self.settings, self.context
        numbers = context.uniforms(clips, 1, generator)[:, 0]
        other = clips
        if context.second.clips is not None:
            other, context.second.used = context.second.clips, True
        bodies = [self.one_body(x, numbers) for x in (clips, other)]
        views = [s.view, s.second_view, *s.local_views, *s.local_views]
        drawn = context.sample(bodies[0], views, generator)
        places = [0, 1, *[0] * len(s.local_views), *[1] * len(s.local_views)]
        spans = [cast("FrameSample", drawn[place][0]).span(bodies[place]) for place in (0, 1)]
        whole: list[Tensor] = []
        local: dict[int, list[Tensor]] = {}
        for number, (view, params, place) in enumerate(zip(views, drawn, places, strict=True)):
            if number >= 2:
                crop = replace(cast("FrameSample", params[0]), inside=spans[place])
                params = (crop, *params[1:])
            seen = context.apply(bodies[place], view, params)[context.stream]
            (whole if number < 2 else local.setdefault(seen.shape[2], [])).append(seen)
        return torch.cat(whole), [torch.cat(each) for each in local.values()]

    def one_body(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        """A random body (N, C, T, V, 1) of those that are not zero throughout in clips (N, C, T, V, M)."""
        present = clips.ne(0).any(3).any(2).any(1)  # (N, M)
        wanted = (uniforms * present.sum(1)).long()
        chosen = ((present.cumsum(1) > wanted[:, None]) & present).int().argmax(1)
        return clips.gather(4, chosen.view(-1, 1, 1, 1, 1).expand(*clips.shape[:4], 1))

    def hidden(
        self, clips: Tensor, views: int, frames: int, share: float, generator: torch.Generator | None
    ) -> Tensor:
        """Hidden tokens (views * clips, T' V), in tubes, for this number of views and clips.

        Ratios are stratified over the views of all processes.
        """
        context, n, joints = self.context, len(clips), self.encoder.layout.num_joints
        rows = -(-frames // self.encoder.tubelet)
        numbers = context.uniforms(clips, 2 * views, generator, whole=True).view(-1, views, 2)
        rank = numbers[..., 0].flatten().argsort().argsort().view(numbers.shape[:2])
        count = round(share * rank.numel())
        low, high = self.settings.mask_ratios
        ratio = low + (high - low) * (rank + numbers[..., 1]) / max(count, 1)
        budgets = torch.where(rank < count, (rows * joints * ratio).long(), 0)
        mine = budgets[context.world.rank * n :][:n].T.flatten()
        proposals = context.uniforms(clips, views * _PROPOSALS * 5, generator).view(n, views, _PROPOSALS, 5)
        return tube_mask(
            proposals.transpose(0, 1).flatten(0, 1), mine, self.groups, rows, joints, smallest=rows
        )


def limbs(layout: SkeletonLayout) -> tuple[tuple[int, ...], ...]:
    """The parts of a layout, the joints of each in the order along it."""
    found = []
    for _, joints in layout.parts:
        ends = {joint: max(layout.hops[joint][other] for other in joints) for joint in joints}
        end = max(sorted(joints), key=lambda joint: ends[joint])
        found.append(tuple(sorted(joints, key=lambda joint: layout.hops[end][joint])))
    return tuple(found)
