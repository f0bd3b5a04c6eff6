"""Labelled synthetic recordings: subjects that perform actions before cameras."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field, validators
from numpy.typing import NDArray

from skel_data._clip import Clip
from skel_data._layout import get_layout
from skel_data._store import Store
from skel_data._write import write_store
from skel_data.synth._actions import ACTIONS, Performance
from skel_data.synth._body import JOINTS, about, pose

Floats = NDArray[np.float64]


def _between(low: float, high: float) -> Any:
    return [validators.ge(low), validators.le(high)]


@define(frozen=True)
class SynthSettings:
    """What is recorded.

    Every subject performs every action `repetitions` times, each time before all cameras at once.
    Subjects differ in proportions, size of movements, tempo, bearing and the hand they use;
    performances in start, speed profile and way of standing; cameras in direction, height and
    distance, and in what is hidden from them.

    Attributes:
        classes: How many of the actions, from the first.
        subjects: How many subjects.
        views: How many cameras, spread over 80 degrees.
        repetitions: Performances of each action by each subject.
        shortest: Fewest frames of a clip.
        longest: Most frames of a clip.
        noise: Standard deviation of the error of each coordinate, in metres.
        hidden: Share of clips in which a limb is missing for some time.
        seed: Same seed, same recordings.
    """

    classes: int = field(default=len(ACTIONS), validator=_between(2, len(ACTIONS)))
    subjects: int = field(default=10, validator=_between(2, 1000))
    views: int = field(default=3, validator=_between(1, 100))
    repetitions: int = field(default=2, validator=_between(1, 1000))
    shortest: int = field(default=30, validator=validators.ge(1))
    longest: int = field(default=120, validator=validators.ge(1))
    noise: float = field(default=0.012, validator=validators.ge(0))
    hidden: float = field(default=0.4, validator=_between(0, 1))
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.longest < self.shortest:
            raise ValueError(f"longest must be at least shortest = {self.shortest}, got {self.longest}")


_USUAL = SynthSettings()


def synth_clips(settings: SynthSettings = _USUAL) -> Iterator[Clip]:
    """The recordings, on the layout ntu-25, in metres in the space of the camera.

    The listed split is hard on purpose: odd subjects before all cameras but the last are for training, even
    subjects before the last camera for testing, so that both are unseen. The rest belongs to neither.
    """
    rng = np.random.default_rng(settings.seed)
    subjects = _Subjects(settings.subjects, rng)
    for label, name in enumerate(list(ACTIONS)[: settings.classes]):
        yield from _record(label, name, settings, subjects, rng)


def synth_store(
    path: str | Path,
    settings: SynthSettings = _USUAL,
    *,
    overwrite: bool = False,
) -> Store:
    """Write the recordings of `synth_clips` to a store.

    Raises:
        FileExistsError: If `path` exists and may not be replaced.
    """
    return write_store(
        path,
        synth_clips(settings),
        layout=get_layout("ntu-25"),
        classes=list(ACTIONS)[: settings.classes],
        dataset="synthetic",
        units="metres",
        source=f"synthetic, seed {settings.seed}",
        default_split="listed",
        overwrite=overwrite,
    )


class _Subjects:
    """What each subject keeps through all performances."""

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        sides = np.arange(JOINTS)
        sides[[8, 9, 10, 11, 16, 17, 18, 19, 23, 24]] = [4, 5, 6, 7, 12, 13, 14, 15, 21, 22]
        self.bones = rng.uniform(0.85, 1.15, (count, 1)) * rng.uniform(0.9, 1.1, (count, JOINTS))[:, sides]
        self.size = rng.uniform(0.75, 1.2, count)
        self.tempo = rng.uniform(0.85, 1.15, count)
        self.bearing = rng.normal(0, 0.12, (count, 6))
        self.left_handed = rng.random(count) < 0.4


def _record(
    label: int, name: str, settings: SynthSettings, subjects: _Subjects, rng: np.random.Generator
) -> Iterator[Clip]:
    """All clips of one action."""
    who = np.repeat(np.arange(settings.subjects), settings.repetitions)
    again = np.tile(np.arange(settings.repetitions), settings.subjects)
    count = len(who)
    middle = (settings.longest + settings.shortest) / 2 / subjects.tempo[who]
    lengths = rng.normal(middle, (settings.longest - settings.shortest) / 6)
    frames = np.rint(lengths).clip(settings.shortest, settings.longest).astype(np.int64)
    positions = _perform(name, frames, who, subjects, rng)
    moved = [_film(positions, view, settings, rng) for view in range(settings.views)]
    for i in range(count):
        for view in range(settings.views):
            subject, last = int(who[i]) + 1, view == settings.views - 1
            train = subject % 2 == 1 and (not last or settings.views == 1)
            test = subject % 2 == 0 and last
            yield Clip(
                moved[view][i, : frames[i], None],
                f"A{label + 1:02}S{subject:03}V{view + 1:02}R{again[i] + 1:02}",
                label=label,
                subject=subject,
                view=view + 1,
                replication=int(again[i]) + 1,
                split=1 if train else 2 if test else 0,
            )


def _perform(
    name: str,
    lengths: NDArray[np.int64],
    who: NDArray[np.int64],
    subjects: _Subjects,
    rng: np.random.Generator,
) -> Floats:
    """Joints (N, T, V, 3) of performances; the pelvis stands near the origin."""
    count, frames = len(who), np.arange(lengths.max())
    column = (count, 1)
    start, end = rng.uniform(0.0, 0.22, column), rng.uniform(0.78, 1.0, column)
    time = ((frames + 0.5) / lengths[:, None] - start) / (end - start)
    speed = np.exp(rng.uniform(-0.35, 0.35, column))
    act = ACTIONS[name](
        Performance(
            progress=time.clip(0, 1) ** speed,
            size=subjects.size[who, None] * rng.uniform(0.85, 1.15, column),
            cycles=subjects.tempo[who, None] * rng.uniform(0.9, 1.1, column),
            phase=rng.uniform(0, 2 * np.pi, column),
        )
    )
    left = subjects.left_handed[who, None]
    angles = dict.fromkeys(["bend", "twist", "lean"], np.zeros((count, len(frames))))
    sides = {"right": "left", "left": "right"}
    for angle in [
        f"{side} {part}" for part in ("raise", "spread", "elbow", "thigh", "knee") for side in sides
    ]:
        side, part = angle.split()
        none = np.zeros((count, len(frames)))
        angles[angle] = np.where(left, act.get(f"{sides[side]} {part}", none), act.get(angle, none))
    angles |= {name: angle for name, angle in act.items() if " " not in name and name != "bend"}
    angles["bend"] = angles["bend"] + act.get("bend", 0)
    # Bearing of the subject, and slow unrest that means nothing
    for place, angle in enumerate(("bend", "twist", "lean", "right elbow", "left elbow", "right spread")):
        bearing = subjects.bearing[who, place, None] * (1 if place < 3 else 2)
        angles[angle] = angles[angle] + (np.abs(bearing) if place >= 3 else bearing)
    for angle in angles:
        angles[angle] = angles[angle] + 0.06 * _unrest(count, len(frames), rng)
    root = np.stack([0.03 * _unrest(count, len(frames), rng) for _ in range(3)], -1)
    bones = subjects.bones[who]
    thigh = angles["left thigh"]
    root[..., 1] -= 0.8 * (1 - np.cos(thigh))  # feet stay on the ground
    return pose(angles, bones, root)


def _unrest(count: int, frames: int, rng: np.random.Generator) -> Floats:
    """Slow random movement (N, T) with a spread near 1."""
    rate, phase = rng.uniform(0.02, 0.12, (count, 3, 1)), rng.uniform(0, 2 * np.pi, (count, 3, 1))
    waves: Floats = np.sin(rate * np.arange(frames) + phase).sum(1)
    return waves * 0.8


def _film(positions: Floats, view: int, settings: SynthSettings, rng: np.random.Generator) -> Floats:
    """What one camera records: the joints in its space, with noise, and gaps where a limb is hidden."""
    count, frames = positions.shape[:2]
    spread = np.linspace(-40, 40, settings.views) if settings.views > 1 else np.zeros(1)
    yaw = np.deg2rad(spread[view] + rng.uniform(-12, 12, count))
    tilt = np.deg2rad(rng.uniform(0, 12, count))
    turn = about(0, tilt) @ about(1, yaw)
    place = np.stack(
        [rng.uniform(-0.5, 0.5, count), rng.uniform(-0.3, 0.3, count), rng.uniform(2, 4, count)], -1
    )
    seen: Floats = np.einsum("nij,ntvj->ntvi", turn, positions) + place[:, None, None]
    seen += rng.normal(0, settings.noise, seen.shape) * (place[:, None, None, 2:] / 3)
    # The limbs on the far side are the ones hidden
    far = np.where(yaw > 0, 4, 8)
    limb = np.where(rng.random(count) < 0.7, far, 12 - far) + np.where(rng.random(count) < 0.3, 8, 0)
    begin: Floats = rng.uniform(0, frames, (count, 1))
    end = begin + rng.uniform(5, 30, (count, 1))
    hidden = rng.random((count, 1)) < settings.hidden
    gap = hidden & (np.arange(frames) >= begin) & (np.arange(frames) < end)
    for row in range(1, 4):  # elbow or knee, and what follows
        clip, frame = np.nonzero(gap)
        seen[clip, frame, limb[clip] + row] = 0
    return seen
