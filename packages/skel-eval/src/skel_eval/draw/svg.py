"""Stick figures in SVG: clips as strips, and as figures that ``report.js`` moves."""

from base64 import b64encode
from html import escape

import numpy as np

from skel_eval.draw.points import Points, aspect, fit, spaced, strip
from skel_eval.draw.skeleton import COLOURS, SHADES, SIDES, Skeleton

SIDE, _MARGIN = 240, 10
_MISSING = 255  # in bytes of a motion; coordinates lie in 0..SIDE
_LABEL = 14


def strip_svg(
    points: Points,
    skeleton: Skeleton,
    frames: int = 8,
    *,
    title: str = "",
    height: float = 110.0,
    panel: float = 18.0,
) -> str:
    """Draw evenly spaced frames of a clip side by side, at one scale.

    Frames without a body are passed over, and so are missing joints and the bones that end in them. Left and
    right limbs have colours of their own; further bodies are paler.

    Args:
        points: As from `clip_points`, (T, M, V, 2).
        skeleton: Its bones and sides.
        frames: Number of figures, at most as many as there are frames with a body.
        title: What it is, shown on hovering.
        height: Height of the drawing in pixels.
        panel: Least width of a figure in pixels, for strips of one size.

    Returns:
        One ``<svg>`` element.

    Raises:
        ValueError: If `frames` is below 1, or the skeleton does not fit the points.
    """
    shown = strip(points, frames, strip_room(height))
    step = max(shown.width, panel) + 10
    middles = step * (np.arange(len(shown.times)) + 0.5)
    figures = shown.points + np.stack([middles, np.full(len(middles), 4.0)], 1)[:, None, None]
    labels = "".join(
        f'<text x="{x:.1f}" y="{height - 2:g}">{time}</text>'
        for x, time in zip(middles, shown.times, strict=True)
    )
    return _svg(
        "strip",
        (step * max(len(middles), 1), height),
        _bodies(figures, skeleton, height / 70)
        + f'<g font-size="10" text-anchor="middle" fill="currentColor" fill-opacity=".6">{labels}</g>',
        title or "stick figures",
    )


def strip_room(height: float) -> float:
    """Height of the figures in a strip of this height."""
    return height - _LABEL - 8


def motion_svg(
    points: Points, skeleton: Skeleton, frames: int = 32, *, title: str = "", ratio: float | None = None
) -> str:
    """Draw a clip so that it moves, at one scale, with missing joints as in `strip_svg`.

    Without the script of the page the figure stands still in the middle of its motion.

    Args:
        points: As from `clip_points`, (T, M, V, 2).
        skeleton: Its bones and sides.
        frames: Frames of the motion, evenly spaced, at most as many as there are with a body.
        title: What it is, for those who cannot see it.
        ratio: Width / height; that of the clip if None.

    Returns:
        One ``<svg>`` element.

    Raises:
        ValueError: As `strip_svg`.
    """
    return moving_svg(points[spaced(points, frames)], skeleton, title, ratio or aspect(points))


def moving_svg(points: Points, skeleton: Skeleton, title: str, ratio: float) -> str:
    """As `motion_svg`, with all frames of the points."""
    places = motion(points, ratio)
    still = np.where(places == _MISSING, np.nan, places)[len(places) // 2 :][:1]
    body = _bodies(still, skeleton, 4, moving=True)
    return _svg("motion", _canvas(ratio), body, title or "motion", motion_data(places))


def preview_svg(bodies: int, joints: int, skeleton: Skeleton) -> str:
    """A square without a figure, for motions that the script puts into it."""
    nothing = np.full((1, bodies, joints, 2), np.nan)
    figure = _bodies(nothing, skeleton, 4, moving=True)
    return _svg("motion preview empty", (SIDE, SIDE), figure, "the clip of the point")


def motion(points: Points, ratio: float = 1.0) -> np.ndarray:
    """Frames of a clip on a canvas as bytes, (F, M, V, 2); 255 where a joint is missing.

    Args:
        points: (F, M, V, 2); bodies that never appear are left out behind the last that does.
        ratio: Width / height of the canvas; the longer side is `SIDE`.
    """
    there = ~np.isnan(points[..., 0]).all((0, 2))
    points = points[:, : int(np.flatnonzero(there).max(initial=-1)) + 1]
    inside = fit(points, *_canvas(ratio), _MARGIN)
    return np.where(np.isnan(inside), _MISSING, inside.round()).astype(np.uint8)


def motion_data(places: np.ndarray) -> str:
    """Frames of `motion` as attributes of an element."""
    count, bodies = places.shape[:2]
    return (
        f'data-motion="{b64encode(places.tobytes()).decode()}" data-frames="{count}" data-bodies="{bodies}"'
    )


def _canvas(ratio: float) -> tuple[float, float]:
    return round(SIDE * min(ratio, 1)), round(SIDE * min(1 / ratio, 1))


def _svg(kind: str, size: tuple[float, float], body: str, title: str, data: str = "") -> str:
    width, height = size
    return (
        f'<svg class="{kind}" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.1f} {height:.1f}" {data}>'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _bodies(figures: Points, skeleton: Skeleton, thick: float, *, moving: bool = False) -> str:
    """A group for each body, further ones under the first, with a path for bones and for joints of each side.

    Moving paths tell the script which joints they draw, and stay where there is nothing to draw.
    """
    _, bodies, joints, _ = figures.shape
    groups = []
    sides = skeleton.by_side(joints)
    for body in reversed(range(bodies)):
        texts = [[f"{x:g} {y:g}" for x, y in figure] for figure in figures[:, body].round(1).tolist()]
        there = ~np.isnan(figures[:, body, :, 0])
        paths = []
        for name, colour, (bones, dots) in zip(SIDES, COLOURS, sides, strict=True):
            lines = "".join(
                f"M{text[a]}L{text[b]}"
                for text, seen in zip(texts, there, strict=True)
                for a, b in bones
                if seen[a] and seen[b]
            )
            points = "".join(
                f"M{text[joint]}h0"
                for text, seen in zip(texts, there, strict=True)
                for joint in dots
                if seen[joint]
            )
            ends = [str(joint) for bone in bones for joint in bone]
            for path, drawn, width, key in (
                (lines, ends, thick, "bones"),
                (points, dots, 1.8 * thick, "joints"),
            ):
                if (moving and drawn) or path:
                    data = f' data-{key}="{" ".join(map(str, drawn))}"' if moving else ""
                    stroke = f'stroke="var(--side-{name},{colour})" stroke-width="{width:.1f}"'
                    paths.append(f'<path {stroke}{data} d="{path}"/>')
        shade = SHADES[body % len(SHADES)]
        pale = f' opacity="{shade:g}"' if shade < 1 else ""
        groups.append(f'<g fill="none" stroke-linecap="round"{pale}>{"".join(paths)}</g>')
    return "".join(groups)
