"""AlphaPose (Fang et al., TPAMI 2022): one JSON file a clip, in any of the forms of ``--format``.

A list of ``{"image_id": "12.jpg", "keypoints": [x, y, score, ...], "idx": who}``, one for each person in each
frame; or an object by image: of lists of such people (the tracker's form), of ``{"bodies": [{"joints":
[...]}]}`` (cmu), or of ``{"people": [{"pose_keypoints_2d": [...]}]}`` (open). The frame is the last number in
the image's name. Joints are COCO's 17, Halpe's 26, the 18 of the forms cmu and open, or those of a given
layout.
"""

from functools import partial
from typing import Any

from skel_data.readers._reader import read_json
from skel_data.readers.keypoints._coco_keypoints import _number
from skel_data.readers.keypoints._keypoints import Frames, Person, joints_and_scores
from skel_data.readers.keypoints._people import any_track, list_of_dicts, people_reader

_KEYS = ("keypoints", "joints", "pose_keypoints_2d")


def frames_of(data: bytes) -> Frames:
    """The people of each frame."""
    content = read_json(data)
    frames = Frames()
    images: dict[int, Any] = {}
    if isinstance(content, dict):
        for image, found in content.items():
            people = found.get("bodies", found.get("people")) if isinstance(found, dict) else found
            frames.add_all(_once(image, images), people, _person, "the people of an image")
    else:
        for person in list_of_dicts(content, "AlphaPose's results"):
            frames.add(_once(person.get("image_id"), images), partial(_person, person))
    return frames


def _person(person: dict[str, Any]) -> Person:
    key = next((key for key in _KEYS if key in person), _KEYS[0])
    return Person(joints_and_scores(person.get(key), key), any_track(person, "idx", "track_id"))


def _once(image: Any, images: dict[int, Any]) -> int:
    number = _number(image)
    if images.setdefault(number, image) != image:
        raise ValueError(
            f"images {image!r} and {images[number]!r} have one number: more than one video in the file?"
        )
    return number


ALPHAPOSE = people_reader("alphapose", frames_of)
