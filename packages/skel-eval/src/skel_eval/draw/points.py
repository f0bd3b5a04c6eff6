"""Points of a clip in the plane: which joints are there, and where figures stand on a canvas."""

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_eval._arrays import Array, as_tensor

Points = NDArray[np.float64]
"""(T, M, V, 2): x to the right, y down, NaN where a joint is missing."""

WIDEST = 1.6
"""Largest width / height of a panel."""
_NEAR = 0.05  # share of the largest distance from the origin


def clip_points(
    clip: Array,
    axes: tuple[int, int] = (0, 1),
    *,
    up: bool = True,
    known: np.ndarray | None = None,
    present: np.ndarray | None = None,
) -> Points:
    """Points of a clip in the plane, with NaN for missing joints.

    Args:
        clip: Coordinates, (C, T, V, M).
        axes: Channels drawn to the right and upwards.
        up: Whether the second axis points up; False for image coordinates.
        known: As `present_joints` takes it.
        present: Which joints are there, (T, V, M), if it is known better than `present_joints` can tell.

    Returns:
        (T, M, V, 2), x to the right and y down.

    Raises:
        ValueError: If `clip` has not four axes, or `axes` name channels that do not exist.
    """
    values = _values(clip)
    if not all(0 <= axis < len(values) for axis in axes):
        raise ValueError(f"axes must lie in 0..{len(values) - 1}, got {axes}")
    points: Points = values[list(axes)].transpose(1, 3, 2, 0) * (1, -1 if up else 1) + 0.0
    there = present_joints(values, known) if present is None else present
    points[~there.transpose(0, 2, 1)] = np.nan
    return points


def present_joints(clip: Array, known: np.ndarray | None = None) -> np.ndarray:
    """Which joints of a clip are there.

    A joint that is not finite, or at exactly zero, is missing, except one that the clip was centred on: it is
    zero throughout the clip, or the only one in its frame and close to the origin in the frame before or
    after.

    Args:
        clip: Coordinates, (C, T, V, M).
        known: Joints that the recording has at all, (V,), if that is known: others are never there.

    Returns:
        (T, V, M).
    """
    values = _values(clip)
    there: np.ndarray = (values != 0).any(0) & np.isfinite(values).all(0)
    could = np.ones(1, bool) if known is None else np.asarray(known)[:, None]
    body = there.any(1, keepdims=True)
    zero = (values == 0).all(0)
    centre = could & zero.any(0) & ~there.any(0)
    # one joint that is always zero is the origin of the clip; several are joints that were never seen
    centre &= centre.sum(0) == 1
    present: np.ndarray = there | (centre & body & zero)
    # the origin may also be a joint of one frame, mostly of the first
    distance = np.where(there, np.sqrt((values**2).sum(0)), 0)
    near = np.pad(there & (distance <= _NEAR * distance.max(initial=0)), ((1, 1), (0, 0), (0, 0)))
    gone = ~present & body & could
    alone = gone & zero & (gone.sum(1, keepdims=True) == 1)
    present |= alone & (near[:-2] | near[2:])
    return present


@define(frozen=True, eq=False)
class Strip:
    """Figures that stand side by side, each in a panel of its own.

    Attributes:
        times: Frame of each figure, (F,).
        points: (F, M, V, 2); x is 0 in the middle of a panel, y is 0 at its top.
        width: Width of the widest figure.
    """

    times: tuple[int, ...]
    points: Points
    width: float


def strip(points: Points, frames: int, height: float) -> Strip:
    """Evenly spaced frames at one scale, standing on one ground; those without a joint are passed over.

    Args:
        points: (T, M, V, 2).
        frames: Number of frames, at most as many as have a joint.
        height: Height of the panels.

    Raises:
        ValueError: If `frames` is below 1.
    """
    times = spaced(points, frames)
    if not len(times):
        return Strip((), points[:0], 0.0)
    shown = points[times]
    low, high = np.nanmin(shown, (1, 2)), np.nanmax(shown, (1, 2))
    wide, tall = (high - low)[:, 0].max(), high[:, 1].max() - low[:, 1].min()
    scale = height / max(tall, wide / WIDEST, 1e-9)
    ground = np.stack([(low[:, 0] + high[:, 0]) / 2, np.full(len(times), high[:, 1].max())], 1)
    placed = (shown - ground[:, None, None]) * scale + (0, height)
    return Strip(tuple(times.tolist()), placed, float(wide * scale))


def spaced(points: Points, frames: int) -> NDArray[np.intp]:
    """Evenly spaced ones of the frames that have a joint, at most `frames`."""
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    times = np.flatnonzero(~np.isnan(points[..., 0]).all((1, 2)))
    chosen: NDArray[np.intp] = times[
        np.linspace(0, len(times) - 1, min(frames, len(times))).round().astype(int)
    ]
    return chosen


def fit(points: Points, width: float, height: float, margin: float = 0) -> Points:
    """All frames at one scale, so that the whole clip fills a canvas and stands in its middle."""
    low, high = _bounds(points)
    room = np.array([width, height]) - 2 * margin
    scale = (room / np.maximum(high - low, 1e-9)).min()
    placed: Points = (points - (low + high) / 2) * scale + (width / 2, height / 2)
    return placed


def aspect(points: Points) -> float:
    """Width / height of all that a clip ever occupies, within the limits of a panel."""
    low, high = _bounds(points)
    wide, tall = high - low
    return float(np.clip(wide / max(tall, 1e-9), 1 / WIDEST, WIDEST))


def _bounds(points: Points) -> tuple[Points, Points]:
    known = points[~np.isnan(points[..., 0])]
    if not len(known):
        return np.zeros(2), np.ones(2)
    return known.min(0), known.max(0)


def _values(clip: Array) -> Points:
    values: Points = as_tensor(clip, "clip").cpu().double().numpy()
    if values.ndim != 4:
        raise ValueError(f"clip must have shape (C, T, V, M), got {values.shape}")
    return values
