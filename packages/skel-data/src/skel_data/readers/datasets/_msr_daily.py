"""MSR DailyActivity3D (Wang et al., CVPR 2012): ``a01_s01_e01_skeleton.txt``, a text file a clip.

A file begins with the numbers of frames and joints. A frame has the number of its rows, 40 for each body, and
the rows: for each joint x y z in metres and a number, then u v depth and a number, which are passed over.
"""

import math
import re
from functools import partial

import numpy as np

from skel_data._clip import BadFile, Clip
from skel_data._words import counted
from skel_data.readers._reader import Reader, check_joints, find_each, match_name
from skel_data.splits._official import class_names

_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_skeleton")
_CLASSES = class_names("msr-daily-activity-3d")
_JOINTS = 20
_ROWS = 2 * _JOINTS
_MOST_BODIES = 6


def parse(name: str, data: bytes) -> list[Clip | BadFile]:
    """Make a clip of one file; a word that is not a number costs the joint in that frame."""
    action, subject, try_ = map(int, match_name(_NAME, name, "a{AA}_s{SS}_e{EE}_skeleton.txt").groups())
    if not 1 <= action <= len(_CLASSES):
        raise ValueError(f"action a{action:02}, the set has a01 to a{len(_CLASSES)}")
    words, damaged = data.split(), 0
    try:
        values = np.array(words, np.float64)
    except ValueError:
        values = np.array([_number(word) for word in words])
        damaged = int(np.isnan(values).sum())
        if 2 * damaged > len(words):
            raise ValueError("most words are not a number") from None
    if len(values) < 2 or values[1] != _JOINTS or not 1 <= values[0] <= len(values):
        raise ValueError(f"expected the number of frames and {_JOINTS} joints, found {values[:2].tolist()}")
    frames = int(values[0])
    at, bodies = 2, []
    for frame in range(frames):
        rows = values[at] if at < len(values) else -1
        count, rest = divmod(rows, _ROWS)
        if rest or not 0 <= count <= _MOST_BODIES:
            raise ValueError(f"frame {frame + 1} of {frames}: {rows:g} rows, expected {_ROWS} for each body")
        stop = at + 1 + 4 * int(rows)
        if stop > len(values):
            raise ValueError(f"cut off in frame {frame + 1} of {frames}")
        bodies.append(values[at + 1 : stop].reshape(-1, _JOINTS, 2, 4)[:, :, 0, :3])
        at = stop
    if at != len(values):
        raise ValueError(
            f"{counted(len(values) - at, 'number')} after the last of {counted(frames, 'frame')}"
        )
    positions = np.zeros((frames, max(1, *map(len, bodies), 1), _JOINTS, 3))
    for frame, found in enumerate(bodies):
        positions[frame, : len(found)] = found
    check_joints(positions, _JOINTS, 3)
    clip = Clip(positions, name.removesuffix("_skeleton"), action - 1, subject, replication=try_)
    reason = f"{counted(damaged, 'word')} not a number; the joint is missing there"
    return [BadFile(name, reason), clip] if damaged else [clip]


def _number(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


_find = partial(find_each, suffix=".txt", parse=parse, later=True)
MSR_DAILY = Reader(
    "msr-daily", "msr-daily-activity-3d", "kinect-20", _CLASSES, _find, ".txt", default_split="xsub"
)
