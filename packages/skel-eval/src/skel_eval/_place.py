"""A clip in the plane: which frames are drawn, where their joints lie, which of them are there."""

from collections.abc import Sequence

import numpy as np

from skel_eval._arrays import Array, as_tensor

Bones = Sequence[tuple[int, int]]

_NEAR = 0.05  # share of the largest distance from the origin


def placed(
    clip: Array, bones: Bones, frames: int, axes: tuple[int, int], up: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evenly spaced frames among those with a body.

    A joint at exactly zero is missing, except one that the clip was centred on: it is zero throughout the
    clip, or the only one in its frame and close to the origin in the frame before or after.

    Args:
        clip: Coordinates, (C, T, V, M).
        bones: (child, parent) pairs of joints.
        frames: Number of frames, at most as many as there are with a body.
        axes: Channels drawn to the right and upwards.
        up: Whether the second axis points up.

    Returns:
        Numbers of the frames (F,), points with the second axis downwards (F, M, V, 2), and which of them are
        there (F, M, V).

    Raises:
        ValueError: If `clip` has not four axes, `frames` is below 1, or `axes` or `bones` name channels or
            joints that do not exist.
    """
    values = as_tensor(clip, "clip").cpu().double().numpy()
    if values.ndim != 4:
        raise ValueError(f"clip must have shape (C, T, V, M), got {values.shape}")
    channels, _, joints, _ = values.shape
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    if not all(0 <= axis < channels for axis in axes):
        raise ValueError(f"axes must lie in 0..{channels - 1}, got {axes}")
    if not all(0 <= joint < joints for bone in bones for joint in bone):
        raise ValueError(f"bones must name joints 0..{joints - 1}, got {tuple(bones)}")
    seen = _present(values)
    times = np.flatnonzero(seen.any((1, 2)))
    if len(times):
        times = times[np.linspace(0, len(times) - 1, min(frames, len(times))).round().astype(int)]
    points = values[list(axes)].transpose(1, 3, 2, 0)[times]
    return times, points * (1, -1) if up else points, seen.transpose(0, 2, 1)[times]


def _present(values: np.ndarray) -> np.ndarray:
    """Which joints are there, (T, V, M)."""
    there: np.ndarray = (values != 0).any(0)
    body = there.any(1, keepdims=True)
    centre = ~there.any(0)
    # one joint that is always zero is the origin of the clip; several are joints that were never seen
    centre &= centre.sum(0) == 1
    present: np.ndarray = there | (centre & body)
    # the origin may also be a joint of one frame, mostly of the first
    distance = np.sqrt((values**2).sum(0))
    near = np.pad(there & (distance <= _NEAR * distance.max(initial=0)), ((1, 1), (0, 0), (0, 0)))
    alone = (~present & body).sum(1, keepdims=True) == 1
    present |= body & alone & (near[:-2] | near[2:])
    return present
