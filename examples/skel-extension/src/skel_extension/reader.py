"""Recordings as CSV files: CLASS-SUBJECT-TAKE.csv, a frame per line, x, y, z of three joints."""

import numpy as np

from skel_data import Clip, DatasetInfo, Reader, SkeletonLayout, Source
from skel_data.readers import find_each

CLASSES = ("wave", "point")
ARM = SkeletonLayout.from_dict(
    {
        "name": "arm-3",
        "joints": ["shoulder", "elbow", "wrist"],
        "bones": [["elbow", "shoulder"], ["wrist", "elbow"]],
    }
)


def _parse(name: str, data: bytes) -> Clip:
    action, subject, take = name.split("-")
    rows = np.array([line.split(",") for line in data.decode().splitlines()], np.float32)
    return Clip(
        rows.reshape(-1, 1, 3, 3),
        name,
        label=CLASSES.index(action),
        subject=int(subject),
        replication=int(take),
    )


def _describe(source: Source, layout: SkeletonLayout | None) -> DatasetInfo:
    return DatasetInfo(ARM, CLASSES, "metres")


POINTS_CSV = Reader(
    "points-csv",
    "points",
    None,
    CLASSES,
    lambda source: find_each(source, ".csv", _parse),
    ".csv",
    describe=_describe,
)
"""Recordings of an arm, one CSV file each."""
