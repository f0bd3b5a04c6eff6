"""Labelled synthetic recordings: subjects that perform actions, alone or in twos, before cameras."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, evolve, fields
from numpy.typing import NDArray

from skel_data._clip import Clip
from skel_data._convert import convert
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._rotation import about
from skel_data.store._info import DatasetInfo
from skel_data.store._store import Store
from skel_data.store._write import write_store
from skel_data.synth._actions import ACTIONS, Angles, Performance
from skel_data.synth._body import JOINTS, pose
from skel_data.synth._pairs import PAIRS
from skel_data.synth._settings import LIMITS, SynthSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FOCAL, _MIDDLE = 1060.0, (960.0, 540.0)
"""Pixels of the camera that a layout of two dimensions is seen by: as the colour camera of a Kinect v2."""

_USUAL = SynthSettings()


def synth_clips(settings: SynthSettings = _USUAL) -> Iterator[Clip]:
    """Generate synthetic recordings, in metres in the space of the camera, or in pixels.

    Clips have `tracks` where more than one body may be seen. The bodies of a frame are in its first slots.

    The listed split is hard on purpose: odd subjects before all cameras but the last are for training, even
    subjects before the last camera for testing, so that both are unseen. The rest belongs to neither.

    Actions of two draw from generators of their own: the recordings of one person are the same without them.
    """
    raised = {name: min(getattr(settings, name) * settings.difficulty, top) for name, top in LIMITS.items()}
    settings = evolve(settings, difficulty=1.0, **raised)
    rng = np.random.default_rng(settings.seed)
    idle, paired, faults = (np.random.default_rng([settings.seed, stream]) for stream in (1, 2, 3))
    subjects = _Subjects(settings.subjects, settings.variety, rng)
    partners = _Subjects(settings.subjects, settings.variety, paired)
    layout = get_layout(settings.layout)
    for label, name in enumerate(settings.class_names):
        simulator = _Simulator(settings, subjects, partners, rng if name in ACTIONS else paired, idle)
        yield from _record(label, simulator.perform(name), simulator, layout, faults)


def synth_store(path: str | Path, settings: SynthSettings = _USUAL, *, overwrite: bool = False) -> Store:
    """Write synthetic recordings, those of `synth_clips`, to a store.

    Raises:
        FileExistsError: If `path` exists and may not be replaced.
    """
    layout = get_layout(settings.layout)
    changed = [
        f"{knob.name} {getattr(settings, knob.name)}"
        for knob in fields(SynthSettings)
        if knob.name == "seed" or getattr(settings, knob.name) != getattr(_USUAL, knob.name)
    ]
    units = "metres" if layout.dims == 3 else "pixels"
    info = DatasetInfo(layout, settings.class_names, units, dataset="synthetic", default_split="listed")
    source = f"synthetic, {', '.join(changed)}"
    return write_store(path, synth_clips(settings), info, source=source, overwrite=overwrite)


class _Subjects:
    """What each subject keeps through all performances."""

    def __init__(self, count: int, variety: float, rng: np.random.Generator) -> None:
        def around(low: float, high: float, shape: Any) -> Floats:
            factors: Floats = rng.uniform(1 - low * variety, 1 + high * variety, shape)
            return factors

        sides = np.arange(JOINTS)
        sides[[8, 9, 10, 11, 16, 17, 18, 19, 23, 24]] = [4, 5, 6, 7, 12, 13, 14, 15, 21, 22]
        self.bones = around(0.15, 0.15, (count, 1)) * around(0.1, 0.1, (count, JOINTS))[:, sides]
        self.size = around(0.25, 0.2, count)
        self.tempo = around(0.15, 0.15, count)
        self.bearing = rng.normal(0, 0.12 * variety, (count, 6))
        self.left_handed = rng.random(count) < 0.4 * min(variety, 1)


@define(frozen=True, eq=False)
class _Scene:
    """Performances of one action before any camera.

    Attributes:
        positions: Joints (N, T, M, V, 3).
        facing: Where each body faces (N, M), in radians about y; 0 is towards the camera.
        frames: Frames of each (N,).
        who: Subjects (N,), from 0.
        again: Repetitions (N,), from 0.
    """

    positions: Floats
    facing: Floats
    frames: Ints
    who: Ints
    again: Ints


@define(frozen=True, eq=False)
class _Simulator:
    """Performs actions and films them."""

    settings: SynthSettings
    subjects: _Subjects
    partners: _Subjects
    rng: np.random.Generator
    idle: np.random.Generator

    def perform(self, name: str) -> _Scene:
        """All performances of one action."""
        settings, rng = self.settings, self.rng
        who = np.repeat(np.arange(settings.subjects), settings.repetitions)
        again = np.tile(np.arange(settings.repetitions), settings.subjects)
        middle = (settings.longest + settings.shortest) / 2 / self.subjects.tempo[who]
        lengths = np.rint(rng.normal(middle, (settings.longest - settings.shortest) / 6)).astype(np.int64)
        lengths = lengths.clip(settings.shortest, settings.longest)
        pauses = self.idle.uniform(0, 1, (2, len(who))) * settings.idle * lengths
        before, after = np.rint(pauses).astype(np.int64)
        frames = before + lengths + after
        time = (np.arange(frames.max()) + 0.5 - before[:, None]) / lengths[:, None]
        performance = self._performance(time, who)
        if name in ACTIONS:
            body = _body(ACTIONS[name](performance), time.shape[1], who, self.subjects, rng)
            return _Scene(body[:, :, None], np.zeros((len(who), 1)), frames, who, again)
        positions, facing = self._face_to_face(name, performance, who)
        return _Scene(positions, facing, frames, who, again)

    def _performance(self, time: Floats, who: Ints) -> Performance:
        """How the performances run, given the time (N, T) from 0 to 1."""
        rng, subjects, tempo, column = self.rng, self.subjects, self.settings.tempo, (len(who), 1)
        start, end = rng.uniform(0.0, 0.22 * tempo, column), rng.uniform(1 - 0.22 * tempo, 1.0, column)
        speed = np.exp(rng.uniform(-0.35 * tempo, 0.35 * tempo, column))
        return Performance(
            progress=((time - start) / (end - start)).clip(0, 1) ** speed,
            size=subjects.size[who, None] * rng.uniform(0.85, 1.15, column),
            cycles=subjects.tempo[who, None] * rng.uniform(1 - 0.1 * tempo, 1 + 0.1 * tempo, column),
            phase=rng.uniform(0, 2 * np.pi, column),
        )

    def _face_to_face(self, name: str, performance: Performance, who: Ints) -> tuple[Floats, Floats]:
        """Joints (N, T, 2, V, 3) of subject and partner, and where they face (N, 2)."""
        gap, act = PAIRS[name]
        tall = (self.subjects.bones[who].mean(1) + self.partners.bones[who].mean(1)) / 2
        gap = gap * tall * self.rng.uniform(0.95, 1.05, len(who))
        # Seen from the side, so that neither hides the other; either may stand on the left
        aside = self.rng.choice([-np.pi / 2, np.pi / 2], len(who))
        aside = aside + np.deg2rad(self.rng.uniform(-25, 25, len(who)))
        facing = np.stack([aside, aside + np.pi], 1)
        bodies = []
        for place, crowd in enumerate((self.subjects, self.partners)):
            angles = act(performance)[place]
            forward = angles.pop("forward", np.zeros_like(performance.progress))
            body = _body(angles, forward.shape[1], who, crowd, self.rng)
            body[..., 2] += (gap[:, None] / 2 - forward)[..., None]
            bodies.append(np.einsum("nij,ntvj->ntvi", about(1, facing[:, place]), body))
        return np.stack(bodies, 2), facing

    def film(self, scene: _Scene, camera: int) -> Floats:
        """What one camera records: the joints in its space, with noise, and gaps where a limb is hidden."""
        settings, rng = self.settings, self.rng
        count, frames, bodies = scene.positions.shape[:3]
        half = settings.spread / 2
        directions = np.linspace(-half, half, settings.cameras) if settings.cameras > 1 else np.zeros(1)
        unsure = 0.15 * settings.spread
        yaw = np.deg2rad(directions[camera] + rng.uniform(-unsure, unsure, count))
        tilt = np.deg2rad(rng.uniform(0, 12, count))
        turn = about(0, tilt) @ about(1, yaw)
        place = np.stack(
            [rng.uniform(-0.5, 0.5, count), rng.uniform(-0.3, 0.3, count), rng.uniform(2, 4, count)], -1
        )
        joints = scene.positions.reshape(count, frames, -1, 3)
        seen: Floats = np.einsum("nij,ntvj->ntvi", turn, joints) + place[:, None, None]
        seen += rng.normal(0, settings.noise, seen.shape) * (place[:, None, None, 2:] / 3)
        seen = seen.reshape(scene.positions.shape)
        # The limbs on the far side are the ones hidden
        each = (count, bodies)
        far = np.where(np.sin(yaw[:, None] + scene.facing) > 0, 4, 8)
        limb = np.where(rng.random(each) < 0.7, far, 12 - far) + np.where(rng.random(each) < 0.3, 8, 0)
        begin = rng.uniform(0, frames, each)[:, None]
        end = begin + rng.uniform(5, 30, each)[:, None]
        hidden = (rng.random(each) < settings.hidden)[:, None]
        now = np.arange(frames)[:, None]
        clip, frame, body = np.nonzero(hidden & (now >= begin) & (now < end))
        for row in range(1, 4):  # elbow or knee, and what follows
            seen[clip, frame, body, limb[clip, body] + row] = 0
        return seen


def _record(
    label: int, scene: _Scene, simulator: _Simulator, layout: SkeletonLayout, faults: np.random.Generator
) -> Iterator[Clip]:
    """All clips of one action."""
    settings = simulator.settings
    filmed = [simulator.film(scene, camera) for camera in range(settings.cameras)]
    for i, (who, again, frames) in enumerate(zip(scene.who, scene.again, scene.frames, strict=True)):
        for camera in range(settings.cameras):
            subject, last = int(who) + 1, camera == settings.cameras - 1
            train = subject % 2 == 1 and (not last or settings.cameras == 1)
            test = subject % 2 == 0 and last
            positions, tracks = filmed[camera][i, :frames], None
            if positions.shape[1] > 1 or settings.ghosts > 0:
                positions, tracks = _track(positions, settings, faults)
            yield Clip(
                _seen_as(positions, layout),
                f"A{label + 1:02}S{subject:03}V{camera + 1:02}R{again + 1:02}",
                label=label,
                subject=subject,
                camera=camera + 1,
                replication=int(again) + 1,
                split=1 if train else 2 if test else 0,
                tracks=tracks,
            )


def _track(bodies: Floats, settings: SynthSettings, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """What a sensor makes of bodies (T, M, V, 3): positions and tracks, with its faults."""
    frames, count = bodies.shape[:2]
    there = np.ones((frames, count), bool)
    order = np.tile(rng.permutation(count), (frames, 1))
    if count > 1:
        if rng.random() < settings.late:
            cut = int(frames * rng.uniform(0.1, 0.4))
            part = slice(cut) if rng.random() < 0.5 else slice(frames - cut, None)
            there[part, rng.integers(count)] = False
        if rng.random() < settings.swapped:
            begin, end = np.sort(rng.integers(0, frames + 1, 2))
            order[begin:end] = order[begin:end, ::-1]
    if rng.random() < settings.ghosts:
        # It looks like somebody who stands still in another place
        thing = bodies[rng.integers(frames), rng.integers(count)]
        shift = rng.uniform((-1.5, -0.1, 0.3), (1.5, 0.1, 1.0))
        still = thing + shift + rng.normal(0, settings.noise, (frames, *thing.shape))
        still[:, (thing == 0).all(-1)] = 0
        length = int(rng.integers(5, 31))
        begin = int(rng.integers(0, max(frames - length, 0) + 1))
        now = np.arange(frames)[:, None]
        there = np.concatenate([there, (now >= begin) & (now < begin + length)], 1)
        order = np.concatenate([order, np.full_like(now, rng.choice([-1, count]))], 1)
        bodies = np.concatenate([bodies, still[:, None]], 1)
    ids = 2**56 + rng.integers(1 << 27) + np.arange(bodies.shape[1])  # of 17 digits, as a Kinect gives
    slots = np.argsort(np.where(there, order, bodies.shape[1]), axis=1, kind="stable")
    slots = slots[:, : there.sum(1).max()]
    seen = np.take_along_axis(there, slots, 1)
    positions = np.take_along_axis(bodies, slots[..., None, None], 1) * seen[..., None, None]
    return positions, ids[slots] * seen


def _body(act: Angles, frames: int, who: Ints, subjects: _Subjects, rng: np.random.Generator) -> Floats:
    """Joints (N, T, V, 3) of subjects that move so; the pelvis stands near the origin."""
    count = len(who)
    left = subjects.left_handed[who, None]
    angles = dict.fromkeys(["bend", "twist", "lean"], np.zeros((count, frames)))
    sides = {"right": "left", "left": "right"}
    for angle in [
        f"{side} {part}" for part in ("raise", "spread", "elbow", "thigh", "knee") for side in sides
    ]:
        side, part = angle.split()
        none = np.zeros((count, frames))
        angles[angle] = np.where(left, act.get(f"{sides[side]} {part}", none), act.get(angle, none))
    angles |= {name: angle for name, angle in act.items() if " " not in name and name != "bend"}
    angles["bend"] = angles["bend"] + act.get("bend", 0)
    # Bearing of the subject, and slow unrest that means nothing
    for place, angle in enumerate(("bend", "twist", "lean", "right elbow", "left elbow", "right spread")):
        bearing = subjects.bearing[who, place, None] * (1 if place < 3 else 2)
        angles[angle] = angles[angle] + (np.abs(bearing) if place >= 3 else bearing)
    for angle in angles:
        angles[angle] = angles[angle] + 0.06 * _unrest(count, frames, rng)
    root = np.stack([0.03 * _unrest(count, frames, rng) for _ in range(3)], -1)
    root[..., 1] -= 0.8 * (1 - np.cos(angles["left thigh"]))  # feet stay on the ground
    return pose(angles, subjects.bones[who], root)


def _unrest(count: int, frames: int, rng: np.random.Generator) -> Floats:
    """Slow random movement (N, T) with a spread near 1."""
    rate, phase = rng.uniform(0.02, 0.12, (count, 3, 1)), rng.uniform(0, 2 * np.pi, (count, 3, 1))
    waves: Floats = np.sin(rate * np.arange(frames) + phase).sum(1)
    return waves * 0.8


def _seen_as(positions: Floats, layout: SkeletonLayout) -> Floats:
    """Positions (..., V, C) of another layout from those of ntu-25 in metres (..., 25, 3).

    Confidence is 1 for joints that are seen and 0 for the others.
    """
    space = evolve(layout, dims=3, confidence=False)
    x = convert(positions, get_layout("ntu-25"), space, most_parents=1)
    if layout.dims == 2:
        there = (x != 0).any(-1, keepdims=True)
        scale = _FOCAL / np.where(there, x[..., 2:], 1)
        image = np.where(there, x[..., :2] * scale * (1, -1) + _MIDDLE, 0)
        x = np.concatenate([image, there], -1) if layout.confidence else image
    elif layout.confidence:
        x = np.concatenate([x, (x != 0).any(-1, keepdims=True)], -1)
    return x
