"""UTD-MHAD (Chen, Jafari, Kehtarnavaz, ICIP 2015): one MATLAB file a clip, ``a1_s1_t1_skeleton.mat``."""

import re
from collections.abc import Iterator

from skel_data._clip import BadFile, Clip
from skel_data.readers._reader import Reader, Work, check_joints, find_each
from skel_data.readers._source import Source
from skel_data.readers.datasets._matlab import read_matrix

_NAME = re.compile(r"a([1-9]\d?)_s([1-9]\d?)_t([1-9]\d?)_skeleton")

_CLASSES = (
    "swipe left", "swipe right", "wave", "clap", "throw", "arm cross", "basketball shoot", "draw X",
    "draw circle clockwise", "draw circle counter-clockwise", "draw triangle", "bowling", "boxing",
    "baseball swing", "tennis swing", "arm curl", "tennis serve", "push", "knock", "catch",
    "pick up and throw", "jog", "walk", "sit to stand", "stand to sit", "lunge", "squat",
)  # fmt: skip


def parse(name: str, data: bytes) -> Clip:
    """Make a clip of one file.

    Args:
        name: Name of the file without suffix.
        data: Its content.

    Raises:
        ValueError: With the reason, if it is not a recording of this set.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError("unexpected name, expected a{action}_s{subject}_t{trial}_skeleton.mat")
    action, subject, trial = map(int, match.groups())
    if action > len(_CLASSES):
        raise ValueError(f"action a{action}, the set has a1 to a{len(_CLASSES)}")
    skeleton = read_matrix(data, "d_skel")
    if skeleton.ndim != 3 or skeleton.shape[:2] != (20, 3):
        raise ValueError(f"d_skel has shape {skeleton.shape}, expected (20, 3, frames)")
    positions = skeleton.transpose(2, 0, 1)[:, None]
    check_joints(positions, 20, 3)
    return Clip(positions, name, label=action - 1, subject=subject, replication=trial)


def _find(source: Source) -> Iterator[Work | BadFile]:
    return find_each(source, ".mat", parse, later=True)


UTD_MHAD = Reader("utd-mhad", "utd-mhad", "utd-20", _CLASSES, _find, ".mat", default_split="xsub")
