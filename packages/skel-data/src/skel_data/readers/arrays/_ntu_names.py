"""Names of clips in the form of NTU RGB+D, and the data set and classes that they tell."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from skel_data.splits._official import class_names

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})(?:\.skeleton)?")
_CLASSES = class_names("ntu120")


def ntu_codes(name: str) -> dict[str, int]:
    """Setup, camera, subject and replication of a name such as ``S001C001P001R001A001``; of others none."""
    match = _NAME.fullmatch(name)
    if match is None:
        return {}
    return dict(zip(("setup", "camera", "subject", "replication"), map(int, match.groups()[:4]), strict=True))


def ntu_set(names: Sequence[str], labels: Sequence[int]) -> tuple[str, tuple[str, ...]] | None:
    """Name and classes of the set, if every name is of NTU RGB+D and says what the label says."""
    matches = [_NAME.fullmatch(name) for name in names]
    if not names or [int(match[5]) - 1 if match else None for match in matches] != list(labels):
        return None
    count = 60 if max(labels) < 60 else 120
    return (f"ntu{count}", _CLASSES[:count]) if max(labels) < len(_CLASSES) else None


def without_suffix(name: str) -> str:
    """A clip's name without the suffix of its file."""
    return PurePosixPath(name).stem if name.endswith((".skeleton", ".npy", ".json", ".txt")) else name
