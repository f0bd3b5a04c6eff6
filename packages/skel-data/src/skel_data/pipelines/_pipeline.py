"""Protocol of pipelines."""

from typing import Any, ClassVar, Protocol

import numpy as np
from attrs import validators
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Pipeline(Protocol):
    """A pipeline and its settings: a frozen attrs class, whose fields name the cached clips.

    Any class with these members is one; a user's own needs no base class.
    """

    name: ClassVar[str]
    version: ClassVar[int]

    @property
    def frames(self) -> int:
        """Frames of the clips that come out."""

    @property
    def bodies(self) -> int:
        """Bodies of the clips that come out; 0: as many as go in, at most 2."""

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, M), M at most `bodies`."""


def at_least(least: int) -> Any:
    """Validator of a whole number."""
    return [validators.instance_of(int), validators.ge(least)]
