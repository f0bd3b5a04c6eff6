"""JSON lines, ``.jsonl`` or ``.ndjson``: an object a frame, or an object a clip.

The joints are under ``keypoints``, ``positions``, ``joints``, ``pose``, ``skeleton`` or ``landmarks``: (V,
C), or (M, V, C) with ``frame``, for a frame; (T, V, C) or (T, M, V, C) for a clip. Scores (without the last
axis) may be under ``scores``, ``keypoint_scores`` or ``confidence``; null is a missing number. Other keys
tell facts: ``frame``, ``person`` or ``track``, ``clip`` or ``video``, ``label`` or ``class``, ``subject``,
``camera`` and ``split``. The frames of one clip, or of one file where no clip is named, follow each other.
Without labels in it, the class of a file is the name of its folder.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, find_each, layout_wanted, read_json
from skel_data.readers._source import Source
from skel_data.readers.arrays._columns import FACTS
from skel_data.readers.arrays._facts import Names, split_code, usual_up
from skel_data.readers.arrays._ntu_names import ntu_codes
from skel_data.readers.arrays._rows import Rows, make_clip
from skel_data.readers.keypoints._keypoints import folder_labels
from skel_data.store._info import DatasetInfo

SUFFIXES = (".jsonl", ".ndjson")
_JOINTS = ("keypoints", "positions", "joints", "pose", "skeleton", "landmarks")
_SCORES = ("scores", "keypoint_scores", "confidence")
_LAYOUTS = {(33, 3): "mediapipe-33", (33, 4): "mediapipe-33"}


def _lines(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line."""
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            content = read_json(line)
            if not isinstance(content, dict):
                raise ValueError(f"line {number}: expected an object")
            yield number, content


def _fact(line: Mapping[str, Any], fact: str) -> Any:
    """The value of a fact, under any of its names; None if there is none."""
    for word in FACTS[fact]:
        for key in (word, word.replace(" ", "_")):
            if line.get(key) is not None:
                return line[key]
    return None


def _text(line: Mapping[str, Any], fact: str) -> str:
    value = _fact(line, fact)
    return "" if value is None else str(value)


def joints_of(line: Mapping[str, Any]) -> NDArray[np.float64]:
    """The joints of a line, scores being the last channel.

    Raises:
        ValueError: If there are none.
    """
    key = next((key for key in _JOINTS if key in line), None)
    if key is None:
        raise ValueError(f"no joints under {', '.join(_JOINTS)}; the keys are {', '.join(line)[:200]}")
    try:
        joints = np.array(line[key], np.float64)
        score = next((line[name] for name in _SCORES if isinstance(line.get(name), list)), None)
        if score is not None:
            joints = np.concatenate([joints, np.array(score, np.float64)[..., None]], -1)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{key} is no array of numbers, or does not fit its scores") from None
    if joints.ndim not in (2, 3, 4) or joints.size == 0:
        raise ValueError(f"{key} is of shape {joints.shape}")
    return joints


def parse(
    name: str, data: bytes, layout: SkeletonLayout, names: Names, label: int
) -> Iterator[Clip | BadFile]:
    """Make the clips of one file."""
    clips: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    unnamed = 0
    for number, line in _lines(data):
        called = _text(line, "clip") or name
        if not _is_frame(line):
            called = (
                _text(line, "clip") or _text(line, "body") or str(line.get("name") or f"{name}_{unnamed}")
            )
            unnamed += 1
        clips.setdefault(called, []).append((number, line))
    for called, lines in clips.items():
        try:
            yield _clip(called, lines, layout, names, label)
        except ValueError as error:
            yield BadFile(called, str(error))


def _is_frame(line: Mapping[str, Any]) -> bool:
    return _fact(line, "frame") is not None or joints_of(line).ndim == 2


def _clip(
    name: str, lines: list[tuple[int, dict[str, Any]]], layout: SkeletonLayout, names: Names, label: int
) -> Clip:
    number, first = lines[0]
    codes = {fact: names.code(fact, _text(first, fact)) for fact in ("subject", "camera")}
    labels = {_text(line, "label") for _, line in lines} - {""}
    if len(labels) > 1:
        raise ValueError(f"labels {', '.join(sorted(labels))[:100]} in one clip; name the clips")
    if labels:
        label = names.code("label", labels.pop())
    about: dict[str, Any] = {"split": split_code(_text(first, "split")), **ntu_codes(name)}
    about |= {fact: code for fact, code in codes.items() if code >= 0}
    shape = (layout.num_joints, layout.channels)
    if not _is_frame(first):
        if len(lines) > 1:
            raise ValueError(f"line {lines[1][0]}: clip {name!r} a second time, and no number of a frame")
        joints = joints_of(first)
        joints = joints[:, None] if joints.ndim == 3 else joints
        if joints.shape[2:] != shape:
            raise ValueError(
                f"line {number}: joints of shape {joints.shape}, expected (T, M, {shape[0]}, {shape[1]})"
            )
        return Clip(joints, name, label, **about)
    found: list[NDArray[np.float64]] = []
    frames: list[int] = []
    bodies: list[Any] = []
    for at, (number, line) in enumerate(lines):
        joints = joints_of(line)
        joints = joints[None] if joints.ndim == 2 else joints
        frame, body = _fact(line, "frame"), _fact(line, "body")
        if joints.shape[1:] != shape:
            raise ValueError(f"line {number}: joints of shape {joints.shape}, expected {shape}")
        if frame is not None and type(frame) is not int:
            raise ValueError(f"line {number}: a frame must be a whole number")
        found.append(joints)
        frames += [at if frame is None else frame] * len(joints)
        bodies += range(len(joints)) if body is None else [body]
    told = any(_fact(line, "body") is not None for _, line in lines)
    order: dict[str, int] = {}
    ids = np.array([order.setdefault(str(body), len(order)) for body in bodies])
    several = told or len(ids) > len(lines)
    rows = Rows(np.concatenate(found), np.array(frames), ids if several else None)
    return make_clip(name, rows, label, **about)


def _read(source: Source) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The lines of each file that can be read."""
    for entry in source:
        if isinstance(entry, BadFile) or not entry[0].lower().endswith(SUFFIXES):
            continue
        try:
            yield entry[0], [line for _, line in _lines(entry[1]())]
        except ValueError:  # reported when it is imported
            continue


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    seen: dict[str, set[str]] = {fact: set() for fact in ("label", "subject", "camera")}
    shape: tuple[int, ...] = ()
    for _, lines in _read(source):
        for line in lines:
            for fact, values in seen.items():
                values.add(_text(line, fact))
            if not shape:
                try:
                    shape = joints_of(line).shape[-2:]
                except ValueError:  # reported when it is imported
                    continue
    if not shape:
        raise ValueError(f"{source.name}: no line with joints under {', '.join(_JOINTS)}")
    joints, channels = shape
    if layout is None:
        if shape not in _LAYOUTS:
            raise ValueError(
                f"{source.name}: {counted(joints, 'joint')} of {counted(channels, 'number')}, "
                f"{layout_wanted(joints)}"
            )
        layout = get_layout(_LAYOUTS[joints, channels])
    if channels in (layout.dims, layout.dims + 1):
        layout = evolve(layout, confidence=channels == layout.dims + 1)
    names = Names.of(seen)
    labels: Mapping[str, int] = {}
    classes = names.label
    if not seen["label"] - {""}:
        paths = source.paths()
        labels, classes = folder_labels([path for path in paths if path.lower().endswith(SUFFIXES)])
    info = DatasetInfo(
        layout,
        classes,
        "unknown",
        subject_names=names.subject,
        camera_names=names.camera,
        up=usual_up(layout),
    )
    return info, partial(_find, layout=layout, names=names, labels=labels)


def _find(
    source: Source, layout: SkeletonLayout, names: Names, labels: Mapping[str, int]
) -> Iterator[Work | BadFile]:
    for suffix in SUFFIXES:
        for work in find_each(source, suffix, parse, layout, names, later=True):
            label = labels.get(work.name, -1)
            yield evolve(work, args=(*work.args, label)) if isinstance(work, Work) else work


def _folders(source: Source) -> dict[str, str]:
    """Paths; nothing where the lines tell the classes."""
    if any(_fact(line, "label") is not None for _, lines in _read(source) for line in lines):
        return {}
    return {path: path for path in source.paths() if path.lower().endswith(SUFFIXES)}


JSONL = Reader("jsonl", None, None, (), None, ".jsonl", units="unknown", describe=_describe, folders=_folders)
