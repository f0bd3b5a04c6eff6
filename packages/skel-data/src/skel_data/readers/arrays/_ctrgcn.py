"""Arrays of CTR-GCN, InfoGCN and others: ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

They are in one ``.npz`` file, or in ``.npy`` or ``.pkl`` files of these names. The test part may be called
``val`` or ``valid``. Clips x are (N, T, M V C), or have other axes that `to_clip` knows, and are of one
length or a list; labels y are numbers, or rows with a one. Zero frames at the end are left out. The parts are
the listed split; a file called ``NTU60_CS.npz`` says which one.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, layout_wanted
from skel_data.readers._source import Source, read_up_to
from skel_data.readers.arrays._axes import frames_without_padding, to_clip, without_absent
from skel_data.readers.arrays._facts import MOST_CLASSES
from skel_data.readers.arrays._numpy import MAX_BYTES, Npz, read_npy
from skel_data.readers.arrays._open import open_file, paths_in
from skel_data.readers.keypoints._unpickle import load_plain
from skel_data.splits._official import class_names
from skel_data.store._info import DatasetInfo

ARRAY = re.compile(r"([xy])_(train|test|val|valid)(?:\.(npy|pkl|pickle))?", re.IGNORECASE)
_SPLIT = re.compile(r"(CSub|CS|CV|CSet|X-?Sub|X-?View|X-?Set)$", re.IGNORECASE)
_SPLITS = {"cs": "xsub", "csub": "xsub", "cv": "xview", "cset": "xset"}
_NTU = {75: 1, 150: 2}

_Rows = Callable[[], Iterator[NDArray[Any]]]


def parse(
    name: str, label: int, split: int, row: NDArray[Any], joints: int, channels: tuple[int, ...]
) -> Clip:
    """Make a clip of one row."""
    positions = without_absent(to_clip(row, joints, channels))
    return Clip(positions[: frames_without_padding(positions)], name, label, split=split)


def _arrays(source: Source) -> Iterator[tuple[str, _Rows, Callable[[], Any]]]:
    """Name of each array such as x_train, how its rows are read, and how all of it is."""
    paths = paths_in(source)
    archives = [path for path in paths if path.lower().endswith(".npz")]
    for path in paths:
        match = ARRAY.fullmatch(PurePosixPath(path).name)
        if match and match[3]:
            load = _file(source, path)
            yield PurePosixPath(path).stem.lower(), _rows_of(load, path), load
    if len(archives) > 1:
        raise ValueError(f"{source.name}: expected one .npz file, found {', '.join(archives[:5])}")
    for path in archives:
        with open_file(source, path) as file:
            names = Npz(file).names
        for name in names:
            if ARRAY.fullmatch(name):
                yield name.lower(), _packed_rows(source, path, name), _packed(source, path, name)


def _packed_rows(source: Source, path: str, name: str) -> _Rows:
    def rows() -> Iterator[NDArray[Any]]:
        with open_file(source, path) as file:
            yield from Npz(file).rows(name)

    return rows


def _packed(source: Source, path: str, name: str) -> Callable[[], Any]:
    def load() -> Any:
        with open_file(source, path) as file:
            return Npz(file)[name]

    return load


def _file(source: Source, path: str) -> Callable[[], Any]:
    def load() -> Any:
        with open_file(source, path) as file:
            data = read_up_to(file, MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise ValueError(f"{path}: more than {MAX_BYTES} bytes")
        try:
            return read_npy(data) if path.lower().endswith(".npy") else load_plain(data, objects=True)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    return load


def _rows_of(load: Callable[[], Any], path: str) -> _Rows:
    def rows() -> Iterator[NDArray[Any]]:
        content = load()
        if not isinstance(content, list | tuple | np.ndarray) or getattr(content, "ndim", 1) == 0:
            kind = type(content).__name__
            raise ValueError(f"{path}: expected an array of clips or a list of them, got {kind}")
        yield from (_array(clip, path) for clip in content)

    return rows


def _array(values: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(f"{name}: lists of several lengths, expected an array") from None


def _labels(values: Any, name: str) -> list[int]:
    labels = _array(values, name)
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not ((labels == 0) | (labels == 1)).all() or (labels.sum(1) != 1).any():
            raise ValueError(f"{name}: rows of {counted(labels.shape[1], 'number')} without a single one")
        labels = labels.argmax(1)
    labels = labels.reshape(-1)
    if labels.dtype.kind not in "iuf" or not (np.abs(labels) < 2**62).all() or (labels % 1).any():
        raise ValueError(f"{name}: labels must be whole numbers, or rows with a one")
    found: list[int] = labels.astype(np.int64).tolist()
    if max(found, default=0) >= MOST_CLASSES:
        raise ValueError(f"{name}: a label is {max(found)}; more than {MOST_CLASSES} classes are no data set")
    return found


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    arrays = {name: (rows, load) for name, rows, load in _arrays(source)}
    parts = {name[2:]: rows for name, (rows, _) in arrays.items() if name.startswith("x_")}
    if not parts:
        raise ValueError(f"{source.name}: no array x_train, x_test or x_val")
    missing = [f"y_{part}" for part in parts if f"y_{part}" not in arrays]
    if missing:
        raise ValueError(f"{source.name}: no labels {', '.join(missing)}")
    given = {part: arrays[f"y_{part}"][1]() for part in parts}
    labels = {part: _labels(values, f"y_{part}") for part, values in given.items()}
    first = next(next(iter(parts.values()))(), None)
    if first is None:
        raise ValueError(f"{source.name}: no clip")
    if layout is None:
        if first.ndim != 2 or first.shape[1] not in _NTU:
            raise ValueError(f"{source.name}: clips of shape {first.shape}, {layout_wanted()}")
        layout = get_layout("ntu-25")
    channels = tuple(dict.fromkeys([layout.channels, layout.dims, layout.dims + 1]))
    dims = to_clip(first, layout.num_joints, channels).shape[-1]
    layout = evolve(layout, confidence=dims == layout.dims + 1)
    count = max(
        [np.shape(values)[1] for values in given.values() if np.ndim(values) == 2]
        + [max(numbers, default=0) + 1 for numbers in labels.values()]
    )
    ntu = layout.name == "ntu-25" and count in (60, 120)
    split = _SPLIT.search(PurePosixPath(source.name).stem)
    info = DatasetInfo(
        layout,
        class_names("ntu120")[:count] if ntu else tuple(map(str, range(count))),
        "metres" if layout.name == "ntu-25" else "unknown",
        listed_names=(_SPLITS.get(split[1].lower(), split[1].lower().replace("-", "")),) if split else (),
    )
    return info, lambda _: _find(parts, labels, layout.num_joints, channels)


def _find(
    parts: dict[str, _Rows], labels: dict[str, list[int]], joints: int, channels: tuple[int, ...]
) -> Iterator[Work | BadFile]:
    for part, rows in parts.items():
        split = 1 if part == "train" else 2
        digits = len(str(len(labels[part]) - 1))
        count = 0
        try:
            for index, row in enumerate(rows()):
                count = index + 1
                name = f"{part}_{index:0{digits}}"
                if index < len(labels[part]):
                    yield Work(name, parse, (name, labels[part][index], split, row, joints, channels))
        except ValueError as error:
            yield BadFile(f"x_{part}", str(error))
        if count != len(labels[part]):
            yield BadFile(f"y_{part}", f"{counted(len(labels[part]), 'label')} for {counted(count, 'clip')}")


CTRGCN = Reader("ctrgcn", None, None, (), None, ".npz", units="unknown", describe=_describe)
