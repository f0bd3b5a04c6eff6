"""DHG-14/28 (De Smedt et al., CVPR workshops 2016) and SHREC'17 (3DOR 2017): gestures of one hand.

Files are ``gesture_1/finger_1/subject_1/essai_1/skeleton_world.txt``, in SHREC'17 ``skeletons_world.txt``:
one line per frame, x y z in metres of 22 joints. A gesture is done with one finger, or with the whole hand
(``finger_2``): 28 classes distinguish this, 14 do not. SHREC'17 lists its parts in
``train_gestures.txt`` and ``test_gestures.txt``; DHG leaves one subject out. Recordings of DHG are cut to
the gesture where the source has ``informations_troncage_sequences.txt``: gesture, finger, subject, essai, and
the first and the last frame, counted from 0. Published programs do the same.
"""

import re
from collections.abc import Iterator
from functools import partial

from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data.readers._reader import Reader, Work, check_joints, find_each
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import read_table
from skel_data.splits._official import class_names

_PATH = re.compile(
    r"(?:.*/)?gesture_(\d+)/finger_(\d+)/subject_(\d+)/essai_(\d+)/skeletons?_world\.txt", re.DOTALL
)
_LIST = re.compile(r"(?:.*/)?(train|test)_gestures\.txt", re.IGNORECASE | re.DOTALL)
_GESTURES = class_names("dhg-14")
_FINGERS = ("one finger", "whole hand")
_CLASSES = {
    14: _GESTURES,
    28: tuple(f"{gesture}, {finger}" for gesture in _GESTURES for finger in _FINGERS),
}
_CUTS = re.compile(r"(?:.*/)?informations_troncage_sequences\.txt", re.IGNORECASE | re.DOTALL)
_JOINTS = 22
_Key = tuple[int, ...]


def parse(
    name: str, data: bytes, key: _Key, classes: int, split: int, frames: tuple[int, ...] = ()
) -> Iterator[Clip | BadFile]:
    """Make a clip of one file, called by what its path tells, from the first to the last of `frames`."""
    gesture, finger, subject, essai = key
    if not 1 <= gesture <= len(_GESTURES) or not 1 <= finger <= len(_FINGERS):
        raise ValueError(
            f"gesture {gesture}, finger {finger}, the set has 1 to {len(_GESTURES)}, and 1 and 2"
        )
    damaged: list[str] = []
    positions = read_table(data, 3 * _JOINTS, damaged=damaged).reshape(-1, 1, _JOINTS, 3)
    if frames:
        first, last = frames
        if not first <= last <= len(positions) or first == len(positions):
            raise ValueError(f"gesture from frame {first} to {last} of {len(positions)}")
        positions = positions[first : last + 1]
    check_joints(positions, _JOINTS, 3)
    label = gesture - 1 if classes == 14 else 2 * (gesture - 1) + finger - 1
    name = f"gesture_{gesture}_finger_{finger}_subject_{subject}_essai_{essai}"
    yield from (BadFile(name, f"{reason}; the frame is missing") for reason in damaged)
    yield Clip(positions, name, label, subject, replication=essai, split=split)


def _rows(
    source: Source, file: re.Pattern[str], count: int
) -> Iterator[tuple[re.Match[str], tuple[int, ...]] | BadFile]:
    """The first `count` numbers of each line of the files with such a name."""
    for entry in source:
        match = None if isinstance(entry, BadFile) else file.fullmatch(entry[0])
        if match is None or isinstance(entry, BadFile):
            continue
        for number, line in enumerate(entry[1]().splitlines(), 1):
            words = line.split()[:count]
            if len(words) == count and all(word.isdigit() and len(word) < 6 for word in words):
                yield match, tuple(map(int, words))
            elif line.strip():
                more = ", two frames" if count > 4 else ""
                yield BadFile(entry[0], f"line {number}: expected gesture, finger, subject, essai{more}")


def _find(source: Source, classes: int, lists: bool) -> Iterator[Work | BadFile]:
    parts: dict[_Key, set[int]] = {}
    cuts: dict[_Key, tuple[int, ...]] = {}
    for item in _rows(source, _LIST, 4) if lists else _rows(source, _CUTS, 6):
        if isinstance(item, BadFile):
            yield item
        elif lists:
            parts.setdefault(item[1], set()).add(1 if item[0][1].lower() == "train" else 2)
        else:
            cuts[item[1][:4]] = item[1][4:]
    for work in find_each(source, "_world.txt", parse, later=True):
        match = _PATH.fullmatch(work.name)
        if match is None or not isinstance(work, Work):
            yield (
                BadFile(work.name, "expected gesture_G/finger_F/subject_S/essai_E/skeletons_world.txt")
                if (isinstance(work, Work))
                else work
            )
            continue
        gesture, finger, subject, essai = (int(number[:6]) for number in match.groups())
        key = (gesture, finger, subject, essai)
        split = parts.get(key, {0})
        if len(split) > 1:
            yield BadFile(work.name, "listed both for training and for testing")
        else:
            yield evolve(work, args=(*work.args, key, classes, *split, cuts.get(key, ())))


def _reader(name: str, dataset: str, classes: int, split: str) -> Reader:
    find = partial(_find, classes=classes, lists=split == "listed")
    return Reader(name, dataset, "hand-22", _CLASSES[classes], find, "_world.txt", default_split=split)


DHG_14 = _reader("dhg-14", "dhg", 14, "subject-1")
"""DHG with 14 gestures."""

DHG_28 = _reader("dhg-28", "dhg", 28, "subject-1")
"""DHG with 28 gestures: 14, each with one finger and with the whole hand."""

SHREC17_14 = _reader("shrec17-14", "shrec17", 14, "listed")
"""SHREC'17 with 14 gestures."""

SHREC17_28 = _reader("shrec17-28", "shrec17", 28, "listed")
"""SHREC'17 with 28 gestures: 14, each with one finger and with the whole hand."""
