"""Clips made of rows: one body in one frame each, or one joint of one."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._clip import Clip
from skel_data._words import counted
from skel_data.readers.keypoints._keypoints import MOST_BODIES

Ints = NDArray[np.int64]


@define(frozen=True, eq=False)
class Rows:
    """Bodies in frames, in any order.

    Attributes:
        joints: Coordinates (R, V, C); NaN is missing.
        frames: Number of the frame (R,); None: rows follow each other, one a frame.
        bodies: Who it is (R,), from 0; -1 is unknown. None: nobody is told from another.
    """

    joints: NDArray[np.float64]
    frames: Ints | None = None
    bodies: Ints | None = None

    def taken(self, which: slice | NDArray[Any]) -> "Rows":
        """Some of the rows."""
        return Rows(
            self.joints[which],
            None if self.frames is None else self.frames[which],
            None if self.bodies is None else self.bodies[which],
        )


def make_clip(name: str, rows: Rows, label: int = -1, **codes: int) -> Clip:
    """Make a clip of rows. A frame number that is left out is a frame without a body.

    Numbers count in their common step. A body keeps its slot where the file identifies bodies.

    Raises:
        ValueError: If a body is twice in a frame, or the numbers are those of no recording.
    """
    count, joints, channels = rows.joints.shape
    frames = np.arange(count) if rows.frames is None else rows.frames
    numbers, places = np.unique(frames, return_inverse=True)
    step = int(np.gcd.reduce(np.diff(numbers))) or 1
    places = ((numbers - numbers[0]) // step)[places.reshape(-1)]
    ids, slots = np.unique(np.zeros(count, int) if rows.bodies is None else rows.bodies, return_inverse=True)
    length = int(places.max()) + 1
    if length * len(ids) > MOST_BODIES:
        raise ValueError(
            f"frames numbered {numbers[0]} to {numbers[-1]} with {counted(len(ids), 'body')} are no recording"
        )
    at = places * len(ids) + slots.reshape(-1)
    if len(np.unique(at)) < count:
        twice = int(np.flatnonzero(np.bincount(at) > 1)[0])
        who = f" body {ids[twice % len(ids)]}" if rows.bodies is not None else ""
        raise ValueError(f"frame {numbers[0] + step * (twice // len(ids))}:{who} more than once")
    positions = np.zeros((length * len(ids), joints, channels), np.float32)
    with np.errstate(over="ignore"):  # becomes infinite, which a store refuses with a reason
        positions[at] = rows.joints
    tracks = np.zeros(length * len(ids), np.int64)
    there = np.isfinite(rows.joints).all(-1).any(-1)
    positions[at[~there]] = 0
    tracks[at] = np.where(there, ids[slots.reshape(-1)] + 1, 0)
    return Clip(
        positions.reshape(length, len(ids), joints, channels),
        name,
        label,
        tracks=None if rows.bodies is None else tracks.reshape(length, len(ids)),
        **codes,
    )


def runs(*columns: Sequence[object]) -> Iterator[slice]:
    """The stretches of rows in which no column changes."""
    length = len(columns[0]) if columns else 0
    start = 0
    for at in range(1, length + 1):
        if at == length or any(column[at] != column[start] for column in columns):
            yield slice(start, at)
            start = at
