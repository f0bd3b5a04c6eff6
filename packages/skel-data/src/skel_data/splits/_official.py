"""Official lists as data: who and what is for training, and which samples the data sets list as bad."""

import tomllib
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "official"
_SPLITS = tomllib.loads((_FOLDER / "splits.toml").read_text(encoding="utf-8"))

TRAIN_SUBJECTS: dict[str, list[int]] = _SPLITS["train_subjects"]
"""Training subjects of ``xsub``."""

TRAIN_CAMERAS: dict[str, list[int]] = _SPLITS["train_cameras"]
"""Training cameras of ``xview``."""

LISTED_NAMES = {"pku-mmd-1": ("xsub", "xview"), "pku-mmd-2": ("xsub", "xview")}
"""Names of the listed splits where a store does not hold them: PKU-MMD (Liu et al., 2017) has lists."""

SEQUENCES = ("utkinect",)
"""Sets whose clips are cut from longer recordings, of which subject and replication tell which one."""

PARTS_OF = {"ntu60": "ntu120"}
"""Sets that are contained in another, with the same numbers for the same things."""


@cache
def class_names(dataset: str) -> tuple[str, ...]:
    """Names of the classes of a set, in the order of its labels."""
    return tuple(tomllib.loads((_FOLDER / "classes.toml").read_text(encoding="utf-8"))[dataset])


@cache
def ntu_missing() -> frozenset[str]:
    """Names of the 535 samples of NTU RGB+D 120, 302 of them of NTU RGB+D, listed as missing or bad."""
    text = (_FOLDER / "ntu-missing.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
