"""Faults of recordings, for a look at how much of them an encoder bears."""

from collections.abc import Callable

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from skel_data import SkeletonLayout


@define(frozen=True, eq=False)
class Recording:
    """A recording and who is in it.

    Attributes:
        positions: (T, M, V, C); joints that are missing are zero.
        tracks: Body ids (T, M), 0 where there is none.
        layout: The joints.
    """

    positions: NDArray[np.float32] = field(repr=False)
    tracks: NDArray[np.int64] = field(repr=False)
    layout: SkeletonLayout

    def at(self, frames: NDArray[np.bool_] | slice) -> "Recording":
        """Some of its frames."""
        return evolve(self, positions=self.positions[frames], tracks=self.tracks[frames])


def missing_joints(recording: Recording, share: float, rng: np.random.Generator) -> Recording:
    """A share of the joints, drawn for the recording, is missing in all its frames."""
    count = recording.layout.num_joints
    there = np.ones(count, bool)
    there[rng.permutation(count)[: round(share * count)]] = False
    return evolve(recording, positions=recording.positions * there[:, None])


def missing_frames(recording: Recording, share: float, rng: np.random.Generator) -> Recording:
    """Nobody is seen in a share of the frames; one frame at least is left."""
    count = len(recording.positions)
    there = np.ones(count, bool)
    there[rng.permutation(count)[: min(round(share * count), count - 1)]] = False
    positions = recording.positions * there[:, None, None, None]
    return evolve(recording, positions=positions, tracks=recording.tracks * there[:, None])


def noise(recording: Recording, size: float, rng: np.random.Generator) -> Recording:
    """Every coordinate of a joint that is there is off by a normal error.

    Its standard deviation is the size times the extent of the bodies: the root mean square distance
    of joints from the mean of their frame and body.
    """
    dims = recording.layout.dims
    points = recording.positions[..., :dims]
    there = (np.isfinite(points).all(-1) & (points != 0).any(-1))[..., None]
    known = np.where(there, points, 0)
    centre = known.sum(2, keepdims=True) / np.maximum(there.sum(2, keepdims=True), 1)
    extent = np.sqrt((np.square(known - centre) * there).sum() / max(there.sum(), 1))
    positions = recording.positions.copy()
    positions[..., :dims] += there * rng.normal(scale=size * extent, size=points.shape).astype(np.float32)
    return evolve(recording, positions=positions)


def viewpoint(recording: Recording, degrees: float, rng: np.random.Generator) -> Recording:
    """Turned about the second axis, which is taken for the vertical, to one side or the other."""
    angle = np.deg2rad(degrees) * rng.choice((-1, 1))
    x, z = recording.positions[..., 0], recording.positions[..., 2]
    turned = recording.positions.copy()
    turned[..., 0] = np.cos(angle) * x + np.sin(angle) * z
    turned[..., 2] = np.cos(angle) * z - np.sin(angle) * x
    return evolve(recording, positions=turned)


def frame_rate(recording: Recording, factor: float, rng: np.random.Generator) -> Recording:
    """Only every so many-th frame is recorded, from a random one on."""
    step = int(factor)
    return recording.at(slice(int(rng.integers(min(step, len(recording.positions)))), None, step))


Corruption = Callable[[Recording, float, np.random.Generator], Recording]
CORRUPTIONS: dict[str, tuple[Corruption, tuple[float, float, float]]] = {
    "missing joints": (missing_joints, (0.1, 0.2, 0.4)),
    "missing frames": (missing_frames, (0.2, 0.4, 0.8)),
    "noise": (noise, (0.02, 0.05, 0.1)),
    "viewpoint": (viewpoint, (15.0, 30.0, 60.0)),
    "frame rate": (frame_rate, (2.0, 4.0, 8.0)),
}
"""By name: what is done, and how much of it in three steps."""


def corruptions(layout: SkeletonLayout) -> list[str]:
    """Those that recordings of a layout can have: flat ones are not seen from elsewhere."""
    return [name for name in CORRUPTIONS if layout.dims == 3 or name != "viewpoint"]
