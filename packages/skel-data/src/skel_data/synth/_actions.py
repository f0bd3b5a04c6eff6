"""The synthetic actions: programmes that move the angles of a body.

They come in pairs that pass through the same poses and differ in what a single pose does not show:
how fast, in which order, in step or against, which way round.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from attrs import define
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@define(frozen=True, eq=False)
class Performance:
    """How a batch of performances of one action runs; every array has a row for each.

    Attributes:
        progress: From 0 before to 1 after the action (N, T).
        size: How large the movements are (N, 1).
        cycles: Factor on the number of repetitions within the action (N, 1).
        phase: Where a repeated movement starts, in radians (N, 1).
    """

    progress: Floats
    size: Floats
    cycles: Floats
    phase: Floats

    def during(self) -> Floats:
        """1 during the action with a smooth rise and fall, 0 outside."""
        return through(self.progress, (0, 0.15, 0.85, 1), (0, 1, 1, 0))

    def swing(self, cycles: float, shift: float = 0.0) -> Floats:
        """A repeated movement between -1 and 1."""
        return np.sin(2 * np.pi * cycles * self.cycles * self.progress + self.phase + shift)


def through(progress: Floats, at: tuple[float, ...], values: tuple[float, ...]) -> Floats:
    """A smooth way through values: rests at each and speeds up between."""
    place = np.interp(progress, at, np.arange(len(at)))
    step = place - np.floor(place)
    return np.interp(np.floor(place) + step * step * (3 - 2 * step), np.arange(len(at)), values)


Angles = dict[str, Floats]


def _wave(p: Performance, cycles: float) -> Angles:
    return {
        "right spread": 1.3 * p.during(),
        "right elbow": p.during() * (1.3 + 0.8 * p.size * p.swing(cycles)),
    }


def _raise_and_reach(p: Performance, reach_first: bool) -> Angles:
    # Up at 2.7, forward at 1.4; the elbow is bent on the way to either
    tops = (1.4, 2.7) if reach_first else (2.7, 1.4)
    arm = through(p.progress, (0, 0.28, 0.5, 0.72, 1), (0, tops[0], 0.3, tops[1], 0))
    elbow = through(p.progress, (0, 0.14, 0.28, 0.5, 0.64, 0.8, 1), (0, 1.2, 0.1, 0.9, 1.2, 0.1, 0))
    return {"right raise": p.size * arm, "right elbow": elbow}


def _arms(p: Performance, shift: float) -> Angles:
    size = 0.8 * p.size * p.during()
    return {
        "right raise": 0.3 + size * p.swing(3),
        "left raise": 0.3 + size * p.swing(3, shift),
        "right elbow": 0.4 + 0 * size,
        "left elbow": 0.4 + 0 * size,
    }


def _bow(p: Performance, times: int) -> Angles:
    if times == 1:
        bend = through(p.progress, (0, 0.25, 0.75, 1), (0, 1, 1, 0))
    else:
        bend = (1 - np.cos(2 * np.pi * times * p.progress)) / 2
    return {"bend": 0.9 * p.size * bend, "nod": 0.3 * bend}


def _squat_and_stretch(p: Performance, stretch_first: bool) -> Angles:
    first = through(p.progress, (0, 0.25, 0.5, 1), (0, 1, 0, 0))
    second = through(p.progress, (0, 0.5, 0.75, 1), (0, 0, 1, 0))
    squat, stretch = (second, first) if stretch_first else (first, second)
    angles = {"bend": 0.4 * squat}
    for side in ("left", "right"):
        angles |= {
            f"{side} thigh": 1.1 * p.size * squat,
            f"{side} knee": 1.9 * p.size * squat,
            f"{side} raise": 0.8 * squat,
            f"{side} spread": 2.4 * stretch,
        }
    return angles


def _circle(p: Performance, direction: int) -> Angles:
    size = 0.55 * p.size * p.during()
    return {
        "right raise": 1.2 * p.during() + size * p.swing(2.5),
        "right spread": 0.5 * p.during() + direction * size * p.swing(2.5, np.pi / 2),
    }


ACTIONS: dict[str, Callable[[Performance], Angles]] = {
    "wave slowly": partial(_wave, cycles=2),
    "wave fast": partial(_wave, cycles=4.5),
    "raise then reach": partial(_raise_and_reach, reach_first=False),
    "reach then raise": partial(_raise_and_reach, reach_first=True),
    "swing arms together": partial(_arms, shift=0.0),
    "swing arms in turn": partial(_arms, shift=np.pi),
    "bow and hold": partial(_bow, times=1),
    "bow twice": partial(_bow, times=2),
    "squat then stretch": partial(_squat_and_stretch, stretch_first=False),
    "stretch then squat": partial(_squat_and_stretch, stretch_first=True),
    "circle inwards": partial(_circle, direction=1),
    "circle outwards": partial(_circle, direction=-1),
}
"""Actions by name; those of one arm are done with the right."""
