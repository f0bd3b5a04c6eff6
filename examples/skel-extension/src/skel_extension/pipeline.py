"""The first frames of a recording, as they are."""

from typing import Any, ClassVar

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data import SkeletonLayout


@define(frozen=True)
class FirstFrames:
    """The first frames of every recording; shorter ones are filled up with zeros.

    Attributes:
        frames: Frames of a clip.
        bodies: Bodies of a clip; 0 for as many as the recordings have, at most 2.
    """

    name: ClassVar[str] = "first-frames"
    version: ClassVar[int] = 1
    frames: int = 16
    bodies: int = 0

    def process(
        self, x: NDArray[np.float32], lengths: NDArray[np.int64], tracks: Any, layout: SkeletonLayout
    ) -> NDArray[np.float32]:
        """Clips (N, C, T, V, M) of padded recordings (N, T, M, V, C)."""
        out = np.zeros((len(x), layout.channels, self.frames, layout.num_joints, self.bodies), np.float32)
        first = np.nan_to_num(x[:, : self.frames, : self.bodies]).transpose(0, 4, 1, 3, 2)
        out[:, :, : first.shape[2], :, : first.shape[4]] = first
        return out
