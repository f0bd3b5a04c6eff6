"""Shared parts of the readers of pose estimators' JSON files: numbers, clips of people, classes of folders.

Labels: a clip's class is the name of the folder its file lies in (``CLASS/clip.json``, the folder anywhere
within the source), if all files lie in folders and these have at least two names. Else labels are unknown.

Time: the numbers of a clip's frames count in their common step. A number that is left out in between
is a frame without a body.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import define, evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, find_each, layout_wanted, paths_of
from skel_data.readers._source import Source
from skel_data.readers.keypoints._association import associate
from skel_data.store._info import DatasetInfo

MOST_BODIES = 1_000_000
"""Frames times bodies of one clip; more is no recording."""


@define(frozen=True, eq=False)
class Person:
    """One body in one frame.

    Attributes:
        joints: Coordinates and confidence (V, C).
        track: Who it is, from 0; -1 is unknown.
    """

    joints: NDArray[Any]
    track: int = -1


def numbers(values: Any, dims: int, what: str, *, null: bool = True) -> NDArray[Any]:
    """A list of numbers, or of lists of them, as an array of `dims` dimensions; null, if allowed, is NaN."""
    try:
        array = np.array(values)
        if null and array.dtype.kind == "O" and array.ndim == dims:  # null among them
            array = np.array(values, np.float64)
    except (ValueError, OverflowError, TypeError):  # lists of several lengths
        array = np.array(None)
    if array.ndim != dims or array.dtype.kind not in "iuf" or array.size == 0:
        raise ValueError(f"{what} must be a list of numbers" + " for each joint" * (dims - 1))
    if np.isinf(array).any():
        raise ValueError(f"{what} holds a number that is too large")
    return array


def joints_and_scores(values: Any, what: str) -> NDArray[Any]:
    """Joints (V, 3) from the list x, y, score, x, y, score, ..."""
    flat = numbers(values, 1, what)
    if len(flat) % 3:
        raise ValueError(f"{what} has {counted(len(flat), 'number')}, expected 3 for each joint")
    return flat.reshape(-1, 3)


def make_clip(name: str, label: int, frames: Mapping[int, Sequence[Person]], rate: float = 0.0) -> Clip:
    """Make a clip of the people of numbered frames.

    Who is who is told by tracks; where they do not say, by place from frame to frame: see `associate`. Slots
    are people in the order of each frame if all have tracks; else each person keeps a slot while seen.

    Raises:
        ValueError: If nobody is in it, people differ in joints, a track is twice in a frame, or it has
            more than `MOST_BODIES`.
    """
    bodies = max(map(len, frames.values()), default=0)
    if bodies == 0:
        raise ValueError(f"no person in any of {counted(len(frames), 'frame')}")
    order = sorted(frames)
    step = math.gcd(*(after - before for before, after in pairwise(order))) or 1
    count = (order[-1] - order[0]) // step + 1
    if count * bodies > MOST_BODIES:
        raise ValueError(
            f"frames numbered {order[0]} to {order[-1]} in steps of {step}, with up to {bodies} people: "
            f"more than {MOST_BODIES} bodies are no recording"
        )
    shapes = {person.joints.shape for people in frames.values() for person in people}
    if len(shapes) > 1:
        raise ValueError(f"people of different shapes: {', '.join(map(str, sorted(shapes)[:3]))}")
    given = []
    for number in order:
        known = [person.track for person in frames[number] if person.track >= 0]
        if len(set(known)) < len(known):
            raise ValueError(f"frame {number}: the same track twice, {known}")
        given.append([max(person.track, -1) + 1 for person in frames[number]])
    some = any(map(any, given))
    who = given
    if bodies > 1 and not all(map(all, given)):
        who = associate(
            [
                ((number - order[0]) // step, [person.joints for person in frames[number]], tracks)
                for number, tracks in zip(order, given, strict=True)
            ]
        )
        if not some:
            who = [[-person for person in people] for people in who]
    elif not some:
        who = [[1] * len(people) for people in given]
    elif not all(map(all, given)):  # one person at a time, who has no track in some frames
        who = [[person or -1 for person in people] for people in given]
    positions = np.zeros((count, bodies, *shapes.pop()), np.float32)
    tracks = np.zeros((count, bodies), np.int64)
    slots: dict[int, int] = {}
    with np.errstate(over="ignore"):  # becomes infinite, which a store refuses with a reason
        for number, people in zip(order, who, strict=True):
            frame = (number - order[0]) // step
            own = range(len(people)) if some or bodies == 1 else _slots(people, slots, bodies)
            for slot, person, found in zip(own, people, frames[number], strict=True):
                positions[frame, slot] = found.joints
                tracks[frame, slot] = person
    plain = not some and (np.where(tracks > 0, tracks - 1 - np.arange(bodies), 0) == 0).all()
    return Clip(positions, name, label, tracks=None if plain else tracks, rate=rate)


def _slots(people: Sequence[int], slots: dict[int, int], count: int) -> list[int]:
    """Slot of each person of a frame: the one of before, which `slots` keeps, or one that is free."""
    kept = {slots.get(person) for person in people}
    free = [slot for slot in range(count) if slot not in kept]
    taken: set[int] = set()
    for person in people:
        slot = slots.get(person)
        if slot is None or slot in taken:  # new, or two who had the same slot at other times
            slot = free.pop(0)
        taken.add(slot)
        slots[person] = slot
    return [slots[person] for person in people]


class Frames(dict[int, list[Person]]):
    """The people of a clip's frames, by number; what cannot be read costs its frame that person only."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []
        self.good = 0

    def add(self, number: int, read: Callable[[], Person]) -> None:
        """Add a person to a frame, or keep the reason why that cannot be read."""
        people = self.setdefault(number, [])
        try:
            people.append(read())
            self.good += 1
        except ValueError as error:
            self.reasons.append(f"frame {number}: {error}")

    def add_all(self, number: int, people: Any, read: Callable[[dict[str, Any]], Person], what: str) -> None:
        """Add a frame and the people in it, a list of objects; keep the reason where it is none."""
        self.setdefault(number, [])
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            self.reasons.append(f"frame {number}: {what} must be a list of objects, it is {brief(people)}")
            return
        for person in people:
            self.add(number, partial(read, person))

    def clip(self, name: str, label: int, rate: float = 0.0) -> Clip | list[Clip | BadFile]:
        """The clip, and before it what cannot be read, if there is anything: people of other joints, too.

        Raises:
            ValueError: If most people cannot be read, or no clip can be made.
        """
        shapes = Counter(person.joints.shape for people in self.values() for person in people)
        if len(shapes) > 1:
            usual = shapes.most_common(1)[0][0]
            for number, people in self.items():
                odd = [str(person.joints.shape) for person in people if person.joints.shape != usual]
                self.reasons += [
                    f"frame {number}: a body of shape {shape}, most have {usual}" for shape in odd
                ]
                self.good -= len(odd)
                people[:] = [person for person in people if person.joints.shape == usual]
        if len(self.reasons) > self.good:
            raise ValueError(self.reasons[0])
        clip = make_clip(name, label, self, rate)
        if not self.reasons:
            return clip
        return [*(BadFile(name, f"{reason}; left out of the clip") for reason in self.reasons), clip]


RATES = ("fps", "frame_rate", "framerate")
"""Keys of frames a second."""
_FASTEST = 1e5


def rate_of(content: Any) -> float:
    """Frames a second, where a file's object tells them, alone or under ``meta_info``; else 0."""
    about = content.get("meta_info", content) if isinstance(content, dict) else {}
    found = next((about[key] for key in RATES if key in about), 0) if isinstance(about, dict) else 0
    return float(found) if isinstance(found, int | float) and 0 < found < _FASTEST else 0.0


def track_of(value: Any) -> int:
    """A track id as a file has it, a whole number, alone or in a list; -1 where there is none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}(?:\.0*)?", value.strip()):
        value = float(value)
    if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
        value = None if math.isnan(value) else int(value)
    if value is None:
        return -1
    if type(value) is not int or value >= 2**62:
        raise ValueError(f"a track must be a whole number, not {brief(value)}")
    return max(value, -1)


def brief(value: Any) -> str:
    """A value in a message: its text if that is sure to be short, else its type."""
    if value is None:
        return "null"
    return repr(value)[:40] if isinstance(value, int | float | str) else f"a {type(value).__name__}"


def folder_labels(paths: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Label of each file by its folder, and the names of the classes; both empty if there are none."""
    folders = {path: PurePosixPath(path).parent.name for path in paths}
    classes = sorted(set(folders.values()))
    if len(classes) < 2 or "" in classes:
        return {}, ()
    return {path: classes.index(folder) for path, folder in folders.items()}, tuple(classes)


def json_paths(source: Source) -> list[str]:
    """The JSON files of a source."""
    return [path for path in source.paths() if path.lower().endswith(".json")]


ParseLabelled = Callable[[str, bytes, int], Clip | Iterable[Clip | BadFile]]


@define(frozen=True)
class First:
    """The first file of a source with a clip that can be read, which is not made a second time.

    Attributes:
        path: The file.
        clips: What it gave, with the class unknown.
        shape: Joints and channels of its first clip.
    """

    path: str
    clips: list[Clip | BadFile]
    shape: tuple[int, int]


def first_clips(source: Source, parse: ParseLabelled) -> First | None:
    """The first file with a clip that can be read; None if there is none."""
    for work in find_each(source, ".json", parse):
        if isinstance(work, Work):
            clips = evolve(work, args=(*work.args, -1)).clips()
            for clip in clips:
                if isinstance(clip, Clip):
                    joints, channels = clip.positions.shape[2:]
                    return First(work.name, clips, (joints, channels))
    return None


def find_clips(source: Source, parse: ParseLabelled, first: First | None = None) -> Iterator[Work | BadFile]:
    """One share of work for each JSON file: `parse` of its name, its content and its label.

    Args:
        source: The files.
        parse: Makes the clips of a file.
        first: What `first_clips` has made already.
    """
    labels, _ = folder_labels(json_paths(source))
    for work in find_each(source, ".json", parse):
        if isinstance(work, Work):
            label = labels.get(work.name, -1)
            if first is not None and work.name == first.path:
                work = Work(work.name, _labelled, (first.clips, label))
            else:
                work = evolve(work, args=(*work.args, label))
        yield work


def _labelled(clips: list[Clip | BadFile], label: int) -> list[Clip | BadFile]:
    return [evolve(clip, label=label) if isinstance(clip, Clip) else clip for clip in clips]


def json_reader(
    name: str,
    parse: ParseLabelled,
    usual: str,
    units: str,
    up: str = "",
    others: Mapping[tuple[int, int], str] | None = None,
    units_3d: str = "unknown",
) -> Reader:
    """Reader of sources with one JSON file a clip, in the usual layout unless another is given.

    Args:
        name: Name of the format.
        parse: Makes a clip of the name of a file, its content and its label.
        usual: Name of the usual layout.
        units: Unit of the coordinates.
        up: What points up in three dimensions, where that is not y.
        others: Names of other layouts by joints and channels of the first person there is.
        units_3d: Unit of coordinates of three dimensions.
    """

    def describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
        first = first_clips(source, parse) if others or layout is not None else None
        shape = None if first is None else first.shape
        if layout is None:
            layout = get_layout((others or {}).get(shape or (0, 0), usual))
            if others and shape and shape[0] != layout.num_joints:
                raise ValueError(f"{source.name}: {counted(shape[0], 'joint')}, {layout_wanted(shape[0])}")
        dims = shape[1] - 1 if shape and shape[1] in (3, 4) else layout.dims  # those that the file has
        layout = evolve(layout, confidence=True, dims=dims)
        classes = folder_labels(json_paths(source))[1]
        flat = layout.dims == 2
        info = DatasetInfo(layout, classes, units if flat else units_3d, up="" if flat else up)
        return info, partial(find_clips, parse=parse, first=first)

    folders = partial(paths_of, suffix=".json")
    return Reader(name, None, None, (), None, ".json", units=units, describe=describe, folders=folders)
