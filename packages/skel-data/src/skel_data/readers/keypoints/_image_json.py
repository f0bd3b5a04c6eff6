"""Keypoints as MMPose and openpifpaf write them for single images: one JSON file an image.

A file has the list of its people, ``{"keypoints": [[x, y], ...], "keypoint_scores": [...]}`` (MMPose) or
``{"keypoints": [x, y, score, ...]}`` (openpifpaf, ``NAME_0012.jpg.predictions.json``). The images of one clip
lie in one folder; the last number in a file's name counts them, and an image without number is a clip of one
frame. The class is the folder's name where it holds several clips, else the name of the folder around it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._words import counted
from skel_data.readers._frames import Frame, clips_in, find_frames, frame_folders, frame_labels, numbered
from skel_data.readers._reader import Find, Reader, read_json
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import Person, joints_and_scores, make_clip, numbers
from skel_data.readers.keypoints._people import any_track, first_joints, layout_for, list_of_dicts
from skel_data.store._info import DatasetInfo

_SUFFIX = re.compile(r"(\.(jpe?g|png|bmp|tiff?|webp))?(\.predictions)?\.json$", re.IGNORECASE)


def people_of(data: bytes) -> list[Person]:
    """The people of an image."""
    return [
        Person(_joints(person), any_track(person, "track_id", "id_"))
        for person in list_of_dicts(read_json(data), "the file")
    ]


def _joints(person: dict[str, object]) -> np.ndarray:
    if "keypoint_scores" not in person:
        return joints_and_scores(person.get("keypoints"), "keypoints")
    joints = numbers(person.get("keypoints"), 2, "keypoints")
    scores = numbers(person["keypoint_scores"], 1, "keypoint_scores")
    if len(joints) != len(scores):
        raise ValueError(f"{counted(len(joints), 'keypoint')} but {counted(len(scores), 'keypoint_score')}")
    return np.column_stack([joints, scores])


def key(path: str) -> tuple[str, int] | None:
    """Clip and number of an image's file."""
    match = _SUFFIX.search(path)
    if match is None:
        return None
    return numbered(path, match[0].lower()) or (path[: match.start()], 0)


def parse_frames(name: str, label: int, frames: Sequence[Frame]) -> Iterator[Clip | BadFile]:
    """Make a clip of its images. A bad file is reported, and a frame without a body in the clip."""
    found: dict[int, list[Person]] = {}
    for path, number, read in frames:
        try:
            if number in found:
                raise ValueError(f"image {number} a second time")
            found[number] = people_of(read())
        except ValueError as error:
            yield BadFile(path, str(error))
            found.setdefault(number, [])
    yield make_clip(name, label, found)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    shape = first_joints(source, people_of, ".json")
    classes = frame_labels(list(clips_in(source, key)))[1]
    info = DatasetInfo(layout_for(shape, layout, source.name), classes, "pixels")
    if info.layout.dims == 3:  # as MMPose gives it
        info = evolve(info, units="metres", up="z")
    return info, partial(find_frames, key=key, parse=parse_frames)


IMAGE_JSON = Reader(
    "image-json",
    None,
    None,
    (),
    None,
    ".json",
    units="pixels",
    describe=_describe,
    folders=partial(frame_folders, key=key),
)
