"""What all augmentations have in common."""

from abc import ABC, abstractmethod
from typing import ClassVar

from attrs import define, field
from attrs.validators import ge, le
from torch import Tensor

from skel_augment._params import Chain, Params
from skel_data import ClipShape


@define(frozen=True)
class Augmentation(ABC):
    """Settings of one augmentation. It keeps no state: sampling and applying are pure functions.

    A new augmentation says how many uniform numbers it needs per clip (`numbers`, or `_draws` where that
    depends on the clips) and what it makes of them (`_params`); the probability is dealt with here.

    Attributes:
        p: Probability that a clip is augmented; each clip decides by itself.
    """

    numbers: ClassVar[int] = 0
    hides: ClassVar[bool] = False
    """Whether joints or frames are taken away, so that bones and motion cannot be computed any more."""
    p: float = field(default=1.0, kw_only=True, converter=float, validator=[ge(0), le(1)])

    @property
    def branches(self) -> "tuple[Augmentation, ...]":
        """What may happen to a clip: this augmentation, or those that it chooses from."""
        return (self,)

    def draws(self, shape: ClipShape) -> int:
        """Uniform numbers needed per clip. The first one decides whether the clip is augmented."""
        return 1 + self._draws(shape) if self._concerns(shape) else 0

    def after(self, shape: ClipShape) -> ClipShape:
        """Shape of the clips after this augmentation; only the number of frames may differ."""
        return shape

    def params(self, uniforms: Tensor, shape: ClipShape) -> Params:
        """Parameters from uniform numbers.

        Args:
            uniforms: (N, draws) in [0, 1); their dtype is that of the parameters.
            shape: Shape of the clips.

        Returns:
            Parameters with N rows.

        Raises:
            ValueError: If ``uniforms`` has another shape, or the settings do not fit the shape of the clips.
        """
        if uniforms.ndim != 2 or uniforms.shape[1] != self.draws(shape):
            raise ValueError(
                f"{type(self).__name__} needs uniforms of shape (N, {self.draws(shape)}), "
                f"got {tuple(uniforms.shape)}"
            )
        if not self._concerns(shape):
            return Chain(())
        return self._params(uniforms[:, 1:], shape).where(uniforms[:, 0] < self.p)

    def apply(self, clips: Tensor, params: Params) -> Tensor:
        """Clips (N, C, T, V, M) changed by parameters with N rows."""
        return params.apply(clips)

    def _concerns(self, shape: ClipShape) -> bool:  # noqa: ARG002
        """Whether clips of this shape are augmented at all; if not, nothing is drawn for them."""
        return True

    def _draws(self, shape: ClipShape) -> int:  # noqa: ARG002
        """Uniform numbers needed per clip, without the one for the probability."""
        return self.numbers

    @abstractmethod
    def _params(self, uniforms: Tensor, shape: ClipShape) -> Params:
        """Parameters for clips that are all augmented, from uniforms (N, `_draws`)."""
