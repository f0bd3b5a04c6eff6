"""A clip as a strip of stick figures, in SVG."""

from html import escape

import numpy as np

from skel_eval._arrays import Array
from skel_eval._place import Bones, placed

# first body in the colour of the text, others in colours that stay apart for colour-blind eyes
_BODY_COLOURS = ("currentColor", "#d55e00", "#0072b2", "#009e73")
_LABEL_HEIGHT = 12.0


def strip_svg(
    clip: Array,
    bones: Bones,
    frames: int = 8,
    *,
    title: str = "",
    height: float = 110.0,
    axes: tuple[int, int] = (0, 1),
    up: bool = True,
    standalone: bool = False,
) -> str:
    """Draw evenly spaced frames of a clip side by side.

    Frames without a body are passed over. Each figure is centred in its own panel; scale and
    height are shared by all panels. A joint at exactly zero is missing and not drawn, except one that
    the clip was centred on: it is zero throughout the clip, or the only one in its frame and close to
    the origin in the frame before or after.

    Args:
        clip: Coordinates, (C, T, V, M).
        bones: (child, parent) pairs of joints; a pair of equal joints is passed over.
        frames: Number of figures, at most as many as there are frames with a body.
        title: Text shown on hovering.
        height: Height of the drawing in pixels.
        axes: Channels drawn to the right and upwards.
        up: Whether the second axis points up; False for image coordinates.
        standalone: Whether the text will be a file of its own, not a part of an HTML page.

    Returns:
        One ``<svg>`` element.

    Raises:
        ValueError: If `clip` has not four axes, `frames` is below 1, or `axes` or `bones` name
            channels or joints that do not exist.
    """
    times, points, seen = placed(clip, bones, frames, axes, up)
    lowest, highest = _bounds(points, seen)
    width = (highest - lowest)[:, 0].max(initial=0.0)
    tall = highest[:, 1].max(initial=-np.inf) - lowest[:, 1].min(initial=np.inf)
    scale = (height - _LABEL_HEIGHT - 8) / max(tall, 0.6 * width, 1e-9)
    panel = max(width * scale, 18.0) + 10
    figures = []
    for index, time in enumerate(times):
        middle = (lowest[index, 0] + highest[index, 0]) / 2
        shift = np.array([(index + 0.5) * panel - middle * scale, 4 - lowest[:, 1].min() * scale])
        bodies = zip(points[index] * scale + shift, seen[index], strict=True)
        for body, (place, visible) in enumerate(bodies):
            figures.append(_figure(place, visible, bones, _BODY_COLOURS[body % len(_BODY_COLOURS)]))
        figures.append(
            f'<text x="{(index + 0.5) * panel:.1f}" y="{height - 2:.1f}" text-anchor="middle" '
            f'font-size="8" fill="currentColor" fill-opacity="0.6">{time}</text>'
        )
    full = max(len(times), 1) * panel
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    return (
        f'<svg{namespace} class="strip" role="img" width="{full:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {full:.1f} {height:.1f}"><title>{escape(title or "stick figures")}</title>'
        f"{''.join(figures)}</svg>"
    )


def _bounds(points: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates of each frame, both (frames, 2)."""
    shown = seen[..., None]
    lowest: np.ndarray = np.where(shown, points, np.inf).min((1, 2))
    highest: np.ndarray = np.where(shown, points, -np.inf).max((1, 2))
    return lowest, highest


def _figure(place: np.ndarray, visible: np.ndarray, bones: Bones, colour: str) -> str:
    if not visible.any():
        return ""
    text = [f"{x:.1f} {y:.1f}" for x, y in place]
    lines = "".join(f"M{text[a]}L{text[b]}" for a, b in bones if a != b and visible[a] and visible[b])
    dots = "".join(f"M{point}h0" for point, shown in zip(text, visible, strict=True) if shown)
    style = f'fill="none" stroke="{colour}" stroke-linecap="round"'
    return f'<path {style} stroke-width="1.6" d="{lines}"/><path {style} stroke-width="3" d="{dots}"/>'
