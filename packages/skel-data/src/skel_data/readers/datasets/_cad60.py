"""CAD-60, Cornell Activity Dataset (Sung et al., ICRA 2012): text files and ``activityLabel.txt``.

A recording, ``0512164529.txt``, has one line per frame, between commas: its number; for 11 joints nine
numbers of orientation with their confidence, then x y z in millimetres with theirs; for 4 joints the latter
only; the last line is ``END``. ``activityLabel.txt`` in the same folder has a line ``0512164529,talking on
the phone,`` for each recording. The subject is the number in the folder's name (``data1``).
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Find, Reader, Work, check_joints, find_each, match_name
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import read_table
from skel_data.store._info import DatasetInfo

LABELS = "activitylabel.txt"
_NAME = re.compile(r"\d{6,12}")
_METRES = 0.001
_TURNED, _OTHER = 11, 4
_FIELDS = 1 + 14 * _TURNED + 4 * _OTHER
_PLACES = [1 + 14 * joint + 10 for joint in range(_TURNED)]
_PLACES += [1 + 14 * _TURNED + 4 * joint for joint in range(_OTHER)]
# Where each joint of sbu-15 is: head, neck, torso, then arms and legs, left before right
_ORDER = [0, 1, 2, 3, 4, 11, 5, 6, 12, 7, 8, 13, 9, 10, 14]


def parse(name: str, data: bytes, label: int, subject: int) -> Iterator[Clip | BadFile]:
    """Make a clip of one file. A row that cannot be read is reported, and missing in the clip."""
    match_name(_NAME, name, "the number of a recording, such as 0512164529")
    text, _, end = data.rstrip().rpartition(b"\n")
    if end.strip() != b"END":
        raise ValueError("cut off: the last line is not END")
    lines = b"\n".join(line.strip().rstrip(b",") for line in text.splitlines())
    damaged: list[str] = []
    rows = read_table(lines, _FIELDS, ",", damaged)
    columns = np.array(_PLACES)[_ORDER][:, None] + np.arange(3)
    positions = rows[:, columns][:, None] * _METRES
    check_joints(positions, 15, 3)
    yield from (BadFile(name, f"{reason}; the frame is missing") for reason in damaged)
    yield Clip(positions, name, label, subject)


def _labels(source: Source) -> dict[str, str]:
    """Class of each recording, by its folder and number."""
    found = {}
    for entry in source:
        if isinstance(entry, BadFile) or PurePosixPath(entry[0]).name.lower() != LABELS:
            continue
        folder = PurePosixPath(entry[0]).parent
        for line in entry[1]().decode("utf-8", errors="replace").splitlines():
            fields = [field.strip() for field in line.split(",")]
            if len(fields) >= 2 and fields[1]:
                found[str(folder / fields[0])] = fields[1]
    if not found:
        raise ValueError(f"{source.name}: no activityLabel.txt with the classes of recordings")
    return found


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    labels = _labels(source)
    classes = tuple(sorted(set(labels.values())))
    info = DatasetInfo(layout or get_layout("sbu-15"), classes, "metres")
    return info, partial(_find, labels=labels, classes=classes)


def _find(source: Source, labels: dict[str, str], classes: tuple[str, ...]) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".txt", parse, later=True):
        path = PurePosixPath(work.name)
        if path.name.lower() == LABELS:
            continue
        if not isinstance(work, Work):
            yield work
            continue
        label = labels.get(str(path.with_suffix("")))
        if label is None:
            yield BadFile(work.name, "no class of it in activityLabel.txt")
            continue
        number = re.search(r"\d+", path.parent.name or source.name)
        subject = int(number[0]) if number and len(number[0]) < 9 else -1
        yield evolve(work, args=(*work.args, classes.index(label), subject))


CAD60 = Reader("cad-60", "cad-60", None, (), None, ".txt", default_split="subject-1", describe=_describe)
