"""The up axis of recordings: found from the bodies in them, and turned to y."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._joint_names import joint_names
from skel_data._layout import SkeletonLayout

AXES = ("x", "y", "z", "-x", "-y", "-z")
"""What may point up."""

# Where x, y and z come from, with their signs: rotations by a quarter or half turn
_TURNS = {
    "y": ((0, 1), (1, 1), (2, 1)),
    "-y": ((0, 1), (1, -1), (2, -1)),
    "z": ((0, 1), (2, 1), (1, -1)),
    "-z": ((0, 1), (2, -1), (1, 1)),
    "x": ((1, -1), (0, 1), (2, 1)),
    "-x": ((1, 1), (0, -1), (2, 1)),
}
_PLAIN = 0.6
"""Least length of the mean of unit vectors that have a common direction."""
_LEVELS = (
    ("head top", "head", "face", "nose", "neck", "upperneck", "lowerneck", "eye", "ear"),
    ("spine shoulder", "shoulder center", "thorax", "shoulder", "clavicle", "collar", "spine 3"),
    ("pelvis", "spine base", "hip center", "mid hip", "hips", "hip", "root", "hipjoint"),
    ("knee", "femur"),
    ("ankle", "tibia", "foot", "heel", "toe", "toes", "big toe", "small toe", "foot index"),
)
"""Places from the top of a body down."""


def turn_up(positions: NDArray[Any], up: str) -> NDArray[Any]:
    """Turn positions (..., C) so that what points up does so along y; exact, as no coordinates are mixed.

    Args:
        positions: Coordinates x, y, z, and perhaps confidence.
        up: One of `AXES`.
    """
    if up == "y":
        return positions
    turned = positions.copy()
    for to, (axis, sign) in enumerate(_TURNS[up]):
        turned[..., to] = positions[..., axis] if sign > 0 else 0 - positions[..., axis]  # no -0
    return turned


def find_up(clips: Iterable[NDArray[Any]], layout: SkeletonLayout) -> str:
    """The axis along which bodies stand: from their feet to their heads, in the mean over clips.

    Args:
        clips: Positions (T, M, V, C) of clips.
        layout: Their joints, of three dimensions.

    Returns:
        One of `AXES`; "" if they stand along none, or the joints' names do not tell head from feet.
    """
    levels = [_level(layout, names) for names in _LEVELS]
    known = [joints for joints in levels if joints]
    if len(known) < 2 or layout.dims != 3:
        return ""
    vectors = []
    for clip in clips:
        x = np.asarray(clip, np.float64)
        there = np.isfinite(x).all(-1) & (x[..., :3] != 0).any(-1)
        if layout.confidence:
            there &= x[..., 3] > 0
        for above, below in ((known[0], known[-1]), (known[0], known[1]), (known[-2], known[-1])):
            seen = there[..., above].any(-1) & there[..., below].any(-1)
            if seen.any():
                up = (_mean(x, there, above) - _mean(x, there, below))[seen]
                vectors.append((up / np.linalg.norm(up, axis=-1, keepdims=True).clip(1e-30)).mean(0))
                break
    mean = np.mean(vectors, axis=0) if vectors else np.zeros(3)
    axis = int(np.abs(mean).argmax())
    if abs(mean[axis]) < _PLAIN:
        return ""
    return ("-" if mean[axis] < 0 else "") + "xyz"[axis]


def _level(layout: SkeletonLayout, names: tuple[str, ...]) -> list[int]:
    bases = [place.removeprefix("left ").removeprefix("right ") for place in joint_names(layout)[1]]
    return [joint for joint, base in enumerate(bases) if base in names]


def _mean(x: NDArray[Any], there: NDArray[np.bool_], joints: list[int]) -> NDArray[Any]:
    own = there[..., joints, None]
    total: NDArray[Any] = np.where(own, x[..., joints, :3], 0).sum(-2) / own.sum(-2).clip(1)
    return total
