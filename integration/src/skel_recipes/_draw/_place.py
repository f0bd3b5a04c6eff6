"""Where the figures of a stage stand in a picture."""

import numpy as np
from attrs import define

from skel_recipes._draw._stage import Floats

NARROWEST, WIDEST = 0.65, 1.6
"""Limits of width / height of a panel."""


@define(frozen=True, eq=False)
class Strip:
    """Figures to stand side by side, each in a panel of its own.

    Attributes:
        times: Frame of each figure (F,).
        points: (F, M, V, 2); x is 0 in the middle of a panel, y is 0 at its top.
        width: Width of the widest figure.
    """

    times: tuple[int, ...]
    points: Floats
    width: float


def strip(points: Floats, frames: int, height: float) -> Strip:
    """Evenly spaced frames, at one scale; those without a joint are passed over.

    Args:
        points: (T, M, V, 2), of a stage.
        frames: How many, at most as many as have a joint.
        height: Height of the panels.
    """
    times = np.flatnonzero(~np.isnan(points[..., 0]).all((1, 2)))
    if not len(times):
        return Strip((), points[:0], 0.0)
    times = times[np.linspace(0, len(times) - 1, min(frames, len(times))).round().astype(int)]
    shown = points[times]
    gap = np.isnan(shown)
    low, high = (
        np.where(gap, np.inf, shown).min((1, 2)),
        np.where(gap, -np.inf, shown).max((1, 2)),
    )
    wide, tall = (high - low)[:, 0].max(), high[:, 1].max() - low[:, 1].min()
    scale = height / max(tall, wide / WIDEST, 1e-9)
    middle = np.stack([(low[:, 0] + high[:, 0]) / 2, np.full(len(times), high[:, 1].max())], 1)
    # A strip that is wider than tall stands on the ground of its panel
    placed = (shown - middle[:, None, None]) * scale + (0, height)
    return Strip(tuple(times.tolist()), placed, float(wide * scale))


def aspect(points: Floats) -> float:
    """Width / height of all that a stage ever occupies, within the limits of a panel."""
    low, high = _bounds(points)
    wide, tall = high - low
    return float(np.clip(wide / max(tall, 1e-9), NARROWEST, WIDEST))


def fit(points: Floats, width: float, height: float) -> Floats:
    """All frames at one scale, so that the whole of the stage fills a panel and stands in its middle."""
    low, high = _bounds(points)
    scale = (np.array([width, height]) / np.maximum(high - low, 1e-9)).min()
    placed: Floats = (points - (low + high) / 2) * scale + (width / 2, height / 2)
    return placed


def _bounds(points: Floats) -> tuple[Floats, Floats]:
    known = points[~np.isnan(points[..., 0])]
    if not len(known):
        return np.zeros(2), np.ones(2)
    return known.min(0), known.max(0)
