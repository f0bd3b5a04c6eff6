"""Keypoints in the COCO results format, or as MMPose writes them: one JSON file a clip.

COCO results (YOLO-pose, AlphaPose, Detectron): a list of ``{"image_id", "keypoints": [x, y, score, ...]}``,
one for each person in each frame. The frame is ``image_id``, or the last number in it where it is text
(``frame_0012.jpg``); where the images of several videos have the same numbers, each is a clip. ``track_id``,
or AlphaPose's ``idx``, tells who is who; other keys are passed over.

MMPose: ``{"instance_info": frames}``, or the list of frames alone, where a frame is ``{"frame_id",
"instances": [{"keypoints": [[x, y], ...], "keypoint_scores": [...]}]}``; an instance may have ``track_id``.
In three dimensions its estimators give x, y and z in metres, z upwards, in the joints of Human3.6M; unless
told otherwise, they move each frame so that its lowest joint lies at z = 0.
"""

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._words import counted
from skel_data.readers._reader import read_json
from skel_data.readers.keypoints._keypoints import (
    Frames,
    Person,
    brief,
    joints_and_scores,
    json_reader,
    numbers,
    rate_of,
    track_of,
)

_DIGITS = re.compile(r"\d+")


def parse(name: str, data: bytes, label: int = -1) -> Clip | list[Clip | BadFile]:
    """Make a clip of one file; nobody in it is an error."""
    content = read_json(data)
    items = content.get("instance_info") if isinstance(content, dict) else content
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("no list of people or of frames, alone or under the key 'instance_info'")
    if items and "instances" in items[0]:
        return _mmpose(items).clip(name, label, rate_of(content))
    videos = _coco(items)
    if len(videos) == 1:
        return videos.popitem()[1].clip(name, label, rate_of(content))
    return [item for video in videos for item in _clip(f"{name}_{video}", label, videos[video])]


def _clip(name: str, label: int, frames: Frames) -> list[Clip | BadFile]:
    """The clip of one of several videos, or why there is none."""
    try:
        made = frames.clip(name, label)
    except ValueError as error:
        return [BadFile(name, str(error))]
    return [made] if isinstance(made, Clip) else made


def _coco(people: list[dict[str, Any]]) -> dict[str, Frames]:
    """The frames of each video: one, unless images of several names have the same numbers."""
    images = [person.get("image_id") for person in people]
    numbered = [_number(image) for image in images]
    several = len(set(zip(numbered, map(repr, images), strict=True))) > len(set(numbered))
    videos: dict[str, Frames] = {}
    ids: dict[tuple[str, int], Any] = {}
    for person, image, number, joints in zip(people, images, numbered, _whole(people), strict=True):
        video = _video(str(image), number) if several else ""
        if ids.setdefault((video, number), image) != image:
            raise ValueError(f"image_id {image!r} and {ids[video, number]!r} have one number and one name")
        videos.setdefault(video, Frames()).add(number, partial(_result, person, joints))
    return videos or {"": Frames()}


def _video(image: str, number: int) -> str:
    """What an image's name says besides its number."""
    stem = re.sub(r"\.[A-Za-z]\w*$", "", image)
    digits = [found for found in _DIGITS.finditer(stem) if int(found[0][:18]) == number]
    return stem[: digits[-1].start()].strip("_-./ ") if digits else stem


def _whole(people: list[dict[str, Any]]) -> Iterable[NDArray[Any] | None]:
    """The joints of all at once, which is much faster; None for each where that cannot be."""
    try:
        joints = numbers([person.get("keypoints") for person in people], 2, "keypoints")
    except ValueError:  # at least one is damaged: read them one by one
        return [None] * len(people)
    return [None] * len(people) if joints.shape[1] % 3 else joints.reshape(len(people), -1, 3)


def _result(person: dict[str, Any], joints: NDArray[Any] | None) -> Person:
    track = person.get("track_id")
    if joints is None:
        joints = joints_and_scores(person.get("keypoints"), "keypoints")
    return Person(joints, track_of(person.get("idx") if track is None else track))


def _mmpose(items: list[dict[str, Any]]) -> Frames:
    frames = Frames()
    found: list[tuple[int, dict[str, Any]]] = []
    numbered = any("frame_id" in item for item in items)
    for index, item in enumerate(items):
        number, people = item.get("frame_id") if numbered else index, item.get("instances")
        if type(number) is not int or number in frames:
            raise ValueError(f"frame_id must be a whole number, each once, not {brief(number)}")
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise ValueError(f"frame {number}: no list of people under the key 'instances'")
        frames[number] = []
        found += [(number, person) for person in people]
    for (number, person), joints in zip(found, _instances([person for _, person in found]), strict=True):
        frames.add(number, partial(_instance, person, joints))
    return frames


def _instances(people: list[dict[str, Any]]) -> Iterable[NDArray[Any] | None]:
    """The same as `_whole`, of MMPose."""
    places, scores = ([person.get(key) for person in people] for key in ("keypoints", "keypoint_scores"))
    try:
        joints = numbers(places, 3, "keypoints", null=False)
        certain = numbers(scores, 2, "keypoint_scores", null=False)
    except ValueError:
        return [None] * len(people)
    same = joints.shape[:2] == certain.shape
    return np.concatenate([joints, certain[..., None]], 2) if same else [None] * len(people)


def _instance(person: dict[str, Any], joints: NDArray[Any] | None) -> Person:
    if joints is None:
        places = numbers(person.get("keypoints"), 2, "keypoints")
        scores = numbers(person.get("keypoint_scores"), 1, "keypoint_scores")
        if len(places) != len(scores):
            raise ValueError(
                f"{counted(len(places), 'keypoint')} but {counted(len(scores), 'keypoint_score')}"
            )
        joints = np.column_stack([places, scores])
    return Person(joints, track_of(person.get("track_id")))


def _number(image: Any) -> int:
    if type(image) is int:
        return image
    if isinstance(image, str):
        stem = re.sub(r"\.[A-Za-z]\w*$", "", image)
        found = _DIGITS.findall(stem)
        if found and len(found[-1]) <= 18:
            return int(found[-1])
    raise ValueError(f"image_id must be a number, or text with one, not {brief(image)}")


_LAYOUTS = {(26, 3): "halpe-26", (133, 3): "coco-wholebody-133", (136, 3): "halpe-136", (17, 4): "h36m-17"}

COCO_KEYPOINTS = json_reader(
    "coco-keypoints", parse, "coco-17", "pixels", up="z", others=_LAYOUTS, units_3d="metres"
)
