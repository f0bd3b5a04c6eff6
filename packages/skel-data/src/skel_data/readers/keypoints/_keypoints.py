"""Shared parts of the readers of pose estimators' JSON files: numbers, clips of people, classes of folders.

Labels: a clip's class is the name of the folder its file lies in (``CLASS/clip.json``, the folder anywhere
within the source), if all files lie in folders and these have at least two names. Else labels are unknown.

Time: the numbers of a clip's frames count in their common step. A number that is left out in between
is a frame without a body.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import define, evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Reader, Work, find_each
from skel_data.readers._source import Source
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


def numbers(values: Any, dims: int, what: str) -> NDArray[Any]:
    """A list of numbers, or of lists of numbers, as an array of `dims` dimensions; all must be finite."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError):  # lists of several lengths
        array = np.array(None)
    if array.ndim != dims or array.dtype.kind not in "iuf" or array.size == 0:
        raise ValueError(f"{what} must be a list of numbers" + " for each joint" * (dims - 1))
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds a number that is too large")
    return array


def joints_and_scores(values: Any, what: str) -> NDArray[Any]:
    """Joints (V, 3) from the list x, y, score, x, y, score, ..."""
    flat = numbers(values, 1, what)
    if len(flat) % 3:
        raise ValueError(f"{what} has {len(flat)} numbers, expected 3 for each joint")
    return flat.reshape(-1, 3)


def make_clip(name: str, label: int, frames: Mapping[int, Sequence[Person]]) -> Clip:
    """Make a clip of the people of numbered frames. Slots are people in the order of each frame.

    Raises:
        ValueError: If nobody is in it, people differ in joints, a track is twice in a frame, or it has
            more than `MOST_BODIES`.
    """
    bodies = max(map(len, frames.values()), default=0)
    if bodies == 0:
        raise ValueError(f"no person in any of {len(frames)} frames")
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
    positions = np.zeros((count, bodies, *shapes.pop()), np.float32)
    tracks = np.zeros((count, bodies), np.int64)
    for number in order:
        people = frames[number]
        frame = (number - order[0]) // step
        known = [person.track for person in people if person.track >= 0]
        if len(set(known)) < len(known):
            raise ValueError(f"frame {number}: the same track twice, {known}")
        for slot, person in enumerate(people):
            with np.errstate(over="ignore"):  # becomes infinite, which a store refuses with a reason
                positions[frame, slot] = person.joints
            tracks[frame, slot] = person.track + 1 if person.track >= 0 else -slot - 1
    return Clip(positions, name, label, tracks=tracks if (tracks > 0).any() else None)


def track_of(value: Any) -> int:
    """A track id as a file has it, a whole number; -1 where there is none."""
    if value is None:
        return -1
    if type(value) is not int or value >= 2**62:
        raise ValueError(f"a track must be a whole number, not {brief(value)}")
    return max(value, -1)


def brief(value: Any) -> str:
    """A value in a message: its text if that is sure to be short, else its type."""
    return repr(value)[:40] if isinstance(value, int | float | str) else f"a {type(value).__name__}"


def folder_labels(paths: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Label of each file by its folder, and the names of the classes; both empty where folders tell none."""
    folders = {path: PurePosixPath(path).parent.name for path in paths}
    classes = sorted(set(folders.values()))
    if len(classes) < 2 or "" in classes:
        return {}, ()
    return {path: classes.index(folder) for path, folder in folders.items()}, tuple(classes)


def json_paths(source: Source) -> list[str]:
    """The JSON files of a source."""
    paths = (entry[0] for entry in source if not isinstance(entry, BadFile))
    return [path for path in paths if path.lower().endswith(".json")]


ParseLabelled = Callable[[str, bytes, int], Clip]


def find_clips(source: Source, parse: ParseLabelled) -> Iterator[Work | BadFile]:
    """One share of work for each JSON file: `parse` of its name, its content and its label."""
    labels, _ = folder_labels(json_paths(source))
    for work in find_each(source, ".json", parse):
        if isinstance(work, Work):
            work = evolve(work, args=(*work.args, labels.get(work.name, -1)))
        yield work


def json_reader(name: str, parse: ParseLabelled, usual: str, units: str, up: str = "") -> Reader:
    """Reader of sources with one JSON file a clip, in the usual layout unless another is given.

    Args:
        name: Name of the format.
        parse: Makes a clip of the name of a file, its content and its label.
        usual: Name of the usual layout.
        units: Unit of the coordinates.
        up: What points up in three dimensions, where that is not y.
    """

    def describe(source: Source, layout: SkeletonLayout | None) -> DatasetInfo:
        layout = get_layout(usual) if layout is None else evolve(layout, confidence=True)
        classes = folder_labels(json_paths(source))[1]
        return DatasetInfo(layout, classes, units, up=up if layout.dims == 3 else "")

    find = partial(find_clips, parse=parse)
    return Reader(name, None, None, (), find, ".json", units=units, describe=describe)
