"""PKU-MMD (Liu, Hu, Li, Song, Liu, 2017), phases I and II: untrimmed recordings and a label file for each.

A recording, ``0002-L.txt`` in phase I and ``A01N01-L.txt`` in phase II, has one row of 150 numbers per frame:
x y z in metres of 25 joints of two bodies, the second all zero when absent. Its labels have the same name in
another folder: a row ``label,first frame,last frame,confidence`` for each action, frames counted from 1,
the last one included. Commas distinguish the two, in the first line. Every row of labels is a clip,
``0002-L_01`` for the first; or, untrimmed, an interval of the recording ``0002-L``.

A range that does not lie within the recording is reported as bad, not cut short. (Public loaders do not look,
and numpy's slices cut short in silence; they also differ on whether the first frame is counted from 0.)

Lists ``cross-subject.txt`` and ``cross-view.txt``, or ``cross_subject_v2.txt`` and so on, give the splits
``listed-1`` (subjects) and ``listed-2`` (cameras). Both phases number the classes alike, 1 to 51; phase II
does not use all of them. L, M, R are cameras 1, 2, 3. The N of phase II is taken for the subject: it goes to
13, as many as took part. Phase I does not name subjects.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from skel_data._clip import BadFile, Clip
from skel_data.readers._reader import Reader, Work, find_each, match_name
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import read_table
from skel_data.splits._official import class_names

_NAMES = {1: re.compile(r"[0-9]{4}-([LMR])"), 2: re.compile(r"A[0-9]{2}N([0-9]{2})-([LMR])")}
_EXPECTED = {1: "0002-L", 2: "A01N01-L"}
_LIST = re.compile(r"cross[-_](subject|view)([-_]v[0-9]+)?\.txt", re.IGNORECASE)
_ROW = re.compile(r"([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*(,[^,]*)?")
_JOINTS = 25
_CLASSES = class_names("pku-mmd")


def parse(
    name: str,
    data: bytes,
    labels: bytes,
    phase: int = 1,
    split: tuple[int, ...] = (0, 0),
    *,
    untrimmed: bool = False,
) -> list[Clip | BadFile]:
    """Cut a recording into a clip for each row of its labels; a row that cannot be cut out is a `BadFile`.

    Args:
        name: Name of the recording without suffix.
        data: Its content.
        labels: Content of its label file.
        phase: Phase of the set, 1 or 2.
        split: Part of the recording in each listed split: 0 unknown, 1 train, 2 test.
        untrimmed: Keep the recording whole: each row is an interval of it.
    """
    match = match_name(_NAMES[phase], name, f"one such as {_EXPECTED[phase]}.txt")
    subject = int(match[1]) if phase == 2 else -1
    camera = 1 + "LMR".index(name[-1])
    damaged: list[str] = []
    positions = read_table(data, 2 * 3 * _JOINTS, damaged=damaged).reshape(-1, 2, _JOINTS, 3)
    found: list[Clip | BadFile] = [BadFile(name, f"{reason}; the frame is missing") for reason in damaged]
    intervals: list[tuple[int, int, int]] = []
    for number, row in enumerate(labels.decode("latin-1").rstrip().split("\n"), 1):
        clip_name = f"{name}_{number:02}"
        try:
            label, first, last = _row(row)
            if last > len(positions):
                raise ValueError(f"labelled from frame {first} to {last} of {len(positions)}")
            intervals.append((label, first - 1, last))
            if not untrimmed:
                found.append(
                    Clip(positions[first - 1 : last], clip_name, label, subject, camera, split=split)
                )
        except ValueError as error:
            found.append(BadFile(clip_name, f"row {number} of the labels: {error}"))
    if untrimmed:
        found.append(Clip(positions, name, subject=subject, camera=camera, split=split, intervals=intervals))
    return found


def _row(text: str) -> tuple[int, int, int]:
    """Label from 0, first and last frame from 1 of a row of labels."""
    match = _ROW.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()[:80]!r}, expected label,first frame,last frame,confidence")
    label, first, last = map(int, match.groups()[:3])
    if not 1 <= label <= len(_CLASSES):
        raise ValueError(f"label {label}, the set has 1 to {len(_CLASSES)}")
    if not 1 <= first <= last:
        raise ValueError(f"labelled from frame {first} to {last}, expected 1 or more, in this order")
    return label - 1, first, last


def parse_list(data: bytes, phase: int = 1) -> dict[str, int]:
    """Part of each recording in a list of train and test recordings: 1 train, 2 test.

    A list is a heading, then names with commas between, in one line or several, for each of the two parts.
    """
    parts: dict[str, int] = {}
    part, heading = 0, False
    for number, line in enumerate(data.decode("latin-1").split("\n"), 1):
        names = [name for field in line.split(",") if (name := field.strip())]
        if names and not any(_NAMES[phase].fullmatch(name) for name in names):
            part, heading = part if heading else part + 1, True
            continue
        for name in names:
            if not _NAMES[phase].fullmatch(name) or part not in (1, 2):
                raise ValueError(f"line {number}: {name[:40]!r}, expected names such as {_EXPECTED[phase]}")
            if parts.setdefault(name, part) != part:
                raise ValueError(f"line {number}: {name} is for training and for testing")
            heading = False
    if set(parts.values()) != {1, 2}:
        raise ValueError("expected recordings for training, then recordings for testing")
    return parts


def _find(source: Source, phase: int, untrimmed: bool = False) -> Iterator[Work | BadFile]:
    labels: dict[str, tuple[str, bytes]] = {}
    lists: dict[str, dict[str, int]] = {}
    for entry in source:  # labels and lists first: they may come after the recordings
        if isinstance(entry, BadFile):
            continue  # reported when the recordings are read
        path, read = entry
        match = _LIST.fullmatch(PurePosixPath(path).name)
        name = _name(path)
        if match is None and _NAMES[phase].fullmatch(name) is None:
            continue
        try:
            data = read()
            if match is not None:
                lists.setdefault(match[1].lower(), parse_list(data, phase))
            elif _is_labels(data):
                labels.setdefault(name, (path, data))
        except ValueError as error:
            if match is not None:
                yield BadFile(path, str(error))
    seen = set()
    for share in find_each(source, ".txt", parse):
        name = _name(share.name)
        if _LIST.fullmatch(PurePosixPath(share.name).name):
            continue
        if not isinstance(share, Work):
            seen.add(name)
            yield share
        elif _NAMES[phase].fullmatch(name) is None:
            yield BadFile(share.name, f"unexpected name, expected one such as {_EXPECTED[phase]}.txt")
        elif not _is_labels(share.args[1]):
            seen.add(name)
            if name not in labels:
                yield BadFile(share.name, "no label file of this name, with commas in its first line")
                continue
            split = tuple(lists.get(kind, {}).get(name, 0) for kind in ("subject", "view"))
            take = partial(parse, untrimmed=True) if untrimmed else parse
            yield Work(share.name, take, (name, share.args[1], labels[name][1], phase, split))
    for name, (path, _) in labels.items():
        if name not in seen:
            yield BadFile(path, "labels, but there is no recording of this name")


def _name(path: str) -> str:
    name = PurePosixPath(path).name
    return name[:-4] if name.lower().endswith(".txt") else ""


def _is_labels(data: bytes) -> bool:
    return b"," in data.partition(b"\n")[0]


def _reader(phase: int) -> Reader:
    name, find = f"pku-mmd-{phase}", partial(_find, phase=phase)
    whole = partial(_find, phase=phase, untrimmed=True)
    return Reader(name, name, "ntu-25", _CLASSES, find, ".txt", default_split="listed-1", untrimmed=whole)


PKU_MMD_1, PKU_MMD_2 = _reader(1), _reader(2)
