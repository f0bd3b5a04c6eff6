"""OpenPose (Cao et al., TPAMI 2021): one JSON file a frame, ``NAME_000000000012_keypoints.json``.

Pose2Sim and RTMLib write files of the same form without ``_keypoints`` in their names. A clip is all frames
of one NAME in one folder. A file holds ``{"people": [...]}``, a person ``"pose_keypoints_2d": [x, y, score,
x, y, score, ...]``, which version 1.0 calls ``"pose_keypoints"``, and perhaps ``"person_id": [id]``. Where
each folder holds one clip only, the class is the name of the folder around it
(``CLASS/clip/clip_000000000012_keypoints.json``).
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._frames import clips_in, frame_folders
from skel_data.readers._reader import Reader, Work, layout_wanted, read_json
from skel_data.readers._source import Source
from skel_data.readers.keypoints._keypoints import (
    Person,
    folder_labels,
    joints_and_scores,
    make_clip,
    track_of,
)
from skel_data.readers.keypoints._people import LAYOUTS
from skel_data.store._info import DatasetInfo

_SUFFIX = "_keypoints.json"
_NAME = re.compile(r"(.*?)_?(\d{1,18})(?:_keypoints)?\.json", re.IGNORECASE)
_THREE_D = (
    "OpenPose's 3-D reconstruction (pose_keypoints_3d without pose_keypoints_2d), which is not read: write "
    "x, y, z and score of each clip as an array (T, M, V, 4) to a .npy file, and import those with format npy"
)
_LAYOUTS = {**LAYOUTS, 25: "openpose-25", 15: "openpose-15"}


def parse(name: str, label: int, files: list[tuple[str, int, bytes]]) -> Iterator[Clip | BadFile]:
    """Make a clip of path, number and content of each frame.

    A bad file is reported, and a frame without a body in the clip.
    """
    frames: dict[int, list[Person]] = {}
    joints: int | None = None
    for path, number, data in files:
        try:
            if number in frames:
                raise ValueError(f"frame {number} a second time")
            people = _people(data)
            for person in people:
                joints = joints or len(person.joints)
                if len(person.joints) != joints:
                    raise ValueError(
                        f"{counted(len(person.joints), 'joint')}, the frames before have {joints}"
                    )
            frames[number] = people
        except ValueError as error:
            yield BadFile(path, str(error))
            frames.setdefault(number, [])
    yield make_clip(name, label, frames)


def _people(data: bytes) -> list[Person]:
    content = read_json(data)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ValueError("no list of people under the key 'people'")
    found = []
    for person in people:
        track = person.get("person_id")
        key = "pose_keypoints" if "pose_keypoints" in person else "pose_keypoints_2d"
        keypoints = person.get(key)
        if not keypoints and person.get("pose_keypoints_3d"):
            raise ValueError(_THREE_D)
        if keypoints != []:  # a person of whom only hands or face were found
            found.append(Person(joints_and_scores(keypoints, key), track_of(track)))
    return found


def _clips(source: Source) -> dict[str, int]:
    """Path without number of each clip, and how many files it has."""
    return clips_in(source, _clip_and_frame)


def _clip_and_frame(path: str) -> tuple[str, int] | None:
    """Path without number, and number, of a frame's file."""
    folder, slash, name = path.rpartition("/")
    match = _NAME.fullmatch(name)
    return None if match is None else (folder + slash + (match[1] or "_"), int(match[2]))


def _labels(clips: dict[str, int]) -> tuple[dict[str, int], tuple[str, ...]]:
    folders = {clip: str(PurePosixPath(clip).parent) for clip in clips}
    if len(set(folders.values())) < len(clips):
        return folder_labels(list(clips))
    labels, classes = folder_labels(list(folders.values()))
    return {clip: labels[folder] for clip, folder in folders.items() if labels}, classes


def _find(source: Source) -> Iterator[Work | BadFile]:
    left = _clips(source)
    labels, _ = _labels(left)
    # A clip is given when its last file has been read: files of several clips may come in turns
    files: dict[str, list[tuple[str, int, bytes]]] = {}
    for entry in source:
        if isinstance(entry, BadFile):
            yield entry
            continue
        path, read = entry
        parsed = _clip_and_frame(path)
        if parsed is None and not path.lower().endswith(_SUFFIX):
            continue
        if parsed is None:
            yield BadFile(path, f"unexpected name, expected NAME_000000000012{_SUFFIX}")
            continue
        clip, number = parsed
        left[clip] -= 1
        try:
            files.setdefault(clip, []).append((path, number, read()))
        except ValueError as error:
            yield BadFile(path, str(error))
        if left[clip] == 0 and clip in files:
            yield Work(clip, parse, (_name(clip, source), labels.get(clip, -1), files.pop(clip)))


def _name(clip: str, source: Source) -> str:
    """A name for the clip: that of its files, else of its folder, else of the source."""
    path = PurePosixPath(clip)
    return path.name if path.name != "_" else path.parent.name or source.name


def _describe(source: Source, layout: SkeletonLayout | None) -> DatasetInfo:
    if layout is None:
        joints = _joints(source)
        if joints not in _LAYOUTS:
            raise ValueError(f"{source.name}: {counted(joints, 'joint')}, {layout_wanted(joints)}")
        layout = get_layout(_LAYOUTS[joints])
    return DatasetInfo(evolve(layout, confidence=True, dims=2), _labels(_clips(source))[1], "pixels")


def _joints(source: Source) -> int:
    """Joints of the first person in a source."""
    reason = ""
    for entry in source:
        if isinstance(entry, BadFile) or _clip_and_frame(entry[0]) is None:
            continue
        try:
            people = _people(entry[1]())
        except ValueError as error:
            reason = reason or f"; the first that cannot be read, {entry[0]}: {error}"
            continue
        if people:
            return len(people[0].joints)
    raise ValueError(f"{source.name}: no person in any file NAME_000000000012{_SUFFIX}{reason}")


OPENPOSE = Reader(
    "openpose",
    None,
    None,
    (),
    _find,
    _SUFFIX,
    units="pixels",
    describe=_describe,
    folders=partial(frame_folders, key=_clip_and_frame),
)
