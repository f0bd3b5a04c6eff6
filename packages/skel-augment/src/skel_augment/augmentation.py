"""Augmentations: settings that make parameters of uniform numbers, and how those are applied to clips.

Parameters have one row per clip. They are pure: `apply` returns new clips and leaves its inputs alone, no
step looks at the numbers to decide what to run, and all work is batched. `Affine`, the time maps and
`JointMap` are linear and act on one axis each, so they commute with each other; `fold` uses that to merge
what stands on the same axis. They are dataclasses, not attrs classes as the settings are: torch.compile can
build frozen dataclasses.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from attrs import Attribute, define, field
from attrs.validators import ge, le
from torch import Tensor

from skel_data import ClipShape


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


def between(uniforms: Tensor, low: float, high: float) -> Tensor:
    """Uniform numbers in [low, high) from such in [0, 1)."""
    return low + (high - low) * uniforms


def choice(uniforms: Tensor, count: int | Tensor) -> Tensor:
    """Whole numbers 0 to count - 1, all equally likely, from uniforms in [0, 1); float dtype kept."""
    # u * count rounds to count for no u below 1 - 2**-24; minimum guards uniforms from elsewhere.
    top = count - 1
    whole = (uniforms * count).floor()
    return whole.minimum(top) if isinstance(top, Tensor) else whole.clamp(max=top)


def normals(uniforms: Tensor) -> Tensor:
    """Independent standard normal numbers, (N, K) from as many uniforms in [0, 1), K even.

    Box and Muller's transform: exact, without infinities, and cheaper than the inverse of the distribution.
    """
    first, second = uniforms.chunk(2, 1)
    radius = (1 - first).log_().mul_(-2).sqrt_()
    # The sine is the cosine a quarter turn earlier; both in one go saves passes over memory.
    turn = torch.arange(2, dtype=uniforms.dtype, device=uniforms.device) * (-math.pi / 2)
    values = torch.add(turn[:, None], second[:, None], alpha=2 * math.pi).cos_().mul_(radius[:, None])
    return values.flatten(1)


@define(frozen=True)
class Augmentation(ABC):
    """Base class of augmentations: the settings of one, which keeps no state.

    A new augmentation says how many uniform numbers its parameters need per clip (`param_uniforms`, or
    `_param_uniforms` where that depends on the clips) and makes parameters of them (`_params`); the
    probability is dealt with here.

    Attributes:
        p: Probability that a clip is augmented; drawn for each clip.
    """

    param_uniforms: ClassVar[int] = 0
    """Uniform numbers that the parameters of a clip need."""
    hides: ClassVar[bool] = False
    """Whether it hides joints or frames; bone and motion streams are taken before the first such step."""
    p: float = field(default=1.0, kw_only=True, converter=float, validator=[ge(0), le(1)])

    @property
    def alternatives(self) -> "tuple[Augmentation, ...]":
        """What may happen to a clip: this augmentation, or those that it chooses from."""
        return (self,)

    def applies_to(self, shape: ClipShape) -> bool:  # noqa: ARG002
        """Whether clips of this shape are augmented at all; if not, nothing is drawn for them."""
        return True

    def num_uniforms(self, shape: ClipShape) -> int:
        """Uniform numbers needed per clip. The first one decides whether the clip is augmented."""
        return 1 + self._param_uniforms(shape) if self.applies_to(shape) else 0

    def output_shape(self, shape: ClipShape) -> ClipShape:
        """Shape of the clips after this augmentation; only the number of frames may differ.

        Raises:
            ValueError: If the settings do not fit clips of this shape.
        """
        return shape

    def params(self, uniforms: Tensor, shape: ClipShape) -> Params:
        """Parameters from uniform numbers.

        Args:
            uniforms: (N, `num_uniforms`) in [0, 1); their dtype is that of the parameters.
            shape: Shape of the clips.

        Returns:
            Parameters with N rows.

        Raises:
            ValueError: If ``uniforms`` has another shape, or the settings do not fit the shape of the clips.
        """
        if uniforms.ndim != 2 or uniforms.shape[1] != self.num_uniforms(shape):
            raise ValueError(
                f"{type(self).__name__} needs uniforms of shape (N, {self.num_uniforms(shape)}), "
                f"got {tuple(uniforms.shape)}"
            )
        if not self.applies_to(shape):
            return Chain(())
        return self._params(uniforms[:, 1:], shape).where(uniforms[:, 0] < self.p)

    def _param_uniforms(self, shape: ClipShape) -> int:  # noqa: ARG002
        """Uniform numbers that the parameters of a clip of this shape need."""
        return self.param_uniforms

    @abstractmethod
    def _params(self, uniforms: Tensor, shape: ClipShape) -> Params:
        """Parameters for clips that are all augmented, from uniforms (N, `_param_uniforms`)."""


def as_augmentations(steps: Iterable[Augmentation]) -> tuple[Augmentation, ...]:
    """Converter of a setting of several augmentations."""
    if isinstance(steps, Augmentation):
        raise TypeError(f"steps must be a list of augmentations, got {steps!r}")
    steps = tuple(steps)
    for step in steps:
        if not isinstance(step, Augmentation):
            raise TypeError(f"steps must be augmentations, got {step!r}")
    return steps


def as_floats(values: Iterable[float]) -> tuple[float, ...]:
    """Converter of a setting of several numbers."""
    return tuple(float(value) for value in values)


def finite(_instance: object, attribute: "Attribute[float]", value: float) -> None:
    """Validator of a setting that is a finite number."""
    if not math.isfinite(value):
        raise ValueError(f"{attribute.name} must be a finite number, got {value}")
