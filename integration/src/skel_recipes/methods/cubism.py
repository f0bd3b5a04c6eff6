"""The pretext of TS-Cubism (Tang et al., TOMM 2022, arXiv 2207.08095): recognise how a clip was permuted.

Segments of a clip are put in another order, or its arms or legs are exchanged. The encoder recognises how.
The paper learns this together with labelled actions of another data set: see the protocol ``cross-dataset``.
"""

import math
from typing import Any, ClassVar, Literal, cast

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import Augmentation, LimbSwap, SegmentShuffle, View, limb_swaps, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import cubism

Pretext = Literal["temporal", "spatial"]


@define(frozen=True)
class CubismSettings:
    """Settings of `Cubism`.

    Attributes:
        view: The view that is drawn before a clip is permuted.
        pretext: temporal (orders of segments), spatial (exchanged limbs), or both, each of its own copy.
        segments: Segments of a clip; there are segments! orders.
        unchanged: Probability of a clip whose limbs stay.
    """

    one_view: ClassVar[bool] = True

    view: View = preset("cubism.view")
    pretext: Literal["temporal", "spatial", "both"] = "both"
    segments: int = field(default=3, validator=[validators.ge(2), validators.le(6)])
    unchanged: float = field(default=0.33, validator=[validators.ge(0), validators.lt(1)])

    def build(self, encoder: Any, context: MethodContext) -> "Cubism":
        """The method around a fresh encoder.

        Raises:
            ValueError: If limbs are exchanged and no two parts of the layout are mirror images.
        """
        return Cubism(self, encoder, context)


class Cubism(nn.Module):
    """One encoder, and a linear classifier of permutations for each pretext task."""

    def __init__(self, settings: CubismSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.encoder = encoder
        tasks: tuple[Pretext, ...] = ("temporal", "spatial")
        self.steps: dict[str, Augmentation] = {
            task: permutation(task, settings.segments, settings.unchanged)
            for task in tasks
            if settings.pretext in (task, "both")
        }
        self.heads = nn.ModuleDict(
            {
                task: nn.Linear(encoder.feature_dim, count_of(step, context))
                for task, step in self.steps.items()
            }
        )

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        seen, labels = zip(
            *(
                permuted(self.context, clips, self.settings.view, step, generator)
                for step in self.steps.values()
            ),
            strict=True,
        )
        features = self.encoder(torch.cat(seen)).chunk(len(seen))
        terms: dict[str, Tensor] = {
            task: cubism(self.heads[task](x), label, order_weight=1.0)["order"]
            for task, x, label in zip(self.steps, features, labels, strict=True)
        }
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}


def permutation(task: Pretext, segments: int = 3, unchanged: float = 0.33) -> Augmentation:
    """The augmentation that permutes a clip and tells how."""
    return SegmentShuffle(segments, equal=True) if task == "temporal" else LimbSwap(unchanged)


def count_of(step: Augmentation, context: MethodContext) -> int:
    """Number of permutations that such an augmentation draws from.

    Raises:
        ValueError: If it exchanges limbs and no two parts of the layout are mirror images.
    """
    if isinstance(step, SegmentShuffle):
        return math.factorial(step.segments)
    return len(limb_swaps(context.layout))


def permuted(
    context: MethodContext,
    clips: Tensor,
    view: View,
    step: Augmentation,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """A view of clips (N, C, T, V, M) that is permuted, in the context's stream, and the labels (N,).

    It is permuted before joints or frames are hidden, and so before the stream is taken.
    """
    place = view.before_hiding
    whole = View((*view.steps[:place], step, *view.steps[place:]))
    (params,) = context.sample(clips, [whole], generator)
    label: Tensor = cast("Any", params[place]).label
    return context.apply(clips, whole, params)[context.stream], label
