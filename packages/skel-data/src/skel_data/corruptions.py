"""Corruptions of recordings, to measure how robust an encoder is."""

from collections.abc import Callable

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout, get_layout
from skel_data.pipelines._steps import turn


@define(frozen=True, eq=False)
class Recording:
    """A recording to corrupt.

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


def missing_joints(recording: Recording, severity: float, rng: np.random.Generator) -> Recording:
    """Remove a share of the joints, drawn once for the recording, from all its frames."""
    count = recording.layout.num_joints
    there = np.ones(count, bool)
    there[rng.permutation(count)[: round(severity * count)]] = False
    return evolve(recording, positions=recording.positions * there[:, None])


def missing_frames(recording: Recording, severity: float, rng: np.random.Generator) -> Recording:
    """Empty a share of the frames; at least one is left."""
    count = len(recording.positions)
    there = np.ones(count, bool)
    there[rng.permutation(count)[: min(round(severity * count), count - 1)]] = False
    positions = recording.positions * there[:, None, None, None]
    return evolve(recording, positions=positions, tracks=recording.tracks * there[:, None])


def noise(recording: Recording, severity: float, rng: np.random.Generator) -> Recording:
    """Add normal noise to every coordinate of a joint that is there.

    Its standard deviation is the severity times the extent of the bodies: the root mean square distance
    of joints from the mean of their frame and body.
    """
    dims = recording.layout.dims
    points = recording.positions[..., :dims]
    there = (np.isfinite(points).all(-1) & (points != 0).any(-1))[..., None]
    known = np.where(there, points, 0)
    centre = known.sum(2, keepdims=True) / np.maximum(there.sum(2, keepdims=True), 1)
    extent = np.sqrt((np.square(known - centre) * there).sum() / max(there.sum(), 1))
    positions = recording.positions.copy()
    positions[..., :dims] += there * rng.normal(scale=severity * extent, size=points.shape).astype(np.float32)
    return evolve(recording, positions=positions)


def viewpoint(recording: Recording, severity: float, rng: np.random.Generator) -> Recording:
    """Turn by this many degrees about the second axis, which is taken for the vertical, to either side."""
    angle = np.deg2rad(severity) * rng.choice((-1, 1))
    return evolve(recording, positions=turn(recording.positions, np.cos(angle), np.sin(angle)))


def frame_rate(recording: Recording, severity: float, rng: np.random.Generator) -> Recording:
    """Keep one of this many frames, starting at a random one."""
    step = int(severity)
    return recording.at(slice(int(rng.integers(min(step, len(recording.positions)))), None, step))


Corruption = Callable[[Recording, float, np.random.Generator], Recording]
CORRUPTIONS: dict[str, tuple[Corruption, tuple[float, float, float]]] = {
    "missing joints": (missing_joints, (0.1, 0.2, 0.4)),
    "missing frames": (missing_frames, (0.2, 0.4, 0.8)),
    "noise": (noise, (0.02, 0.05, 0.1)),
    "viewpoint": (viewpoint, (15.0, 30.0, 60.0)),
    "frame rate": (frame_rate, (2.0, 4.0, 8.0)),
}
"""Corruptions by name, each with three severities."""


def corruption_names(layout: SkeletonLayout | str) -> list[str]:
    """Names of the corruptions that suit a layout, or one by its name: in 2-D there is no other viewpoint."""
    dims = get_layout(layout).dims
    return [name for name in CORRUPTIONS if dims == 3 or name != "viewpoint"]
