"""Northwestern-UCLA (Wang et al., CVPR 2014) as JSON files, ``a01_s01_e00_v01.json``."""

import json
import re
from collections.abc import Iterator

import numpy as np

from skel_data._clip import BadFile, Clip
from skel_data.readers._reader import Reader, Work, check_joints, find_each
from skel_data.readers._source import Source

_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")

_ACTIONS = {
    1: "pick up with one hand", 2: "pick up with two hands", 3: "drop trash", 4: "walk around", 5: "sit down",
    6: "stand up", 8: "donning", 9: "doffing", 11: "throw", 12: "carry",
}  # fmt: skip
_LABELS = {action: label for label, action in enumerate(_ACTIONS)}


def parse(name: str, data: bytes) -> Clip:
    """Make a clip of one file.

    Joints at exactly zero, and frames of NaN, are kept as missing.

    Args:
        name: Name of the file without suffix.
        data: Its content.

    Raises:
        ValueError: With the reason, if it is not a recording of this set.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError("unexpected name, expected a{AA}_s{SS}_e{EE}_v{VV}.json")
    action, subject, episode, camera = map(int, match.groups())
    if action not in _LABELS:
        raise ValueError(f"action a{action:02}, the set has {', '.join(f'a{a:02}' for a in _ACTIONS)}")
    try:
        content = json.loads(data)
        skeletons = content["skeletons"]
        if not skeletons:
            raise ValueError("no frame")
        positions = np.array(skeletons, dtype=np.float64)
    except (KeyError, TypeError, IndexError, OverflowError):
        raise ValueError("no list of numbers under the key 'skeletons'") from None
    except RecursionError:
        raise ValueError("not JSON: nested too deep") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON, or cut off: {error}") from error
    if positions.ndim != 3:
        raise ValueError(f"skeletons of shape {positions.shape}, expected (frames, 20, 3)")
    check_joints(positions[:, None], 20, 3)
    label = _LABELS[action]
    if content.get("label", label + 1) != label + 1:
        raise ValueError(f"label {content['label']} in the file, but a{action:02} is {label + 1}")
    return Clip(positions[:, None], name, label=label, subject=subject, camera=camera, replication=episode)


def _find(source: Source) -> Iterator[Work | BadFile]:
    return find_each(source, ".json", parse, later=True)


NW_UCLA = Reader(
    "nw-ucla", "nw-ucla", "kinect-20", tuple(_ACTIONS.values()), _find, ".json", default_split="xview"
)
