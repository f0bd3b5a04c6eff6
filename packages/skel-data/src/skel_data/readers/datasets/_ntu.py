"""NTU RGB+D (Shahroudy et al., CVPR 2016) and NTU RGB+D 120 (Liu et al., TPAMI 2020).

A text file a clip, ``S001C001P001R001A001.skeleton``: setup, camera, subject, replication, action.

A file holds the number of frames; per frame the number of bodies; per body a line of ten fields
that starts with its id, the number of joints, and a line of twelve fields per joint that starts
with x y z in metres.
"""

import re
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from skel_data._clip import BadFile, Clip
from skel_data._words import counted
from skel_data.readers._reader import Reader, find_each
from skel_data.splits._official import class_names, ntu_missing
from skel_data.store._info import ClipTable

_NAME = re.compile(r"S([0-9]{3})C([0-9]{3})P([0-9]{3})R([0-9]{3})A([0-9]{3})")
_JOINTS = 25
_FIELDS = 12
_FAR = 1e6  # metres
_MOST_BODIES = 16  # the sensor follows six; more than this is no recording
_MOST_FRAMES = 20_000  # eleven minutes; the sets have clips of seconds

_CLASSES = class_names("ntu120")
_CLASSES_OF = {"ntu60": 60, "ntu120": 120}


def read_ntu_skeleton(file: str | Path) -> Clip:
    """Read one ``.skeleton`` file of either set, also one that the set lists as missing or incomplete.

    Importing a set leaves the listed ones out, as the published programs do. A store that should have
    them is written of these clips by `write_store`.

    Args:
        file: The file.

    Raises:
        ValueError: With the reason, if it is not a recording of these sets.
        FileNotFoundError: If there is no such file.
    """
    file = Path(file)
    return parse(file.stem, file.read_bytes())


def ntu_clip_table(names: Iterable[str], dataset: str = "ntu60") -> ClipTable:
    """Table of clips by their names, such as ``S001C001P001R001A001``, so that a list of names can be split.

    Args:
        names: Names without suffix.
        dataset: ntu60 or ntu120.

    Raises:
        ValueError: If there is no such set, or a name is not of it.
    """
    if dataset not in _CLASSES_OF:
        raise ValueError(f"dataset must be {' or '.join(_CLASSES_OF)}, got {dataset!r}")
    rows = np.array([_parse_name(name) for name in names], np.int64)
    setups, cameras, subjects, replications, actions = rows.reshape(-1, 5).T
    for action in np.unique(actions).tolist():
        _check_action(action, _CLASSES_OF[dataset])
    return ClipTable(dataset, actions - 1, subjects, cameras, setups, replications, default_split="xsub")


def parse(name: str, data: bytes, classes: int = len(_CLASSES), damaged: list[str] | None = None) -> Clip:
    """Make a clip of one file: slots are the bodies of a frame in the order of the file, tracks their ids.

    A file without any body is bad. So is one with a coordinate that is not finite, or a broken frame, unless
    what is wrong may be added to `damaged`: then it is missing.
    """
    setup, camera, subject, replication, action = _parse_name(name)
    positions, tracks = parse_text(data, damaged)
    _check_action(action, classes)
    return Clip(positions, name, action - 1, subject, camera, setup, replication, tracks=tracks)


def _unless_listed(name: str, data: bytes, classes: int) -> list[Clip | BadFile]:
    """The clip of a file, or that the set lists it as missing or incomplete."""
    if name in ntu_missing():
        reason = "listed by the data set as having a missing or incomplete skeleton"
        return [BadFile(f"{name}.skeleton", reason, listed=True)]
    damaged: list[str] = []
    clip = parse(name, data, classes, damaged)
    return [
        *(BadFile(f"{name}.skeleton", reason) for reason in damaged),
        clip,
    ]


def _parse_name(name: str) -> tuple[int, ...]:
    """Setup, camera, subject, replication and action in a name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"unexpected name {name[:40]!r}, expected SsssCcccPpppRrrrAaaa")
    return tuple(map(int, match.groups()))


def _check_action(action: int, classes: int) -> None:
    if not 1 <= action <= classes:
        raise ValueError(f"action A{action:03}, the set has A001 to A{classes:03}")


def parse_text(data: bytes, damaged: list[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (T, M, 25, 3), zero for absent bodies, and body ids (T, M) of one file.

    Args:
        data: Content of the file.
        damaged: Takes what is wrong with a joint, which is NaN then, or with a frame, which has no body then,
            if most are good. None: it is an error.

    Raises:
        ValueError: With the reason and the line, if the text is malformed.
    """
    lines = data.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    frames = _count(lines, 0, "number of frames")
    if not 1 <= frames <= len(lines):
        raise ValueError(
            f"cut off: {counted(frames, 'frame')} announced, {counted(len(lines), 'line')} in the file"
            if frames
            else "no frame"
        )
    if frames > _MOST_FRAMES:
        raise ValueError(f"{frames} frames, at most {_MOST_FRAMES} are credible")
    try:
        where, bodies, joint_lines = _bodies(lines, frames)
    except _WholeFileError:
        raise
    except ValueError as error:
        if damaged is None:
            raise
        where, bodies, joint_lines = _bodies(_mended(lines, frames, damaged, error), frames)
    if not where:
        raise ValueError("no body in any frame")
    frame_index, slot_index, ids = np.array(where, dtype=np.int64).T
    positions = np.zeros((frames, max(bodies), _JOINTS, 3), np.float32)
    positions[frame_index, slot_index] = _coordinates(joint_lines, damaged).reshape(-1, _JOINTS, 3)
    tracks = np.zeros(positions.shape[:2], np.int64)
    tracks[frame_index, slot_index] = ids
    return positions, tracks


class _WholeFileError(ValueError):
    """What costs the whole file, as it is cut off or of another skeleton."""


def _bodies(lines: list[bytes], frames: int) -> tuple[list[tuple[int, int, int]], list[int], list[bytes]]:
    """Frame, slot and id of each body, the bodies of each frame, and the lines of all joints."""
    at, bodies, joint_lines = 1, [], []
    where: list[tuple[int, int, int]] = []
    for frame in range(frames):
        count = _count(lines, at, "number of bodies of frame %d of %d", frame + 1, frames)
        if count > _MOST_BODIES:
            raise ValueError(f"line {at + 1}: {count} bodies, at most {_MOST_BODIES} are credible")
        at += 1
        for slot in range(count):
            header = lines[at].split() if at < len(lines) else []
            joints = _count(lines, at + 1, "number of joints in frame %d of %d", frame + 1, frames)
            if joints != _JOINTS:
                raise _WholeFileError(f"line {at + 2}: {joints} joints, expected {_JOINTS}")
            if len(header) != 10 or not header[0].isdigit() or len(header[0]) > 18:
                raise ValueError(f"line {at + 1}: not a body: expected 10 fields that start with its id")
            where.append((frame, slot, int(header[0])))
            at += 2
            joint_lines += lines[at : at + _JOINTS]
            at += _JOINTS
        bodies.append(count)
    if at > len(lines):
        raise _WholeFileError(
            f"cut off in the last frame: {counted(at, 'line')} expected, {len(lines)} found"
        )
    if at < len(lines):
        raise ValueError(f"{counted(len(lines) - at, 'line')} after the last of {counted(frames, 'frame')}")
    return where, bodies, joint_lines


def _mended(lines: list[bytes], frames: int, damaged: list[str], error: ValueError) -> list[bytes]:
    """The lines with broken frames emptied, where each frame can be told by its number of bodies.

    That is the only line of one field that neither follows a body's header, which has 10, nor is the number
    of joints.
    """
    words = [line.split() for line in lines]
    number = [str(_JOINTS).encode()]
    starts = [
        at
        for at in range(1, len(lines))
        if len(words[at]) == 1 and len(words[at - 1]) != 10 and words[at] != number
    ]
    if len(starts) != frames or starts[0] != 1:
        raise error
    kept, broken = lines[:1], []
    for frame, (start, stop) in enumerate(pairwise([*starts, len(lines)]), 1):
        own = lines[start:stop]
        try:
            _, _, joints = _bodies([b"1", *own], 1)
            if any(len(line.split()) != _FIELDS for line in joints):
                raise ValueError("a line that is no joint")
            kept += own
        except ValueError:
            broken.append(
                f"frame {frame} of {frames}, lines {start + 1} to {stop}: not as bodies are written"
            )
            kept.append(b"0")
    if 2 * len(broken) > frames:
        raise error
    damaged += [f"{reason}; the frame is missing in the clip" for reason in broken]
    return kept


def _count(lines: list[bytes], at: int, what: str, *numbers: int) -> int:
    if at >= len(lines):
        raise _WholeFileError(f"cut off: the file ends before the {what % numbers}")
    text = lines[at].strip()
    if not text.isdigit() or len(text) > 9:
        raise ValueError(f"line {at + 1}: expected the {what % numbers}, found {text[:40]!r}")
    return int(text)


def _coordinates(lines: list[bytes], damaged: list[str] | None) -> np.ndarray:
    """X y z of the joint lines (n, 3)."""
    try:
        return _all_coordinates(lines)
    except ValueError:
        if damaged is None:
            raise
    values, bad = np.full((len(lines), 3), np.nan), 0
    for joint, line in enumerate(lines):
        try:
            values[joint] = _all_coordinates([line])
        except ValueError as error:
            damaged.append(f"{error}; the joint is missing there")
            bad += 1
            if 2 * bad > len(lines):
                raise
    return values


def _all_coordinates(lines: list[bytes]) -> np.ndarray:
    text = b" ".join(lines)
    if text.count(b" ") != _FIELDS * len(lines) - 1:  # not one space between any two fields: look closer
        for line in lines:
            if len(line.split()) != _FIELDS:
                raise ValueError(f"not a joint: expected {_FIELDS} fields, found {line.strip()[:120]!r}")
    fields: list[bytes] = []
    for line in lines:
        fields += line.split(None, 3)[:3]
    if len(fields) != 3 * len(lines) or b"_" in text:
        raise ValueError("a joint has fewer than 3 numbers")
    try:
        values = np.array(list(map(float, fields))).reshape(-1, 3)
    except ValueError as error:
        word = str(error).rpartition(": b")[2]
        raise ValueError(f"a coordinate is not a number: {word[:60]}") from error
    if not (np.abs(values) < _FAR).all():
        raise ValueError(f"a coordinate is not finite or far off: {values[~(np.abs(values) < _FAR)][0]}")
    return values


def _reader(name: str, classes: int) -> Reader:
    parse_one = partial(_unless_listed, classes=classes)
    find = partial(find_each, suffix=".skeleton", parse=parse_one, later=True)
    return Reader(name, name, "ntu-25", _CLASSES[:classes], find, ".skeleton", default_split="xsub")


NTU60, NTU120 = (_reader(name, classes) for name, classes in _CLASSES_OF.items())
