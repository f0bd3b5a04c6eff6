"""SBU Kinect Interaction (Yun et al., CVPR workshops 2012): two persons, a text file a clip.

The set comes as ``s01s02/03/001/skeleton_pos.txt``: who acts and who reacts, the class, the run. A row is
a frame: its number, then x y z of 15 joints of the first person, then of the second, with commas between.

`SBU_PROCESSED` reads what a third party made of the set for public use: a JSON text inside a JSON text
with ``x`` (N, 2 persons, 25 frames, 15 joints, x y) and ``label``.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Reader, Work, check_joints, find_each, read_json
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import frame_numbers, read_table
from skel_data.splits._official import class_names
from skel_data.store._info import DatasetInfo

_PATH = re.compile(r"(?:.*/)?(s(\d\d)s(\d\d))/(\d\d)/(\d{3})/[^/]*", re.DOTALL)
_JOINTS = 15

_CLASSES = class_names("sbu")

# Each pair of the set tests in one of five folds
_FOLDS = (
    ("s01s02", "s03s04", "s05s02", "s06s04"),
    ("s02s03", "s02s07", "s03s05", "s05s03"),
    ("s01s03", "s01s07", "s07s01", "s07s03"),
    ("s02s01", "s02s06", "s03s02", "s03s06"),
    ("s04s02", "s04s03", "s04s06", "s06s02", "s06s03"),
)


def parse(path: str, data: bytes) -> list[Clip | BadFile]:
    """Make a clip of one file, or of each take in it.

    The file holds coordinates divided by 2560, 1920 and 1280 mm, in which turns and bone lengths make no
    sense. They are made metres as the set's authors say: x = 1.28 - 2.56 x, y = 0.96 - 1.92 y, z = 1.28 z.
    This turns the picture by 180 degrees, so that y is up, and mirrors nothing. In the three takes at hand a
    bone's length then varies by 1 % (median), before by 4 %. A joint stored as 0 0 0 is missing and stays so.

    Where the frame number goes back a new take begins: the clips are then named with ``_1``, ``_2``, ...

    A path that ends in ``s01s02/03/001/skeleton_pos.txt`` tells the class, the pair as `subject` 102 (100
    times who acts, plus who reacts), and the run as `replication`. It also tells the part in each of the
    set's five folds, as five listed splits: in ``listed-1`` the first fold tests. All are unknown for another
    path.
    """
    codes: dict[str, Any] = {"split": (0,) * len(_FOLDS)}
    name = path.rpartition("/")[2].rpartition(".")[0]
    match = _PATH.fullmatch(path)
    if match is not None:
        pair, run = match[1], match[5]
        first, second, action = int(match[2]), int(match[3]), int(match[4])
        if not 1 <= action <= len(_CLASSES):
            raise ValueError(f"folder {match[4]}, the set has the classes 01 to 08")
        name = f"{pair}_{match[4]}_{run}"
        if any(pair in fold for fold in _FOLDS):
            codes["split"] = tuple(2 if pair in fold else 1 for fold in _FOLDS)
        codes |= {"label": action - 1, "subject": 100 * first + second, "replication": int(run)}
    damaged: list[str] = []
    rows = read_table(data, 1 + 2 * 3 * _JOINTS, ",", damaged)
    frames = frame_numbers(rows[:, 0])
    stored = rows[:, 1:].reshape(-1, 2, _JOINTS, 3)
    metres = stored * (-2.56, -1.92, 1.28) + (1.28, 0.96, 0)
    metres[(stored == 0).all(-1)] = 0
    check_joints(metres, _JOINTS, 3)
    told = [BadFile(path, f"{reason}; the frame is missing") for reason in damaged]
    takes = np.split(metres, np.flatnonzero(np.diff(frames) < 0) + 1)
    if len(takes) == 1:
        return [*told, Clip(metres, name, **codes)]
    return [*told, *(Clip(take, f"{name}_{number}", **codes) for number, take in enumerate(takes, 1))]


def _find(source: Source) -> Iterator[Work | BadFile]:
    for share in find_each(source, ".txt", parse):  # the path in place of the name: the class is in it
        yield evolve(share, args=(share.name, share.args[1])) if isinstance(share, Work) else share


SBU = Reader("sbu", "sbu", "sbu-15", _CLASSES, _find, ".txt", default_split="listed-1")


def parse_processed(name: str, data: bytes) -> Iterator[Clip]:
    """Make a clip of each entry of a processed file, ``NAME_00``, ``NAME_01``, ...

    Coordinates stay as they are: y is up, x and y have scales of their own.
    """
    content = read_json(data)
    if isinstance(content, str):
        content = read_json(content.encode())
    try:
        x, labels = np.array(content["x"], np.float64), np.array(content["label"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        raise ValueError("no lists of numbers under the keys 'x' and 'label'") from None
    if x.ndim != 5 or x.shape[1] != 2 or x.shape[3:] != (_JOINTS, 2) or 0 in x.shape:
        raise ValueError(f"x of shape {x.shape}, expected (clips, 2, frames, {_JOINTS}, 2)")
    if labels.shape != x.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"label is {labels.dtype} of shape {labels.shape}, expected {len(x)} whole numbers")
    digits = len(str(len(x) - 1))
    for index, (clip, label) in enumerate(zip(x, labels.tolist(), strict=True)):
        yield Clip(clip.transpose(1, 0, 2, 3), f"{name}_{index:0{digits}}", label)


def _describe_processed(source: Source, layout: SkeletonLayout | None) -> DatasetInfo:  # noqa: ARG001
    return DatasetInfo(layout or evolve(get_layout("sbu-15"), name="sbu-15-2d", dims=2), _CLASSES, "unknown")


_find_processed = partial(find_each, suffix=".json", parse=parse_processed)
SBU_PROCESSED = Reader(
    "sbu-processed", "sbu", None, _CLASSES, _find_processed, ".json", "unknown", describe=_describe_processed
)
