"""Landmarks of MediaPipe in the forms that people write them in, as frames of people.

Frames are a list, a list under ``frames``, or an object by number. A frame is null or empty, the list of its
people, one person, or an object that has these under ``pose_world_landmarks``, ``world_landmarks``,
``pose_landmarks``, ``landmarks`` or ``hand_landmarks`` (world landmarks come first), perhaps beside its
number under ``frame``. A person is the list of its landmarks, alone or under ``landmark`` or ``landmarks``,
or their numbers in a row. A landmark is ``{"x", "y", "z", "visibility"}``, or a list of these numbers;
visibility may be absent or null, and other keys are passed over.
"""

from typing import Any

from numpy.typing import NDArray

from skel_data._words import counted
from skel_data.readers.keypoints._keypoints import RATES, brief, numbers

COUNTS = (33, 21)
"""Landmarks of a body, and of a hand."""

_FRAMES = ("frame", "frame_id", "frame_index", "frame_number", "frame_idx")
_PEOPLE = (
    "pose_world_landmarks",
    "poseWorldLandmarks",
    "world_landmarks",
    "worldLandmarks",
    "pose_landmarks",
    "poseLandmarks",
    "hand_world_landmarks",
    "multi_hand_world_landmarks",
    "hand_landmarks",
    "multi_hand_landmarks",
    "landmarks",
    "landmark",
    "keypoints",
    "people",
)
_ROWS = {count * channels: (count, channels) for count in COUNTS for channels in (3, 4)}


def frames_of(content: Any) -> dict[int, list[NDArray[Any]]]:
    """The people of each frame by its number: landmarks (33 or 21, 3 or 4).

    Raises:
        ValueError: If the content has none of the forms.
    """
    return {
        number: [person_of(person) for person in people_of(frame)]
        for number, frame in numbered_frames(content).items()
    }


def numbered_frames(content: Any) -> dict[int, Any]:
    """The frames as the file has them, by number.

    Raises:
        ValueError: If the content has none of the forms.
    """
    if isinstance(content, dict) and "frames" in content:
        content = content["frames"]
    if isinstance(content, dict):
        by_number = {key: frame for key, frame in content.items() if key not in RATES}
        if by_number and all(key.isdecimal() and len(key) < 19 for key in by_number):
            return {int(key): frame for key, frame in by_number.items()}
    if not isinstance(content, list):
        raise ValueError("no list of frames, alone or under the key 'frames', and no object by frame number")
    frames: dict[int, Any] = {}
    for place, frame in enumerate(content):
        told = (
            next((frame[key] for key in _FRAMES if key in frame), place) if isinstance(frame, dict) else place
        )
        if type(told) is not int or told in frames:
            raise ValueError(f"a frame's number must be whole, each once, not {brief(told)}")
        frames[told] = frame
    return frames


def people_of(frame: Any) -> list[Any]:
    """The people of a frame, as the file has them.

    Raises:
        ValueError: If the frame has none of the forms.
    """
    if not frame:
        return []
    if isinstance(frame, dict):
        key = next((key for key in _PEOPLE if key in frame), None)
        if key is None:
            if set(frame) <= {*_FRAMES, "timestamp", "time", "timestamp_ms"}:
                return []
            raise ValueError(f"no landmarks in a frame, whose keys are {', '.join(map(str, frame))[:100]}")
        return people_of(frame[key])
    if not isinstance(frame, list):
        raise ValueError(f"a frame must be a list of people or null, it is {brief(frame)}")
    if _is_person(frame):
        return [frame]
    return [person for person in frame if person]


def _is_person(values: list[Any]) -> bool:
    """Whether these are landmarks, or their numbers, and not people."""
    first = values[0]
    if isinstance(first, dict):
        return "x" in first
    if isinstance(first, list):
        return len(first) in (3, 4) and not isinstance(first[0], list | dict)
    return isinstance(first, int | float)


def person_of(person: Any) -> NDArray[Any]:
    """The landmarks (33 or 21, 3 or 4) of a person.

    Raises:
        ValueError: If the person has none of the forms.
    """
    if isinstance(person, dict):
        person = person.get("landmark", person.get("landmarks"))
    if not isinstance(person, list) or not person:
        raise ValueError(f"a person must be a list of landmarks, it is {brief(person)}")
    first = person[0]
    if isinstance(first, dict):
        keys = ("x", "y", "z", "visibility") if first.get("visibility") is not None else ("x", "y", "z")
        try:
            person = [[mark[key] for key in keys] for mark in person]
        except (KeyError, TypeError):
            raise ValueError(f"a landmark must have {', '.join(keys)}") from None
    elif not isinstance(first, list):
        if len(person) not in _ROWS:
            raise ValueError(
                f"a person of {counted(len(person), 'number')}, expected {', '.join(map(str, _ROWS))}"
            )
        return numbers(person, 1, "landmarks").reshape(_ROWS[len(person)])
    marks = numbers(person, 2, "landmarks")
    if len(marks) not in COUNTS or marks.shape[1] not in (3, 4):
        raise ValueError(
            f"{counted(len(marks), 'landmark')} of {counted(marks.shape[1], 'number')}, "
            f"expected {' or '.join(map(str, COUNTS))} of 3 or 4"
        )
    return marks
