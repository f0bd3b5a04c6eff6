"""MediaPipe Pose and Hands: one JSON file a clip, which users write from landmarks, or world landmarks.

In Python a frame is, with what ``PoseLandmarker`` gives:
``[[vars(mark) for mark in person] for person in result.pose_world_landmarks]``. The other forms that files
have are those of `frames_of`. MediaPipe's y points down.
"""

from functools import partial

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Find, Reader, paths_of, read_json
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import Person, find_clips, folder_labels, json_paths, make_clip
from skel_data.readers.keypoints._landmarks import frames_of
from skel_data.store._info import DatasetInfo

_LAYOUTS = {33: "mediapipe-33", 21: "hand-21"}


def parse(name: str, data: bytes, label: int = -1) -> Clip:
    """Make a clip of one file; nobody in it is an error."""
    frames = frames_of(read_json(data, nan=True))
    people = {number: [Person(marks) for marks in found] for number, found in frames.items()}
    return make_clip(name, label, people)


def _first(source: Source) -> NDArray[np.float64]:
    """The first person in a source; one with 33 landmarks and visibility where there is none."""
    for entry in source:
        if isinstance(entry, BadFile) or not entry[0].lower().endswith(".json"):
            continue
        try:
            people = [
                marks for found in frames_of(read_json(entry[1](), nan=True)).values() for marks in found
            ]
        except ValueError:  # reported when it is imported
            continue
        if people:
            return people[0]
    return np.zeros((33, 4))


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    joints, channels = _first(source).shape
    if layout is None:
        layout = evolve(get_layout(_LAYOUTS[joints]), dims=3)
    layout = evolve(layout, confidence=channels == 4)
    find = partial(find_clips, parse=parse)
    return DatasetInfo(layout, folder_labels(json_paths(source))[1], "unknown", up="-y"), find


MEDIAPIPE = Reader(
    "mediapipe",
    None,
    None,
    (),
    None,
    ".json",
    units="unknown",
    describe=_describe,
    folders=partial(paths_of, suffix=".json"),
)
