"""The format of a source, told by the names of its files and by what the first of them has in it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from skel_data.readers._look import Look
from skel_data.readers._source import Source
from skel_data.readers.arrays._agcn import is_data
from skel_data.readers.arrays._ctrgcn import ARRAY
from skel_data.readers.keypoints._deeplabcut import read_head
from skel_data.readers.keypoints._landmarks import numbered_frames, people_of, person_of
from skel_data.readers.keypoints._yolo import rows_of
from skel_data.readers.mocap._h36m import KEYS

_BOX = 5

_BY_NAME = {
    r"a\d\d_s\d\d_e\d\d_v\d\d\.json": "nw-ucla",
    r"a\d+_s\d+_t\d+_skeleton\.mat": "utd-mhad",
    r"body3DScene_\d+\.json": "panoptic",
    r".*_\d+_keypoints\.json": "openpose",
    r".*\.predictions\.json": "image-json",
    r"A\d\dN\d\d-[LMR]\.txt": "pku-mmd-2",
    r"\d{4}-[LMR]\.txt": "pku-mmd-1",
    r"joints_s\d\d_e\d\d\.txt": "utkinect",
    r"skeleton_pos\.txt": "sbu",
    r"a\d\d_s\d\d_e\d\d_skeleton\.txt": "msr-daily",
    r"a\d\d_s\d\d_e\d\d_realworld\.txt": "kard",
    r"Florence_dataset_WorldCoordinates\.txt": "florence-3d",
    r"activityLabel\.txt": "cad-60",
    r"skeletons_world\.txt": "shrec17-14",
    r"skeleton_world\.txt": "dhg-14",
    r"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}\.skeleton\.npy": "ntu-npy",
    r"HDM_.*\.amc": "hdm05",
    r".*\.amc": "cmu-mocap",
    r".*\.bvh": "bvh",
    r".*\.c3d": "c3d",
    r".*\.trc": "trc",
    r".*\.mvnx": "mvnx",
}
"""Formats by the whole name of a file. The first that any file fits is taken."""


def find_format(source: Source) -> str:
    """The name of the format of a source.

    Args:
        source: The files.

    Raises:
        ValueError: If no format fits; it says what there is.
    """
    look = Look(source)
    for test in (_ntu, _by_name, _arrays, _pickles, _tables, _lines, _json, _yolo):
        found = next(test(look), None)
        if found is not None:
            return found
    raise ValueError(
        f"{source.name}: no format fits what it looks like: {look.describe()}. Name the format, as skel data "
        "formats lists them, or see the page on bringing your recordings"
    )


_RECORDINGS = {
    suffix: group
    for group in (
        (".skeleton",),
        (".bvh",),
        (".c3d",),
        (".amc",),
        (".trc",),
        (".mvnx",),
        (".mat",),
        (".npy", ".npz"),
        (".json",),
        (".jsonl", ".ndjson"),
    )
    for suffix in group
}
"""Suffixes that recordings have, with those that one reader takes together; tables and text go with many."""


def left_out(source: Source, suffix: str) -> str:
    """What else than files of a suffix looks like recordings in a source, in a sentence; empty if nothing."""
    own = PurePosixPath(f"x{suffix}").suffix
    others = Counter(PurePosixPath(path).suffix.lower() for path in source.paths())
    found = [
        f"{count} {other}"
        for other, count in sorted(others.items())
        if other != own and own not in _RECORDINGS.get(other, (own,))
    ]
    return f"not read: {', '.join(found)}; import them by themselves" if found else ""


def _ntu(look: Look) -> Iterator[str]:
    names = look.names(r"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}\.skeleton")
    if names:
        yield "ntu120" if any(int(name.rpartition("A")[2][:3]) > 60 for name in names) else "ntu60"


def _by_name(look: Look) -> Iterator[str]:
    for pattern, name in _BY_NAME.items():
        if look.names(pattern):
            yield name


def _arrays(look: Look) -> Iterator[str]:
    label = r".*label\.pkl"
    alone = look.source.path if look.source.path.is_file() else None
    beside = alone and any(re.fullmatch(label, path.name) for path in alone.parent.glob("*label.pkl"))
    if any(is_data(path) for path in look.paths) and (beside or look.names(label)):
        yield "agcn"
    if any(ARRAY.fullmatch(name) for name in look.arrays) or look.names(r"[xy]_train\.(npy|pkl|pickle)"):
        yield "ctrgcn"
    names = set(look.arrays)
    if names & set(KEYS) and not names & {"positions"}:
        yield "h36m"
    if {"poses", "root_orient", "global_orient"} & names and {"trans", "transl", "betas", "gender"} & names:
        yield "smpl"
    if {"positions", "lengths"} <= names or (
        "positions" in names and names & {"labels", "joint_names"} and len(look.arrays["positions"]) != 3
    ):
        yield "npz"
    if look.suffixes[".npy"]:
        if look.array and look.array[0].kind in "iuf" and look.array[0].itemsize > 1 and look.array[1]:
            yield "npy"
    elif look.arrays and any(len(shape) in (2, 3, 4) for shape in look.arrays.values()):
        yield "npy"


def _pickles(look: Look) -> Iterator[str]:
    content = look.pickle
    annotations = content.get("annotations") if isinstance(content, dict) else content
    if annotations is None and isinstance(content, dict):  # by name
        annotations = list(content.values())
    first = annotations[0] if isinstance(annotations, list) and annotations else None
    if isinstance(first, dict) and "keypoint" in first:
        yield "pyskl"


def _tables(look: Look) -> Iterator[str]:
    try:
        read_head(look.first(".csv"))
    except ValueError:
        if look.table is not None:
            yield "csv"
    else:
        yield "deeplabcut"


def _lines(look: Look) -> Iterator[str]:
    for suffix in (".jsonl", ".ndjson"):
        if look.suffixes[suffix]:
            line = look.first(suffix).partition(b"\n")[0]
            yield "openpifpaf" if b'"predictions"' in line else "jsonl"


def _json(look: Look) -> Iterator[str]:
    content = look.json()
    first = content[0] if isinstance(content, list) and content else None
    for keys, name in _OBJECTS:
        if isinstance(content, dict) and keys <= set(content):
            yield name
    if isinstance(first, dict):
        yield from (name for keys, name in _LISTED if keys <= set(first))
    if isinstance(content, dict) and content and all("." in key for key in content):
        people: Any = next(iter(content.values()))
        people = people.get("bodies", people.get("people")) if isinstance(people, dict) else people
        if isinstance(people, list):
            yield "alphapose"
    if _has_landmarks(content):
        yield "mediapipe"


def _has_landmarks(content: Any) -> bool:
    """Whether a person of MediaPipe's is in any frame."""
    try:
        frames = numbered_frames(content)
    except ValueError:
        return False
    for frame in frames.values():
        try:
            if people := people_of(frame):
                return bool(person_of(people[0]).size)
        except ValueError:
            continue
    return False


_OBJECTS: tuple[tuple[set[str], str], ...] = (
    ({"images", "annotations"}, "coco-annotations"),
    ({"instance_info"}, "coco-keypoints"),
    ({"frame", "predictions"}, "openpifpaf"),
    ({"people"}, "openpose"),
    ({"data", "label"}, "kinetics-skeleton"),
    ({"x", "label"}, "sbu-processed"),
)
"""Formats by the keys of an object."""

_LISTED: tuple[tuple[set[str], str], ...] = (
    ({"image_id", "keypoints", "idx"}, "alphapose"),
    ({"image_id", "keypoints"}, "coco-keypoints"),
    ({"instances"}, "coco-keypoints"),
    ({"frame", "predictions"}, "openpifpaf"),
    ({"keypoints", "keypoint_scores"}, "image-json"),
    ({"keypoints", "score"}, "image-json"),
)
"""Formats by the keys of the first object of a list."""


def _yolo(look: Look) -> Iterator[str]:
    if not look.names(r".*\d\.txt"):
        return
    try:
        rows = rows_of(look.first(".txt"))
    except ValueError:
        return
    boxes = rows[:, :_BOX]
    shares = ((boxes[:, 1:] >= 0) & (boxes[:, 1:] <= 1)).all()
    if rows.size and rows.shape[1] >= _BOX + 6 and shares and (boxes[:, 0] == np.floor(boxes[:, 0])).all():
        yield "yolo"
