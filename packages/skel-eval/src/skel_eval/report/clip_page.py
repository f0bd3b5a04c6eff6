"""A page of clips that move together, with the strip of each."""

from collections.abc import Mapping
from html import escape

from skel_eval.draw.points import Points, aspect
from skel_eval.draw.skeleton import Skeleton
from skel_eval.draw.svg import moving_svg, strip_svg
from skel_eval.report.page import document, film


def clip_page(
    title: str, clips: Mapping[str, Points], skeleton: Skeleton, *, frames: int = 10, fps: float = 30.0
) -> str:
    """Clips as a self-contained HTML page: each as a moving figure and as a strip.

    One button and one slider move all figures. Clips with another number of frames than the first are spread
    over the same time. Without scripts a still of each figure and the strips remain.

    Args:
        title: Headline.
        clips: Points (T, M, V, 2) by title, as from `clip_points`.
        skeleton: Bones and sides of all clips.
        frames: Figures in each strip.
        fps: Frames of the first clip per second.

    Raises:
        ValueError: If `frames` is below 1, or the skeleton does not fit the points.
    """
    length = len(next(iter(clips.values())))
    ratio = max(aspect(points) for points in clips.values())
    parts = []
    for name, points in clips.items():
        figure = moving_svg(points, skeleton, f"{name}, moving", ratio)
        figures = strip_svg(points, skeleton, frames, title=f"{name}, frame by frame", height=172)
        parts.append(
            f'<section><h2>{escape(name)}</h2><div class="clip">{figure}'
            f'<div class="wide" tabindex="0">{figures}</div></div></section>'
        )
    return document(title, "", "", film("".join(parts), skeleton, length, length / fps, fps))
