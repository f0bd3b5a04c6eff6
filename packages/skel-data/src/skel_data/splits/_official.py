"""Official lists as data: who and what is for training, and which samples the data sets list as bad."""

import tomllib
from functools import cache
from pathlib import Path

# NTU RGB+D (Shahroudy et al., CVPR 2016), NTU RGB+D 120 (Liu et al., TPAMI 2020), UTD-MHAD (Chen et al., ICIP
# 2015), Northwestern-UCLA (Wang et al., CVPR 2014)
_NTU60 = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
TRAIN_SUBJECTS = {
    "ntu60": _NTU60,
    "ntu120": (
        *(*_NTU60, 45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96)),
        *(97, 98, 100, 103),
    ),
    "utd-mhad": (1, 3, 5, 7),
}
"""Training subjects of ``xsub``."""

TRAIN_CAMERAS = {"ntu60": (2, 3), "ntu120": (2, 3), "nw-ucla": (1, 2)}
"""Training cameras of ``xview``; NTU RGB+D 120 names none, so it has those of NTU RGB+D."""

LISTED_NAMES = {"pku-mmd-1": ("xsub", "xview"), "pku-mmd-2": ("xsub", "xview")}
"""Names of the listed splits where a store does not hold them: PKU-MMD (Liu et al., 2017) has lists."""

SEQUENCES = ("utkinect",)
"""Sets whose clips are cut from longer recordings, of which subject and replication tell which one."""

PARTS_OF = {"ntu60": "ntu120"}
"""Sets that are contained in another, with the same numbers for the same things."""


_FOLDER = Path(__file__).parents[1] / "official"


@cache
def class_names(dataset: str) -> tuple[str, ...]:
    """Names of the classes of a set, in the order of its labels."""
    return tuple(tomllib.loads((_FOLDER / "classes.toml").read_text(encoding="utf-8"))[dataset])


@cache
def ntu_missing() -> frozenset[str]:
    """Names of the 535 samples of NTU RGB+D 120, 302 of them of NTU RGB+D, listed as missing or bad."""
    text = (_FOLDER / "ntu-missing.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
