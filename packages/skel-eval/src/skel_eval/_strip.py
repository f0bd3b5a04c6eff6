"""A clip as a strip of stick figures, in SVG."""

from collections.abc import Sequence
from html import escape

import numpy as np

from skel_eval._arrays import Array, as_tensor

Bones = Sequence[tuple[int, int]]

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
    height are shared by all panels. A joint at exactly zero is missing and not drawn, except one
    that is zero throughout the clip: that is the joint the clip was centred on.

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
    points = values[list(axes)].transpose(1, 3, 2, 0)[times]  # frames, bodies, joints, 2
    seen = seen.transpose(0, 2, 1)[times]
    if up:
        points = points * (1, -1)
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


def _present(values: np.ndarray) -> np.ndarray:
    """Which joints are there, (T, V, M)."""
    there: np.ndarray = (values != 0).any(0)
    body = there.any(1, keepdims=True)
    centre = ~there.any(0)
    # one joint that is always zero is the origin of the clip; several are joints that were never seen
    centre &= centre.sum(0) == 1
    present: np.ndarray = there | (centre & body)
    return present


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
