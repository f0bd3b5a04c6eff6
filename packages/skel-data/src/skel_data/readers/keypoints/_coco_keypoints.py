"""Keypoints in the COCO results format, or as MMPose writes them: one JSON file a clip.

COCO results (YOLO-pose, AlphaPose, Detectron): a list of ``{"image_id", "keypoints": [x, y, score, ...]}``,
one for each person in each frame. The frame is ``image_id``, or the last number in it where it is text
(``frame_0012.jpg``). ``track_id`` tells who is who; other keys are passed over.

MMPose: ``{"instance_info": frames}``, or the list of frames alone, where a frame is ``{"frame_id",
"instances": [{"keypoints": [[x, y], ...], "keypoint_scores": [...]}]}``; an instance may have ``track_id``.
"""

import re
from typing import Any

import numpy as np

from skel_data._clip import Clip
from skel_data.readers._reader import read_json
from skel_data.readers.keypoints._keypoints import (
    Person,
    brief,
    joints_and_scores,
    json_reader,
    make_clip,
    numbers,
    track_of,
)

_DIGITS = re.compile(r"\d+")


def parse(name: str, data: bytes, label: int = -1) -> Clip:
    """Make a clip of one file; nobody in it is an error."""
    content = read_json(data)
    items = content.get("instance_info") if isinstance(content, dict) else content
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("no list of people or of frames, alone or under the key 'instance_info'")
    frames = _mmpose(items) if items and "instances" in items[0] else _coco(items)
    return make_clip(name, label, frames)


def _coco(people: list[dict[str, Any]]) -> dict[int, list[Person]]:
    frames: dict[int, list[Person]] = {}
    ids: dict[int, Any] = {}
    for person in people:
        image = person.get("image_id")
        number = _number(image)
        if ids.setdefault(number, image) != image:
            raise ValueError(
                f"image_id {image!r} and {ids[number]!r} have one number: more than one video in the file?"
            )
        joints = joints_and_scores(person.get("keypoints"), "keypoints")
        frames.setdefault(number, []).append(Person(joints, track_of(person.get("track_id"))))
    return frames


def _mmpose(items: list[dict[str, Any]]) -> dict[int, list[Person]]:
    frames: dict[int, list[Person]] = {}
    for item in items:
        number, people = item.get("frame_id"), item.get("instances")
        if type(number) is not int or number in frames:
            raise ValueError(f"frame_id must be a whole number, each once, not {brief(number)}")
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise ValueError(f"frame {number}: no list of people under the key 'instances'")
        frames[number] = [_instance(person) for person in people]
    return frames


def _instance(person: dict[str, Any]) -> Person:
    joints = numbers(person.get("keypoints"), 2, "keypoints")
    scores = numbers(person.get("keypoint_scores"), 1, "keypoint_scores")
    if len(joints) != len(scores):
        raise ValueError(f"{len(joints)} keypoints but {len(scores)} keypoint_scores")
    return Person(np.column_stack([joints, scores]), track_of(person.get("track_id")))


def _number(image: Any) -> int:
    if type(image) is int:
        return image
    if isinstance(image, str):
        stem = re.sub(r"\.[A-Za-z]\w*$", "", image)
        found = _DIGITS.findall(stem)
        if found and len(found[-1]) <= 18:
            return int(found[-1])
    raise ValueError(f"image_id must be a number, or text with one, not {brief(image)}")


COCO_KEYPOINTS = json_reader("coco-keypoints", parse, "coco-17", "pixels")
