"""A clip as a stick figure that moves: an SVG with its frames as bytes, played by ``report.js``."""

from base64 import b64encode
from html import escape

import numpy as np

from skel_eval._arrays import Array
from skel_eval._place import Bones, placed

# places are whole numbers from 0 to SIDE, so that one byte holds one
SIDE, _MARGIN, _MISSING = 240, 10, 255


def motion_svg(
    clip: Array,
    bones: Bones,
    frames: int = 32,
    *,
    title: str = "",
    axes: tuple[int, int] = (0, 1),
    up: bool = True,
) -> str:
    """Draw a clip so that it moves, from one place of view, at one scale.

    Without the script of the page the figure stands still in the middle of its motion. Missing joints are
    left out as in `strip_svg`.

    Args:
        clip: Coordinates, (C, T, V, M).
        bones: (child, parent) pairs of joints.
        frames: Frames of the motion, evenly spaced, at most as many as there are with a body.
        title: What it is, for those who cannot see it.
        axes: Channels drawn to the right and upwards.
        up: Whether the second axis points up; False for image coordinates.

    Returns:
        One ``<svg>`` element.

    Raises:
        ValueError: As `strip_svg`.
    """
    places = motion(clip, bones, frames, axes=axes, up=up)
    paths = "" if len(places) == 0 else "".join(_body(body, bones) for body in places[len(places) // 2])
    return (
        f'<svg class="motion" role="img" viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" height="{SIDE}" '
        f'aria-label="{escape(title or "motion")}" '
        f"{bones_data(bones, places.shape[2])} {motion_data(places)}>{paths}</svg>"
    )


def motion(
    clip: Array, bones: Bones, frames: int, *, axes: tuple[int, int] = (0, 1), up: bool = True
) -> np.ndarray:
    """Frames of a clip in a square of SIDE, as bytes, (F, M, V, 2); 255 where a joint is missing.

    Bodies that are never seen are left out.

    Args:
        clip: Coordinates, (C, T, V, M).
        bones: (child, parent) pairs of joints.
        frames: Number of frames, at most.
        axes: Channels drawn to the right and upwards.
        up: Whether the second axis points up.
    """
    _, points, seen = placed(clip, bones, frames, axes, up)
    bodies = seen.any((0, 2))
    points, seen = points[:, bodies], seen[:, bodies]
    if not len(points):
        return np.zeros((0, 0, clip.shape[2], 2), np.uint8)
    lowest, highest = points[seen].min(0), points[seen].max(0)
    scale = (SIDE - 2 * _MARGIN) / max(float((highest - lowest).max()), 1e-9)
    inside = (points - (lowest + highest) / 2) * scale + SIDE / 2
    return np.where(seen[..., None], inside.round(), _MISSING).astype(np.uint8)


def motion_data(places: np.ndarray) -> str:
    """Frames as attributes of an element.

    Args:
        places: As from `motion`, (F, M, V, 2).
    """
    return f'data-motion="{b64encode(places.tobytes()).decode()}" data-bodies="{places.shape[1]}"'


def bones_data(bones: Bones, joints: int) -> str:
    """Bones and number of joints as attributes of an element."""
    return f'data-bones="{" ".join(f"{a} {b}" for a, b in bones if a != b)}" data-joints="{joints}"'


def _body(places: np.ndarray, bones: Bones) -> str:
    """Bones and joints of a body (V, 2)."""
    seen = places[:, 0] != _MISSING
    text = [f"{x} {y}" for x, y in places.tolist()]
    lines = "".join(f"M{text[a]}L{text[b]}" for a, b in bones if a != b and seen[a] and seen[b])
    dots = "".join(f"M{point}h0" for point, there in zip(text, seen, strict=True) if there)
    return f'<path d="{lines}"/><path class="joint" d="{dots}"/>'
