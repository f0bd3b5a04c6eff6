"""MediaPipe Pose and Hands: one JSON file a clip, which users write from landmarks, or world landmarks.

In Python a frame is, with what ``PoseLandmarker`` gives:
``[[vars(mark) for mark in person] for person in result.pose_world_landmarks]``. The other forms that files
have are those of `frames_of`; the object around them may have ``fps``. MediaPipe's y points down. It tells no
visibility of hands: what files have there, which is 0 or null, is passed over.
"""

from functools import partial
from typing import Any

from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Find, Reader, paths_of, read_json
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import (
    Frames,
    Person,
    find_clips,
    first_clips,
    folder_labels,
    json_paths,
    rate_of,
)
from skel_data.readers.keypoints._landmarks import numbered_frames, people_of, person_of
from skel_data.store._info import DatasetInfo

_HAND = 21
_LAYOUTS = {33: "mediapipe-33", _HAND: "hand-21"}


def parse(name: str, data: bytes, label: int = -1) -> Clip | list[Clip | BadFile]:
    """Make a clip of one file; nobody in it is an error.

    What cannot be read costs a person, or a frame, if most can be read.
    """
    content = read_json(data)
    frames = Frames()
    for number, frame in numbered_frames(content).items():
        frames[number] = []
        try:
            people = people_of(frame)
        except ValueError as error:
            frames.reasons.append(f"frame {number}: {error}")
            continue
        for person in people:
            frames.add(number, partial(_person, person))
    return frames.clip(name, label, rate_of(content))


def _person(person: Any) -> Person:
    marks = person_of(person)
    return Person(marks[:, :3] if len(marks) == _HAND else marks)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    first = first_clips(source, parse)
    joints, channels = (33, 4) if first is None else first.shape
    if layout is None:
        layout = evolve(get_layout(_LAYOUTS[joints]), dims=3)
    layout = evolve(layout, confidence=channels == 4)
    find = partial(find_clips, parse=parse, first=first)
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
