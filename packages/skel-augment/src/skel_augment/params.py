"""Parameters of augmentations, one row per clip, and how they are applied.

They are pure: `apply` returns new clips and leaves its inputs alone, no step looks at the numbers to
decide what to run, and all work is batched. `Affine`, the time maps and `JointMap` are linear and act
on one axis each, so they commute with each other; `fold` uses that to merge what stands on the same axis.

They are dataclasses, not attrs classes as the settings are: torch.compile can build frozen dataclasses.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor


class Params(ABC):
    """Base class of parameters: those of one augmentation for N clips, and how they are applied."""

    __slots__ = ()
    axis: ClassVar[str] = ""
    """Axis that a linear step acts on: "space", "time" or "joints"; empty for other steps."""

    @abstractmethod
    def apply(self, clips: Tensor) -> Tensor:
        """Clips (N, C, T, V, M) after this step; same dtype."""

    @abstractmethod
    def where(self, gate: Tensor) -> Self:
        """The same parameters where ``gate`` (N,) is true, those of the identity elsewhere."""

    def resolve(self, clips: Tensor) -> "Params":  # noqa: ARG002
        """Parameters that do to any clips what these do to ``clips``, even if that depends on the clips."""
        return self

    def then(self, later: "Params") -> "Params | None":  # noqa: ARG002
        """One step that equals this one followed by ``later``, or None where there is none."""
        return None


@dataclass(frozen=True, eq=False, slots=True)
class Chain(Params):
    """Parameters of several steps in a row, such as the joints and the axis of a mirror image.

    Attributes:
        parts: The steps, first to last.
    """

    parts: tuple[Params, ...]

    def apply(self, clips: Tensor) -> Tensor:
        for part in self.parts:
            clips = part.apply(clips)
        return clips

    def where(self, gate: Tensor) -> "Chain":
        return Chain(tuple(part.where(gate) for part in self.parts))

    def resolve(self, clips: Tensor) -> "Chain":
        resolved = []
        for part in self.parts:
            resolved.append(part.resolve(clips))
            clips = resolved[-1].apply(clips)
        return Chain(tuple(resolved))


def fold(params: Iterable[Params]) -> list[Params]:
    """Merge neighbouring linear steps on one axis, also across steps on other axes: as few as do the same.

    >>> from skel_augment import Affine, TimeIndex
    >>> two = Affine(2 * torch.eye(3)[None])
    >>> [step.matrix[0, 0, 0].item() for step in fold([two, TimeIndex(torch.tensor([[1, 0]])), two])[:1]]
    [4.0]
    """
    done: list[Params] = []
    group: dict[str, Params] = {}
    for part in _flat(params):
        merged: Params | None = part
        if part.axis in group:
            merged = group[part.axis].then(part)
        if merged is None or not part.axis:
            done += group.values()
            group, merged = {}, part
        if part.axis:
            group[part.axis] = merged
        else:
            done.append(merged)
    return [*done, *group.values()]


def _flat(params: Iterable[Params]) -> list[Params]:
    """The steps, chains replaced by their parts."""
    flat: list[Params] = []
    for step in params:
        flat += _flat(step.parts) if isinstance(step, Chain) else [step]
    return flat


def with_rest(points: Tensor, clips: Tensor) -> Tensor:
    """Coordinates (N, dims, ...) with the channels of the clips that are not coordinates behind them."""
    dims = points.shape[1]
    return points if dims == clips.shape[1] else torch.cat((points, clips[:, dims:]), 1)
