"""KARD, Kinect Activity Recognition Dataset (Gaglio et al., THMS 2015): ``a01_s01_e01_realworld.txt``.

One line per joint, x y z in millimetres, 15 lines per frame; the joints come in the order of `sbu-15`.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from skel_data._clip import BadFile, Clip
from skel_data._words import counted
from skel_data.readers._reader import Reader, Work, check_joints, find_each, match_name
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import read_table
from skel_data.splits._official import class_names

_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_realworld")
_CLASSES = class_names("kard")
_METRES = 0.001
# Where each joint of sbu-15 is: head, neck, torso, then arms and legs, left before right
_ORDER = [0, 1, 8, 5, 6, 7, 2, 3, 4, 12, 13, 14, 9, 10, 11]


def parse(name: str, data: bytes) -> list[Clip | BadFile]:
    """Make a clip of one file; a damaged line costs the joint in that frame."""
    action, subject, take = map(int, match_name(_NAME, name, "a{AA}_s{SS}_e{EE}_realworld.txt").groups())
    if not 1 <= action <= len(_CLASSES):
        raise ValueError(f"action a{action:02}, the set has a01 to a{len(_CLASSES)}")
    damaged: list[str] = []
    rows = read_table(data, 3, damaged=damaged)
    if len(rows) % 15:
        raise ValueError(f"{counted(len(rows), 'line')}, expected 15 for each frame")
    positions = rows.reshape(-1, 1, 15, 3)[:, :, _ORDER] * _METRES
    check_joints(positions, 15, 3)
    clip = Clip(positions, name.removesuffix("_realworld"), action - 1, subject, replication=take)
    return [*(BadFile(name, f"{reason}; the joint is missing there") for reason in damaged), clip]


def _find(source: Source) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".txt", parse, later=True):
        if not PurePosixPath(work.name).name.lower().endswith(("_screen.txt", "_depthmaps.txt")):
            yield work


KARD = Reader("kard", "kard", "sbu-15", _CLASSES, _find, ".txt", default_split="xsub")
