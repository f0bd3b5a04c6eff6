"""Readers of files that hold the people of a clip's frames, whose number of joints tells the layout."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout, layout_names
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, layout_wanted, paths_of, read_json
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import (
    Frames,
    Person,
    brief,
    find_clips,
    first_clips,
    folder_labels,
    json_paths,
    track_of,
)
from skel_data.store._info import DatasetInfo

FramesOf = Callable[[bytes], Frames]

LAYOUTS = {17: "coco-17", 18: "openpose-18", 26: "halpe-26", 133: "coco-wholebody-133", 136: "halpe-136"}
"""Usual layouts by the number of joints."""


def layout_for(shape: tuple[int, ...] | None, given: SkeletonLayout | None, where: str) -> SkeletonLayout:
    """The layout, with confidence: the given one, else the usual one with this number of joints and channels.

    Raises:
        ValueError: If there is no usual one.
    """
    if given is None:
        joints, channels = shape or (17, 3)
        usual = "h36m-17" if (joints, channels) == (17, 4) else LAYOUTS.get(joints)
        if usual not in layout_names():
            raise ValueError(f"{where}: {counted(joints, 'joint')}, {layout_wanted(joints)}")
        given = get_layout(str(usual))
    return evolve(given, confidence=True)


def any_track(person: Mapping[str, Any], *keys: str) -> int:
    """Who a person is: the first of these that it has; -1 if it has none."""
    return track_of(next((person[key] for key in keys if person.get(key) is not None), None))


def list_of_dicts(value: Any, what: str) -> list[dict[str, Any]]:
    """A list of objects; ValueError if it is something else."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{what} must be a list of objects, it is {brief(value)}")
    return value


def first_joints(
    source: Source, people_of: Callable[[bytes], list[Person]], suffix: str
) -> tuple[int, int] | None:
    """Joints and channels of the first person in a source; None if there is nobody."""
    for entry in source:
        if isinstance(entry, BadFile) or not entry[0].lower().endswith(suffix):
            continue
        try:
            people = people_of(entry[1]())
        except ValueError:  # reported when it is imported
            continue
        if people:
            joints, channels = people[0].joints.shape
            return joints, channels
    return None


def parse_people(name: str, data: bytes, label: int, frames_of: FramesOf) -> Clip | list[Clip | BadFile]:
    """Make a clip of one file; nobody in it is an error."""
    return frames_of(data).clip(name, label)


def people_reader(name: str, frames_of: FramesOf, units: str = "pixels") -> Reader:
    """Reader of sources with one JSON file a clip.

    Args:
        name: Name of the format.
        frames_of: Gives the people of each frame by a file's content; a function of a module.
        units: Unit of the coordinates.
    """

    def describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
        parse = partial(parse_people, frames_of=frames_of)
        first = first_clips(source, parse)
        chosen = layout_for(None if first is None else first.shape, layout, source.name)
        info = DatasetInfo(chosen, folder_labels(json_paths(source))[1], units)
        return info, partial(find_clips, parse=parse, first=first)

    return Reader(
        name,
        None,
        None,
        (),
        None,
        ".json",
        units=units,
        describe=describe,
        folders=partial(paths_of, suffix=".json"),
    )


def read_any(data: bytes) -> Any:
    """The content of a JSON file, or the list of those of its lines; NaN is a number here."""
    try:
        return read_json(data)
    except ValueError:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [read_json(line) for line in lines]
