"""The synthetic actions of two persons, who stand face to face.

Like those of one person they come in couples that are alike in their poses and differ in when, in which order
or by whom something is done.
"""

from collections.abc import Callable
from functools import partial

from skel_data.synth._actions import Angles, Floats, Performance, through

Act = Callable[[Performance], tuple[Angles, Angles]]
"""Gives the angles of the one who acts and of the partner; `forward` is how many metres each has walked."""


def _arms(raise_by: Floats, elbow: Floats, close: Floats | None = None) -> Angles:
    """Both arms do the same; `close` brings them together before the chest."""
    angles: Angles = {}
    for side in ("left", "right"):
        angles |= {f"{side} raise": raise_by, f"{side} elbow": elbow}
        if close is not None:
            angles[f"{side} spread"] = close
    return angles


def _walk(p: Performance, forward: Floats) -> Angles:
    """Steps as long as the pelvis is on its way, arms against legs."""
    pace = through(p.progress, (0, 0.1, 0.9, 1), (0, 1, 1, 0))
    step = pace * p.swing(2)
    return {
        "forward": forward,
        "left thigh": 0.45 * step,
        "right thigh": -0.45 * step,
        "left knee": 0.35 * pace * (1 - p.swing(2)),
        "right knee": 0.35 * pace * (1 + p.swing(2)),
        "left raise": -0.4 * p.size * step,
        "right raise": 0.4 * p.size * step,
    }


def _shake_hands(p: Performance) -> tuple[Angles, Angles]:
    def one() -> Angles:
        return {
            "right raise": p.during() * (1.05 + 0.15 * p.size * p.swing(3)),
            "right elbow": 0.45 * p.during(),
            "right spread": -0.3 * p.during(),
        }

    return one(), one()


def _hand_over(p: Performance) -> tuple[Angles, Angles]:
    give = through(p.progress, (0, 0.3, 0.6, 0.85, 1), (0, 1, 1, 0, 0))
    take = through(p.progress, (0, 0.25, 0.5, 0.6, 0.85, 1), (0, 0, 1, 1, 0.3, 0))
    keep = through(p.progress, (0, 0.6, 0.85, 1), (0, 0, 1, 0.8))
    bent = 0.45 * take + 1.2 * keep
    return (
        {"right raise": 1.05 * p.size * give, "right elbow": 0.45 * give, "right spread": -0.3 * give},
        {"right raise": 1.05 * p.size * take, "right elbow": bent, "right spread": -0.3 * take},
    )


def _push_or_pull(p: Performance, direction: int) -> tuple[Angles, Angles]:
    arms = through(p.progress, (0, 0.25, 0.8, 1), (0, 1, 1, 0))
    # Bent and then stretched, or the other way round; the partner goes where the arms go
    ends = (1.5, 0.2) if direction > 0 else (0.2, 1.5)
    elbow = through(p.progress, (0, 0.25, 0.35, 0.55, 0.8, 1), (0, ends[0], ends[0], ends[1], ends[1], 0))
    go = through(p.progress, (0, 0.4, 0.65, 1), (0, 0, 1, 1))
    lean = through(p.progress, (0, 0.35, 0.5, 0.7, 1), (0, 0, 1, 0, 0))
    partner = {"forward": -0.35 * direction * p.size * go, "bend": -0.25 * direction * p.size * lean}
    return {**_arms(1.1 * arms, elbow), "bend": 0.15 * arms}, partner


def _hug(p: Performance) -> tuple[Angles, Angles]:
    near = through(p.progress, (0, 0.3, 0.75, 1), (0, 1, 1, 0))
    around = through(p.progress, (0, 0.2, 0.35, 0.7, 0.85, 1), (0, 0.6, -0.5, -0.5, 0.6, 0))

    def one(rise: float) -> Angles:
        arms = _arms(rise * p.size * near, 0.5 * near, around)
        return {**arms, "forward": 0.38 * near, "bend": 0.12 * near}

    return one(1.5), one(1.0)


def _pat(p: Performance) -> tuple[Angles, Angles]:
    reach = through(p.progress, (0, 0.3, 0.75, 1), (0, 1, 1, 0))
    actor = {
        "right raise": 1.4 * reach,
        "right elbow": reach * (0.5 + 0.4 * p.size * p.swing(3)),
        "right spread": -0.2 * reach,
        "forward": 0.3 * reach,
    }
    return actor, {"nod": 0.25 * reach, "bend": 0.08 * reach}


def _kick(p: Performance) -> tuple[Angles, Angles]:
    leg = through(p.progress, (0, 0.2, 0.45, 0.6, 1), (0, 0, 1, 1, 0))
    bent = through(p.progress, (0, 0.2, 0.32, 0.45, 0.6, 0.8, 1), (0, 0, 1.3, 0.1, 0.1, 0.8, 0))
    away = through(p.progress, (0, 0.42, 0.6, 1), (0, 0, 1, 1))
    actor = {
        "right thigh": 1.25 * p.size * leg,
        "right knee": bent,
        "bend": -0.25 * leg,
        "left raise": 0.5 * leg,
    }
    return actor, {"forward": -0.25 * away, "bend": 0.35 * p.size * away * (1 - p.progress)}


def _point(p: Performance) -> tuple[Angles, Angles]:
    arm = through(p.progress, (0, 0.3, 0.75, 1), (0, 1, 1, 0))
    actor = {"right raise": 1.35 * p.size * arm, "right elbow": 0.1 * arm, "bend": 0.1 * arm}
    return actor, {"nod": 0.1 * arm}


def _approach(p: Performance, leave: bool) -> tuple[Angles, Angles]:
    way = through(p.progress, (0, 1), (0.75, 0.0) if leave else (0.0, 0.75))
    return _walk(p, way), _walk(p, way)


PAIRS: dict[str, tuple[float, Act]] = {
    "shake hands": (1.1, _shake_hands),
    "hand over": (1.1, _hand_over),
    "push": (0.75, partial(_push_or_pull, direction=1)),
    "pull": (0.95, partial(_push_or_pull, direction=-1)),
    "hug": (1.1, _hug),
    "pat on the shoulder": (1.0, _pat),
    "kick": (0.85, _kick),
    "point at": (1.0, _point),
    "walk towards": (2.4, partial(_approach, leave=False)),
    "back away": (2.4, partial(_approach, leave=True)),
}
"""Actions of two by name: metres between the two where both have walked nowhere, and what they do."""
