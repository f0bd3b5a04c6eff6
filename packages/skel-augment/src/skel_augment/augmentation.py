"""Base class of all augmentations."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from attrs import define, field
from attrs.validators import ge, le
from torch import Tensor

from skel_augment.params import Chain, Params
from skel_data import ClipShape


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
