"""Recorded clips with their metadata, and files that could not be read."""

from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray


def _float32(value: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32]
    if getattr(value, "dtype", None) == np.float32:
        array = np.ascontiguousarray(value)
    else:
        with np.errstate(over="ignore"):  # becomes infinite, which a store refuses with a reason
            array = np.ascontiguousarray(value, dtype=np.float32)
    return array[:, None] if array.ndim == 3 else array


def _int64(value: Any) -> NDArray[np.int64] | None:
    return None if value is None else np.ascontiguousarray(value, dtype=np.int64)


_NO_INTERVALS = np.empty((0, 3), np.int64)


def _intervals(value: Any) -> NDArray[np.int64]:
    return np.array(value, dtype=np.int64).reshape(-1, 3) if len(value) else _NO_INTERVALS


NO_ACTION = -2
"""Label of an untrimmed recording that was annotated and has no action."""


@define(frozen=True, eq=False)
class Clip:
    """A skeleton sequence as it was recorded.

    Attributes:
        positions: Coordinates (T, M, V, C), float32; (T, V, C) of one person are taken too. NaN, or zero in
            all coordinates, means missing; a body that is absent in a frame is all zero there. A joint at the
            very origin is kept by `keep_origin`, which an import calls for formats in which zero does not
            mean missing.
        name: What the clip is called in its data set, usually the file name without its suffix.
        label: Class, counted from 0; -1 is unknown, here and below; -2 (`NO_ACTION`) is of an untrimmed
            recording that was annotated and has no action.
        subject: Who performs.
        camera: Camera.
        setup: Camera arrangement, where a set has several.
        replication: Which repetition of the action.
        split: Part the data set itself puts the clip in: 0 unknown, 1 train, 2 test. A tuple where the
            set lists several splits.
        tracks: Body id per frame and slot (T, M), 0 where there is none. None: a body is present where
            its frame is not all zero.
        rate: Frames a second; 0 is unknown.
        intervals: Actions in an untrimmed recording (K, 3): class, first frame from 0, and the frame behind
            the last one. The clip itself has no label then.

    Raises:
        ValueError: If the arrays do not have these shapes, or an interval does not lie in the recording.
    """

    positions: NDArray[np.float32] = field(converter=_float32)
    name: str
    label: int = -1
    subject: int = -1
    camera: int = -1
    setup: int = -1
    replication: int = -1
    split: tuple[int, ...] | int = 0
    tracks: NDArray[np.int64] | None = field(default=None, converter=_int64)
    rate: float = 0.0
    intervals: NDArray[np.int64] = field(default=(), converter=_intervals)

    def __attrs_post_init__(self) -> None:
        shape = self.positions.shape
        if len(shape) != 4 or 0 in shape:
            raise ValueError(
                f"clip {self.name!r}: positions must be (T, M, V, C) without a zero, got {shape}"
            )
        if self.tracks is not None and self.tracks.shape != shape[:2]:
            raise ValueError(
                f"clip {self.name!r}: tracks must be (T, M) = {shape[:2]}, got {self.tracks.shape}"
            )
        for _, start, stop in self.intervals.tolist():
            if not 0 <= start < stop <= shape[0]:
                raise ValueError(
                    f"clip {self.name!r}: an action from frame {start} to {stop}, there are {shape[0]}"
                )


NEAR_ORIGIN = 1e-30
"""Where a joint is stored that is at the origin, on its first axis: zero in all coordinates means missing."""


def keep_origin(positions: NDArray[np.float32], dims: int = 3) -> NDArray[np.float32]:
    """Tell joints at the origin from missing ones: they get `NEAR_ORIGIN`, which no unit can tell from zero.

    Args:
        positions: Coordinates (T, M, V, C) of recordings in which zero does not mean missing. A body
            whose joints are all at the origin is absent nevertheless.
        dims: How many of the channels are coordinates.
    """
    coordinates = positions[..., :dims]
    if coordinates.all():
        return positions
    zero = ~coordinates.any(-1)
    zero &= ~zero.all(-1, keepdims=True)
    if not zero.any():
        return positions
    kept = positions.copy()
    kept[zero, 0] = NEAR_ORIGIN
    return kept


@define(frozen=True)
class BadFile:
    """A file, or a clip in one, that could not be read.

    Attributes:
        name: The file within its source.
        reason: What is wrong with it.
        listed: Whether the data set itself says so; such a file is no error of a strict import.
    """

    name: str
    reason: str
    listed: bool = False
