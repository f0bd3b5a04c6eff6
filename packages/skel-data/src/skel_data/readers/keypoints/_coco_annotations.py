"""COCO annotation files (Lin et al., ECCV 2014), as annotation tools and PoseTrack write them.

A file has ``images`` and ``annotations``, whose ``keypoints`` are x, y and v for each joint. Where v is 0, 1
or 2 in all of a file, 0 is missing, and the confidence of the others is 1; else v is the confidence. The
images of one ``video_id`` (or ``vid_id``, ``video``) are a clip, else those of one folder in ``file_name``.
The frame is ``frame_id``, else the last number in ``file_name``. ``track_id`` tells who is who. Several clips
of one file are called by their video or folder. The class of a file is the name of its folder. Where the file
names its joints (``keypoints`` of a category), the layout is the built-in one that has them in this order.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout, layout_names
from skel_data.readers._reader import Find, Reader, Work, find_each, layout_wanted, paths_of, read_json
from skel_data.readers._source import Source
from skel_data.readers.arrays._columns import match_joints
from skel_data.readers.keypoints._coco_keypoints import _number
from skel_data.readers.keypoints._keypoints import (
    Frames,
    Person,
    folder_labels,
    joints_and_scores,
    json_paths,
)
from skel_data.readers.keypoints._people import (
    LAYOUTS,
    any_track,
    first_joints,
    layout_for,
    list_of_dicts,
)
from skel_data.store._info import DatasetInfo

_VIDEO = ("video_id", "vid_id", "video")
_FRAME = ("frame_id", "frame_index", "frame")


def _content(data: bytes) -> dict[str, Any]:
    content = read_json(data)
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise ValueError("no object with 'images' and 'annotations'")
    return content


def names_of(data: bytes) -> list[str]:
    """The joints as the first category that has joints names them; empty if none does."""
    categories = _content(data).get("categories")
    for category in categories if isinstance(categories, list) else []:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list) and names:
            return [str(name) for name in names]
    return []


def clips_of(data: bytes) -> dict[str, Frames]:
    """The people of each frame of each clip of a file."""
    content = _content(data)
    clips: dict[str, Frames] = {}
    homes: dict[str, tuple[Frames, int]] = {}
    for place, image in enumerate(list_of_dicts(content["images"], "images")):
        clip, frame = _clip(image), _frame(image, place)
        frames = clips.setdefault(clip, Frames())
        if frame in frames or _id(image.get("id")) in homes:
            raise ValueError(f"image {image.get('id')!r}: frame {frame} of clip {clip!r} a second time")
        frames[frame] = []
        homes[_id(image.get("id"))] = frames, frame
    people = list_of_dicts(content["annotations"], "annotations")
    people = [person for person in people if person.get("keypoints")]
    arrays = [_joints(person) for person in people]
    flags = all(np.isin(joints[:, 2], (0, 1, 2)).all() for joints in arrays if joints is not None)
    for person, joints in zip(people, arrays, strict=True):
        home = homes.get(_id(person.get("image_id")))
        if home is None:
            raise ValueError(
                f"an annotation of image {person.get('image_id')!r}, which is not among the images"
            )
        if joints is None or joints.any():
            home[0].add(home[1], partial(_person, person, joints, flags))
    return clips


def _joints(person: dict[str, Any]) -> NDArray[Any] | None:
    """Joints and flags or scores; None if they cannot be read."""
    try:
        return joints_and_scores(person["keypoints"], "keypoints")
    except ValueError:
        return None


def _person(person: dict[str, Any], joints: NDArray[Any] | None, flags: bool) -> Person:
    if joints is None:
        joints = joints_and_scores(person["keypoints"], "keypoints")  # for its reason
    elif flags:
        joints = np.where(joints[:, 2:] > 0, [1, 1, 0], 0) * joints + [0, 0, 1] * (joints[:, 2:] > 0)
    return Person(joints, any_track(person, "track_id", "instance_id"))


def _id(value: Any) -> str:
    return repr(value)[:100]


def _clip(image: dict[str, Any]) -> str:
    told = next((image[key] for key in _VIDEO if image.get(key) is not None), None)
    folder = PurePosixPath(str(image.get("file_name", ""))).parent.name
    return folder if told is None else PurePosixPath(str(told)).name


def _frame(image: dict[str, Any], place: int) -> int:
    told = next((image[key] for key in _FRAME if type(image.get(key)) is int), None)
    if told is not None:
        return int(told)
    try:
        return _number(PurePosixPath(str(image["file_name"])).name)
    except (KeyError, ValueError):
        return place


def parse(name: str, data: bytes, label: int) -> Iterator[Clip | BadFile]:
    """Make the clips of one file; one without a person is a bad file."""
    clips = clips_of(data)
    for clip, frames in clips.items():
        called = name if len(clips) == 1 else f"{name}_{clip}"
        try:
            made = frames.clip(called, label)
            yield from (made,) if isinstance(made, Clip) else made
        except ValueError as error:
            yield BadFile(called, str(error))


def _everybody(data: bytes) -> list[Person]:
    return [person for frames in clips_of(data).values() for found in frames.values() for person in found]


def _named_layout(names: list[str], count: int, where: str) -> SkeletonLayout | None:
    """The built-in layout with these joints in this order; None if `count` joints have no names."""
    if len(names) != count or all(name[-1:].isdigit() for name in names):
        return None
    usual = [LAYOUTS[count]] if count in LAYOUTS else []
    for preset in map(get_layout, [*usual, *layout_names()]):
        try:
            if match_joints(names, preset) == names:
                return evolve(preset, dims=2)
        except ValueError:
            continue
    raise ValueError(
        f"{where}: no built-in layout has the joints {', '.join(names)[:500]} in this order, "
        f"{layout_wanted()}"
    )


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    labels, classes = folder_labels(json_paths(source))
    names: list[str] = []

    def everybody(data: bytes) -> list[Person]:
        names[:] = names or names_of(data)
        return _everybody(data)

    shape = first_joints(source, everybody, ".json")
    given = layout or (None if shape is None else _named_layout(names, shape[0], source.name))
    chosen = layout_for(shape, given, source.name)
    return DatasetInfo(chosen, classes, "pixels"), partial(_find, labels=labels)


def _find(source: Source, labels: dict[str, int]) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".json", parse, later=True):
        label = labels.get(work.name, -1)
        yield evolve(work, args=(*work.args, label)) if isinstance(work, Work) else work


COCO_ANNOTATIONS = Reader(
    "coco-annotations",
    None,
    None,
    (),
    None,
    ".json",
    units="pixels",
    describe=_describe,
    folders=partial(paths_of, suffix=".json"),
)
