"""UTD-MHAD (Chen, Jafari, Kehtarnavaz, ICIP 2015): one MATLAB file a clip, ``a1_s1_t1_skeleton.mat``."""

import re
from functools import partial

from skel_data._clip import Clip
from skel_data.readers._reader import Reader, check_joints, find_each, match_name
from skel_data.readers.datasets._matlab import read_matrix
from skel_data.splits._official import class_names

_NAME = re.compile(r"a([1-9]\d?)_s([1-9]\d?)_t([1-9]\d?)_skeleton")
_CLASSES = class_names("utd-mhad")


def parse(name: str, data: bytes) -> Clip:
    """Make a clip of one file."""
    match = match_name(_NAME, name, "a{action}_s{subject}_t{trial}_skeleton.mat")
    action, subject, trial = map(int, match.groups())
    if action > len(_CLASSES):
        raise ValueError(f"action a{action}, the set has a1 to a{len(_CLASSES)}")
    skeleton = read_matrix(data, "d_skel")
    if skeleton.ndim != 3 or skeleton.shape[:2] != (20, 3):
        raise ValueError(f"d_skel has shape {skeleton.shape}, expected (20, 3, frames)")
    positions = skeleton.transpose(2, 0, 1)[:, None]
    check_joints(positions, 20, 3)
    return Clip(positions, name, label=action - 1, subject=subject, replication=trial)


_find = partial(find_each, suffix=".mat", parse=parse, later=True)
UTD_MHAD = Reader("utd-mhad", "utd-mhad", "utd-20", _CLASSES, _find, ".mat", default_split="xsub")
