"""MediaPipe Pose: one JSON file a clip, which users write from its landmarks, or world landmarks.

A file holds the list of frames, or ``{"frames": [...]}``. A frame is the list of its people, empty or null
for none; a person is the list of its 33 landmarks, each ``{"x", "y", "z", "visibility"}``; other keys are
passed over. In Python a frame is, with what ``PoseLandmarker`` gives:
``[[vars(mark) for mark in person] for person in result.pose_world_landmarks]``. MediaPipe's y points down.
"""

from typing import Any

from skel_data._clip import Clip
from skel_data.readers._reader import read_json
from skel_data.readers.keypoints._keypoints import Person, json_reader, make_clip, numbers

_KEYS = ("x", "y", "z", "visibility")
_JOINTS = 33


def parse(name: str, data: bytes, label: int = -1) -> Clip:
    """Make a clip of one file; nobody in it is an error."""
    content = read_json(data, nan=True)
    frames = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(frames, list) or not all(isinstance(frame, list | None) for frame in frames):
        raise ValueError(
            "no list of frames that are lists of people or null, alone or under the key 'frames'"
        )
    people = {number: [_person(person) for person in frame or []] for number, frame in enumerate(frames)}
    return make_clip(name, label, people)


def _person(person: Any) -> Person:
    if not isinstance(person, list) or len(person) != _JOINTS:
        found = f"{len(person)} landmarks" if isinstance(person, list) else f"a {type(person).__name__}"
        raise ValueError(f"a person must be a list of {_JOINTS} landmarks, it is {found}")
    try:
        rows = [[mark[key] for key in _KEYS] for mark in person]
    except (KeyError, TypeError):
        raise ValueError(f"a landmark must have {', '.join(_KEYS)}") from None
    return Person(numbers(rows, 2, "landmarks"))


MEDIAPIPE = json_reader("mediapipe", parse, "mediapipe-33", "unknown", up="-y")
