"""Arrays of 2s-AGCN, MS-G3D, ST-GCN, SkeletonCLR, CMD and others: ``train_data_joint.npy`` and its labels.

``PART_data_joint.npy`` is (N, C, T, V, M); ST-GCN calls it ``PART_data.npy``, SkeletonCLR
``PART_position.npy``. ``PART_label.pkl`` beside it has the names and the labels of the clips, and
``PART_num_frame.npy``, if there is one, their frames. PART is train, val or test: the listed split. Frames
that pad a clip are left out: those behind ``num_frame``, else zero frames at the end, else the clip's own
repetition. Names of NTU RGB+D tell subject, camera, setup and replication, and its official splits hold.
Other arrays, such as those of bones, are passed over.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import define, evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, layout_wanted
from skel_data.readers._source import Source
from skel_data.readers.arrays._axes import frames_without_padding, without_absent
from skel_data.readers.arrays._facts import MOST_CLASSES
from skel_data.readers.arrays._ntu_names import ntu_codes, ntu_set, without_suffix
from skel_data.readers.arrays._numpy import NpyRows, read_npy
from skel_data.readers.arrays._open import open_file, paths_in
from skel_data.readers.keypoints._unpickle import load_plain
from skel_data.store._info import DatasetInfo

PARTS = {"train": 1, "training": 1, "val": 2, "valid": 2, "test": 2, "eval": 2}
_DATA = re.compile(rf"(?:({'|'.join(PARTS)})_)?(?:data_joint|data|position|joint)\.npy", re.IGNORECASE)
_LAYOUTS = {(25, 3): "ntu-25", (20, 3): "kinect-20", (18, 3): "openpose-18"}
_SMALL = 256 * 2**20


@define(frozen=True)
class Part:
    """One array and what is known of its clips.

    Attributes:
        path: Of the array.
        split: 1 train, 2 test, 0 unknown.
        names: Of the clips.
        labels: Of the clips.
        frames: Of the clips; None: not told.
    """

    path: str
    split: int
    names: tuple[str, ...]
    labels: tuple[int, ...]
    frames: tuple[int, ...] | None


def parse(name: str, label: int, split: int, row: NDArray[Any], frames: int | None) -> Clip:
    """Make a clip of one row (C, T, V, M)."""
    positions = without_absent(row.transpose(1, 3, 2, 0))
    if frames is None:
        frames = frames_without_padding(positions)
    if not 1 <= frames <= len(positions):
        raise ValueError(f"num_frame is {frames}, but the array has {counted(len(positions), 'frame')}")
    return Clip(positions[:frames], without_suffix(name), label, split=split, **ntu_codes(name))


def is_data(path: str) -> bool:
    """Whether a file has the name of such an array."""
    return _DATA.fullmatch(PurePosixPath(path).name) is not None


def _parts(source: Source) -> list[Part]:
    paths = set(paths_in(source))
    home = source.path.parent if source.path.is_file() and len(paths) == 1 else None
    if home is not None:  # one array given by itself: its label file is beside it
        paths = {path.name for path in home.iterdir() if path.is_file()}
        source_of_facts = Source(home)
        found = [path for path in (source.path.name,) if is_data(path)]
    else:
        source_of_facts = source
        found = sorted(path for path in paths if is_data(path))
    parts = []
    for path in found:
        file = PurePosixPath(path)
        prefix = str(_DATA.fullmatch(file.name)[1] or "")  # type: ignore[index]
        split = PARTS.get((prefix or file.parent.name).lower(), 0)
        stem = str(file.parent / (f"{prefix}_" if prefix else ""))
        stem = "" if stem == "." else stem + ("" if prefix else "/")
        if f"{stem}label.pkl" not in paths:
            raise ValueError(f"{path}: no {stem}label.pkl with names and labels beside it")
        names, labels = _names_and_labels(source_of_facts, f"{stem}label.pkl")
        frames = None
        if f"{stem}num_frame.npy" in paths:
            told = read_npy(_small(source_of_facts, f"{stem}num_frame.npy")).reshape(-1)
            if told.dtype.kind not in "iu":
                raise ValueError(f"{stem}num_frame.npy: expected whole numbers, got {told.dtype}")
            frames = tuple(told.tolist())
        parts.append(Part(path, split, names, labels, frames))
    homes = {str(PurePosixPath(part.path).parent) for part in parts}
    if len(homes) > 1 and not all(PurePosixPath(name).name.lower() in PARTS for name in homes):
        raise ValueError(
            f"{source.name} holds more than one set of arrays; import {' or '.join(sorted(homes))}"
        )
    return sorted(parts, key=lambda part: part.split)


def _small(source: Source, name: str) -> bytes:
    with open_file(source, name) as file:
        data = file.read(_SMALL + 1)
    if len(data) > _SMALL:
        raise ValueError(f"{name}: more than {_SMALL} bytes")
    return data


def _names_and_labels(source: Source, path: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    content = load_plain(_small(source, path))
    try:
        names, labels = content[0], np.asarray(content[1])
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(names) != len(labels):
            raise TypeError
    except (TypeError, KeyError, IndexError, ValueError):
        raise ValueError(f"{path}: expected a list of names and a list of as many whole numbers") from None
    if labels.max(initial=0) >= MOST_CLASSES:
        raise ValueError(
            f"{path}: a label is {labels.max()}; more than {MOST_CLASSES} classes are no data set"
        )
    return tuple(map(str, names)), tuple(labels.tolist())


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    parts = _parts(source)
    if not parts:
        raise ValueError(f"{source.name}: no array such as train_data_joint.npy")
    shapes = []
    for part in parts:
        with open_file(source, part.path) as file:
            shape = NpyRows(file).shape
        if len(shape) != 5 or 0 in shape or len(part.names) != shape[0]:
            raise ValueError(
                f"{part.path} is {shape}, its label file has {counted(len(part.names), 'clip')}; "
                "expected (N, C, T, V, M)"
            )
        if part.frames is not None and len(part.frames) != shape[0]:
            raise ValueError(
                f"{part.path}: {counted(shape[0], 'clip')}, but num_frame has {len(part.frames)}"
            )
        shapes.append(shape)
    _, channels, _, joints, _ = shapes[0]
    if layout is None:
        if (joints, channels) not in _LAYOUTS:
            raise ValueError(
                f"{source.name}: {counted(joints, 'joint')} of {counted(channels, 'number')}, "
                f"{layout_wanted(joints)}"
            )
        layout = get_layout(_LAYOUTS[joints, channels])
    if channels in (layout.dims, layout.dims + 1):
        layout = evolve(layout, confidence=channels == layout.dims + 1)
    names = [name for part in parts for name in part.names]
    labels = [label for part in parts for label in part.labels]
    known = ntu_set(names, labels)
    info = DatasetInfo(
        layout,
        known[1] if known else tuple(map(str, range(max(labels) + 1))),
        "metres" if layout.name == "ntu-25" else "unknown",
    )
    info = evolve(info, dataset=known[0]) if known else info
    return info, lambda files: _find(files, parts)


def _find(source: Source, parts: list[Part]) -> Iterator[Work | BadFile]:
    for part in parts:
        frames = part.frames or (None,) * len(part.names)
        with open_file(source, part.path) as file:
            rows = iter(NpyRows(file))
            for name, label, count in zip(part.names, part.labels, frames, strict=True):
                try:
                    row = next(rows)
                except ValueError as error:
                    yield BadFile(part.path, str(error))
                    break
                yield Work(name, parse, (name, label, part.split, row, count))


AGCN = Reader("agcn", None, None, (), None, ".npy", units="unknown", describe=_describe)
