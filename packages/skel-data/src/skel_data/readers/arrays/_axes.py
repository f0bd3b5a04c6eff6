"""Axes of arrays of skeletons, told by their sizes, and frames that only pad a clip."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._words import counted

_ORDERS = ("TMVC", "MTVC", "TVC", "CTVM", "CTV", "TVMC")
_MOST_BODIES = 16


def to_clip(array: NDArray[Any], joints: int, channels: tuple[int, ...]) -> NDArray[Any]:
    """The array of one clip as positions (T, M, V, C).

    Axes may be (T, V, C), (T, M, V, C), (M, T, V, C), (C, T, V), (C, T, V, M), or (T, D) with all numbers of
    a frame in a row, bodies before joints before channels.

    Args:
        array: Of one clip.
        joints: V.
        channels: Values that C may have, the most likely first.

    Raises:
        ValueError: If no order of axes fits, or two do.
    """
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise ValueError(f"an array of {array.dtype} {array.shape}, expected numbers")
    shape = array.shape
    if array.ndim == 2:
        for count in channels:
            bodies, rest = divmod(shape[1], joints * count)
            if rest == 0 and 1 <= bodies <= _MOST_BODIES:
                return array.reshape(len(array), bodies, joints, count)
    found = [
        order
        for order in _ORDERS
        if len(order) == array.ndim
        and shape[order.index("V")] == joints
        and shape[order.index("C")] in channels
        and ("M" not in order or shape[order.index("M")] <= _MOST_BODIES)
    ]
    if "TMVC" in found and "MTVC" in found:  # people are fewer than frames
        found.remove("TMVC" if shape[0] < shape[1] else "MTVC")
    if len(found) != 1:
        what = "could have its axes in two orders" if found else "does not fit"
        raise ValueError(
            f"an array of shape {shape} {what}, with {counted(joints, 'joint')} of "
            f"{' or '.join(map(str, channels))} numbers"
        )
    order = found[0]
    if "M" not in order:
        array, order = array[..., None], order + "M"
    return array.transpose([order.index(axis) for axis in "TMVC"])


def frames_without_padding(positions: NDArray[Any]) -> int:
    """Frames of a clip (T, M, V, C) before those that only pad it.

    These are zero frames at the end. If there are none, they are repetitions of the clip, as 2s-AGCN pads.
    """
    frames = len(positions)
    flat = positions.reshape(frames, -1)
    there = np.flatnonzero(flat.any(1))
    if len(there) == 0 or there[-1] + 1 < frames:
        return int(there[-1]) + 1 if len(there) else frames
    again = np.flatnonzero((flat[1:] == flat[0]).all(1)) + 1  # a padded clip comes back to its first frame
    if len(again) == frames - 1:
        return frames  # somebody who stands still
    return next((int(at) for at in again if at > 1 and np.array_equal(flat[at:], flat[:-at])), frames)


def without_absent(positions: NDArray[Any]) -> NDArray[Any]:
    """A clip (T, M, V, C) without the bodies behind the last one that is ever there; one body stays."""
    there = np.flatnonzero(positions.any((0, 2, 3)))
    return positions[:, : int(there[-1]) + 1 if len(there) else 1]
