"""What a pipeline is."""

from typing import Any, ClassVar, Protocol

import numpy as np
from attrs import validators
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Pipeline(Protocol):
    """Settings of a pipeline: a frozen attrs class."""

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

    def valid_frames(self, clips: NDArray[Any], lengths: Ints) -> Ints:
        """How many of its first frames each clip is to be cropped from, where a method crops at load time.

        Args:
            clips: Processed clips (N, C, frames, V, M), which may be memory-mapped.
            lengths: Frames of their recordings (N,).

        Returns:
            Counts (N,), 1 to `frames`.
        """


def at_least(least: int) -> Any:
    """Validator of a whole number."""
    return [validators.instance_of(int), validators.ge(least)]
