"""Northwestern-UCLA (Wang et al., CVPR 2014) as JSON files, ``a01_s01_e00_v01.json``."""

import re
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data.readers._reader import Reader, check_joints, find_each, match_name, read_json

_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")

_ACTIONS = {
    1: "pick up with one hand", 2: "pick up with two hands", 3: "drop trash", 4: "walk around", 5: "sit down",
    6: "stand up", 8: "donning", 9: "doffing", 11: "throw", 12: "carry",
}  # fmt: skip
_LABELS = {action: label for label, action in enumerate(_ACTIONS)}


def parse(name: str, data: bytes) -> Clip | list[Clip | BadFile]:
    """Make a clip of one file.

    Joints at exactly zero, and frames of NaN, are kept as missing. A frame that cannot be read is
    reported, and missing in the clip.
    """
    match = match_name(_NAME, name, "a{AA}_s{SS}_e{EE}_v{VV}.json")
    action, subject, episode, camera = map(int, match.groups())
    if action not in _LABELS:
        raise ValueError(f"action a{action:02}, the set has {', '.join(f'a{a:02}' for a in _ACTIONS)}")
    content = read_json(data)
    try:
        skeletons = content["skeletons"]
        if not skeletons:
            raise ValueError("no frame")
        positions, damaged = _numbers(skeletons)
    except (KeyError, TypeError, IndexError, OverflowError):
        raise ValueError("no list of numbers under the key 'skeletons'") from None
    if positions.ndim != 3:
        raise ValueError(f"skeletons of shape {positions.shape}, expected (frames, 20, 3)")
    check_joints(positions[:, None], 20, 3)
    label = _LABELS[action]
    if content.get("label", label + 1) != label + 1:
        raise ValueError(f"label {content['label']} in the file, but a{action:02} is {label + 1}")
    clip = Clip(positions[:, None], name, label=label, subject=subject, camera=camera, replication=episode)
    bad = "is not 20 joints of 3 numbers; the frame is missing in the clip"
    return [*(BadFile(name, f"frame {number} {bad}") for number in damaged), clip] if damaged else clip


def _numbers(skeletons: Any) -> tuple[NDArray[np.float64], list[int]]:
    """All frames as an array, and which of them are damaged, if not most are."""
    try:
        return np.array(skeletons, np.float64), []
    except ValueError:  # one at least
        found, damaged = np.zeros((len(skeletons), 20, 3)), []
        for number, frame in enumerate(skeletons):
            try:
                joints = np.array(frame, np.float64)
            except (ValueError, TypeError, OverflowError):
                joints = np.zeros(0)
            if joints.shape == (20, 3):
                found[number] = joints
            else:
                damaged.append(number)
        if 2 * len(damaged) > len(found):
            raise TypeError from None
        return found, damaged


_find = partial(find_each, suffix=".json", parse=parse, later=True)
NW_UCLA = Reader(
    "nw-ucla", "nw-ucla", "kinect-20", tuple(_ACTIONS.values()), _find, ".json", default_split="xview"
)
