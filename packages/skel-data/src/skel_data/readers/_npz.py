"""Generic interchange format: one ``.npz`` file with all clips of a set, without pickled objects.

Arrays: ``positions`` (sum of T, V, C) or (sum of T, M, V, C) and ``lengths`` (N); or padded ones, (N, T, V,
C) or (N, T, M, V, C), which end with their last frame that is not empty if there are no ``lengths``.
Optional: ``labels`` (N, -1 unknown; or text, or one-hot rows), ``subjects``, ``cameras`` (N, numbers or
names), ``setups``, ``replications``, ``names`` (N), ``tracks`` (sum of T, M), ``split`` (N) or (N, K)
(0 unknown, 1 train, 2 test; or these words), ``class_names``, and for the layout ``joint_names`` (V)
and ``parents`` (V; the root's is -1 or itself). ``views`` is read as ``cameras``.
"""

import io
import math
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, layout_wanted
from skel_data.readers._source import Source, memory, reason_of
from skel_data.store._info import DatasetInfo
from skel_data.store._store import CODES

_OPTIONAL = ("labels", "subjects", "cameras", "setups", "replications", "names", "split", "tracks")
_MAX_BYTES = 4 * 2**30  # of a file in an archive or a folder: all clips of a set are in it
_MOST_PACKED = 100
_MOST_CLASSES = 10_000
_WORDS = {"": 0, "train": 1, "test": 2, "val": 2, "valid": 2, "validation": 2}
_LAYOUT = ("class_names", "joint_names", "parents")


def _load(source: Source) -> dict[str, np.ndarray]:
    """The arrays of the one file of a source, checked against each other."""
    found = [
        entry
        for entry in Source(source.path, _MAX_BYTES)
        if not isinstance(entry, BadFile) and entry[0].lower().endswith(".npz")
    ]
    if len(found) != 1:
        names = ", ".join(name for name, _ in found[:5]) or "none"
        raise ValueError(f"{source.name}: expected one .npz file, found {names}")
    name, read = found[0]
    # A file given by itself is read where it lies, as it may be of any size.
    content = source.path.open("rb") if source.path.name == name else io.BytesIO(read())
    stored = content.seek(0, io.SEEK_END)
    try:
        with content, zipfile.ZipFile(content) as archive:
            _check_sizes(archive, stored)
            held = {file.removesuffix(".npy") for file in archive.namelist() if file.endswith(".npy")}
            wanted = ("positions", "lengths", *_OPTIONAL, *_LAYOUT)
            arrays = {key: _array(archive, key) for key in wanted if key in held}
            if "views" in held:  # an earlier name
                arrays.setdefault("cameras", _array(archive, "views"))
    except Exception as error:  # numpy and zipfile raise whatever the bytes lead them to
        raise ValueError(
            f"{name}: not a readable .npz file without pickled objects: {reason_of(error)}; save text as "
            "np.array(names, dtype=str), and clips of several lengths one after another, with their lengths"
        ) from error
    arrays = _usual_form(name, arrays)
    _check(name, arrays)
    return {
        key: array.astype(np.int64) if key in ("lengths", *_OPTIONAL) and array.dtype.kind in "iu" else array
        for key, array in arrays.items()
    }


def _usual_form(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Padded positions as frames one after another; labels and split of other forms as numbers."""
    found = {**arrays, **_unpadded(name, arrays)}
    if "labels" in arrays:
        found |= _numbered(name, arrays["labels"], arrays.get("class_names"))
    split = arrays.get("split")
    if split is not None and split.dtype.kind == "b":
        raise ValueError(f"{name}: split is true or false; write 1 for train and 2 for test, or these words")
    if split is not None and split.dtype.kind == "U" and split.ndim == 1:
        words = [str(word).strip().lower() for word in split]
        found["split"] = np.array([_WORDS.get(word, -1) for word in words], np.int64)
        if (found["split"] < 0).any():
            raise ValueError(
                f"{name}: split as text must be train, val or test, got {sorted(set(words))[:5]}"
            )
    return found


def _unpadded(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Positions, lengths and tracks of padded arrays, if they are."""
    positions, lengths = arrays.get("positions"), arrays.get("lengths")
    if positions is None or positions.dtype.kind not in "fiu" or positions.ndim not in (4, 5):
        return {}
    if 0 in positions.shape:
        return {}
    most = positions.shape[1]
    if lengths is None:  # up to the last frame that is not empty
        there = (np.nan_to_num(positions) != 0).any(tuple(range(2, positions.ndim)))
        lengths = np.where(there.any(1), most - there[:, ::-1].argmax(1), most)
    elif lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        return {}  # told by the checks
    elif positions.ndim == 4 and len(positions) in (int(lengths.sum(dtype=np.int64)), 0):
        return {}
    if len(lengths) != len(positions) or lengths.min() < 0 or lengths.max() > most:
        raise ValueError(
            f"{name}: positions of {counted(len(positions), 'clip')} of up to {counted(most, 'frame')}, "
            "padded, need as many lengths, of whole numbers up to that"
        )
    inside = np.arange(most) < lengths[:, None]
    tracks = arrays.get("tracks")
    padded = tracks is not None and tracks.shape[:2] == positions.shape[:2]
    return {
        "positions": positions[inside],
        "lengths": lengths,
        **({"tracks": tracks[inside]} if tracks is not None and padded else {}),
    }


def _numbered(name: str, labels: np.ndarray, classes: np.ndarray | None) -> dict[str, np.ndarray]:
    """Labels of text, one-hot rows or whole floats as numbers; of text, with the names of the classes."""
    kind = labels.dtype.kind
    if labels.ndim == 2 and kind in "fiub" and labels.shape[1] > 1:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all()):
            raise ValueError(f"{name}: labels of several columns must have one 1 in each row, and zeros")
        return {"labels": labels.argmax(1)}
    if kind == "f" and np.isfinite(labels).all() and (labels == np.floor(labels)).all():
        return {"labels": labels.astype(np.int64)}
    if kind == "U" and labels.ndim == 1:
        names = np.unique(labels) if classes is None else classes.astype(str).reshape(-1)
        places = {str(word): place for place, word in enumerate(names)}
        unknown = sorted(set(labels.tolist()) - places.keys())
        if unknown:
            raise ValueError(f"{name}: label {unknown[0]!r} is not among class_names")
        return {
            "labels": np.array([places[word] for word in labels.tolist()], np.int64),
            "class_names": names,
        }
    return {}


def _check_sizes(archive: zipfile.ZipFile, stored: int) -> None:
    """Refuse, before it is unpacked, an archive that is larger than memory, or far larger than its file."""
    size = sum(info.file_size for info in archive.infolist())
    if size > max(_MAX_BYTES, _MOST_PACKED * stored):
        raise ValueError(f"{counted(size, 'byte')} packed in {stored}, which no recording is")
    if size > memory():
        raise ValueError(f"it unpacks to {size} bytes, more than there is memory")


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """An array, unless it says that it is larger than its archive says."""
    form, size = np.lib.format, archive.getinfo(f"{name}.npy").file_size
    with archive.open(f"{name}.npy") as member:
        older = form.read_magic(member) == (1, 0)
        shape, _, dtype = (form.read_array_header_1_0 if older else form.read_array_header_2_0)(member)
        if math.prod(shape) * dtype.itemsize > size:
            raise ValueError(f"{name}.npy says that it is of shape {shape}, and holds {size} bytes")
        member.seek(0)
        array: np.ndarray = form.read_array(member, allow_pickle=False)
    return array


def _check(name: str, arrays: dict[str, np.ndarray]) -> None:
    missing = {"positions", "lengths"} - set(arrays)
    if missing:
        raise ValueError(f"{name}: no array {', '.join(sorted(missing))}")
    positions, lengths = arrays["positions"], arrays["lengths"]
    if positions.ndim not in (3, 4) or positions.dtype.kind not in "fiu" or 0 in positions.shape:
        raise ValueError(
            f"{name}: positions must be numbers (sum of T, V, C) or (sum of T, M, V, C), "
            f"got {positions.dtype} {positions.shape}"
        )
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 0).any():
        raise ValueError(f"{name}: lengths must be whole numbers (N), got {lengths.dtype} {lengths.shape}")
    if int(lengths.sum(dtype=np.int64)) != len(positions):
        raise ValueError(
            f"{name}: lengths add up to {lengths.sum()}, but positions has {counted(len(positions), 'frame')}"
        )
    for key in _OPTIONAL:
        if key not in arrays:
            continue
        kinds = {"names": "U", "subjects": "iuU", "cameras": "iuU"}.get(key, "iu")
        wanted = {"U": "text", "iu": "whole numbers"}.get(kinds, "whole numbers or text")
        shapes = {"split": (1, 2), "tracks": (2,)}.get(key, (1,))
        count = len(positions) if key == "tracks" else len(lengths)
        array = arrays[key]
        if array.dtype.kind not in kinds or array.ndim not in shapes or len(array) != count:
            raise ValueError(
                f"{name}: {key} must be {wanted} with {counted(count, 'row')}, got {array.dtype} "
                f"{array.shape}"
            )
        if array.dtype.kind == "u" and array.max(initial=0) > np.iinfo(np.int64).max:
            raise ValueError(f"{name}: {key} holds {array.max()}, more than 64 bits with a sign can hold")
    if "labels" in arrays and "class_names" not in arrays:
        highest = arrays["labels"].max(initial=0)
        if highest >= _MOST_CLASSES:
            raise ValueError(
                f"{name}: a label is {highest}; more than {_MOST_CLASSES} classes need an array class_names"
            )


def _codes(values: np.ndarray | None, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers for each clip, and the names behind them if they were names."""
    if values is None:
        return np.full(count, -1), ()
    if values.dtype.kind != "U":
        return values, ()
    names, codes = np.unique(values, return_inverse=True)
    return codes.reshape(-1), tuple(names.tolist())


def _layout(arrays: dict[str, np.ndarray], name: str, given: SkeletonLayout | None) -> SkeletonLayout:
    channels = arrays["positions"].shape[-1]
    if given is not None:
        # The same joints with or without confidence are one layout to a user
        if channels in {given.dims, given.dims + 1} - {given.channels}:
            given = evolve(given, confidence=channels == given.dims + 1)
        return given
    if "joint_names" not in arrays or "parents" not in arrays:
        joints = arrays["positions"].shape[-2]
        raise ValueError(f"{name}: has no joint_names and parents, {layout_wanted(joints)}")
    joints, parents = (arrays[key].reshape(-1).tolist() for key in ("joint_names", "parents"))
    if len(joints) != len(parents) or len(joints) != arrays["positions"].shape[-2]:
        raise ValueError(
            f"{name}: {counted(len(joints), 'joint_name')} and {counted(len(parents), 'parent')} "
            f"for {counted(arrays['positions'].shape[-2], 'joint')}"
        )
    bones = [[child, parent] for child, parent in enumerate(parents) if parent not in (-1, child)]
    about = {"name": PurePosixPath(name).stem, "dims": 2 if channels == 2 else 3, "confidence": channels == 4}
    return SkeletonLayout.from_dict({**about, "joints": joints, "bones": bones})


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    arrays = _load(source)
    labels = arrays.get("labels", np.array([-1]))
    highest = int(labels.max(initial=-1))
    classes = arrays.get("class_names", np.arange(highest + 1)).astype(str).reshape(-1)
    info = DatasetInfo(
        _layout(arrays, source.name, layout),
        tuple(classes.tolist()),
        "unknown",
        subject_names=_codes(arrays.get("subjects"), 0)[1],
        camera_names=_codes(arrays.get("cameras"), 0)[1],
    )
    return info, lambda _: _find(arrays)


def _find(arrays: dict[str, np.ndarray]) -> Iterator[Work]:
    positions, lengths = arrays["positions"], arrays["lengths"].astype(np.int64)
    if positions.ndim == 3:
        positions = positions[:, None]
    count = len(lengths)
    codes = {code: _codes(arrays.get(f"{code}s"), count)[0].tolist() for code in CODES}
    split = arrays.get("split", np.zeros(count, int)).reshape(count, -1).tolist()
    digits = len(str(max(count - 1, 0)))
    names = arrays["names"].tolist() if "names" in arrays else [f"{i:0{digits}}" for i in range(count)]
    tracks = arrays.get("tracks")
    stops = np.cumsum(lengths)
    for i in range(count):
        rows = slice(stops[i] - lengths[i], stops[i])
        about: dict[str, Any] = {
            "split": tuple(split[i]),
            "tracks": None if tracks is None else tracks[rows],
            **{key: values[i] for key, values in codes.items()},
        }
        yield Work(names[i], partial(Clip, **about), (positions[rows], names[i]))


NPZ = Reader("npz", None, None, (), None, ".npz", units="unknown", describe=_describe, zeros_there=True)
