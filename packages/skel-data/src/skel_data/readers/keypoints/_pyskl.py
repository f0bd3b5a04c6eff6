"""Annotation pickles of pyskl and MMAction2, one file a data set.

A file holds ``{"split": {name: [frame_dir, ...]}, "annotations": [...]}``, the list alone, or the annotations
by name. How the lists of ``split`` become parts is told in `parts_of`. An annotation is a dict with
``frame_dir`` (name of the clip), ``label``, ``total_frames`` (T) and ``keypoint`` (M, T, V, C), or
(T, V, C) of one person; 2-D ones have ``keypoint_score`` (M, T, V). Nothing in the file is run: see
`load_plain`.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, layout_wanted
from skel_data.readers._source import Source
from skel_data.readers.datasets._ntu import NTU60
from skel_data.readers.keypoints._keypoints import brief
from skel_data.readers.keypoints._unpickle import load_plain
from skel_data.splits._parts import parts_of
from skel_data.store._info import DatasetInfo

_MAX_BYTES = 4 * 2**30  # the largest published file has some 2 GB
_MOST_CLASSES = 10_000
_NTU_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_LAYOUTS = {(25, 3, False): "ntu-25", (17, 2, True): "coco-17", (17, 2, False): "coco-17"}


def parse(
    name: str,
    label: int,
    split: tuple[int, ...] | int,
    frames: Any,
    keypoint: NDArray[Any],
    score: NDArray[Any] | None,
) -> Iterator[Clip | BadFile]:
    """Make a clip of one annotation, of positions (M, T, V, C) and perhaps confidence (M, T, V).

    If `frames` is not the number in `keypoint`, a `BadFile` says so. A smaller number keeps the first frames.
    A name in the form of NTU RGB+D tells setup, camera, subject and replication.
    """
    shape = keypoint.shape
    positions = keypoint
    if score is not None:
        if score.shape != shape[:3] or score.dtype.kind not in "fiu":
            raise ValueError(f"keypoint_score is {score.dtype} {score.shape}, expected numbers {shape[:3]}")
        positions = np.concatenate([keypoint, score[..., None]], 3, dtype=np.float32, casting="unsafe")
    match = _NTU_NAME.fullmatch(name)
    setup, camera, subject, replication = map(int, match.groups()[:4]) if match else (-1, -1, -1, -1)
    positions = positions.transpose(1, 0, 2, 3)
    if frames is not None and frames != len(positions):
        kept = frames if type(frames) is int and 0 < frames < len(positions) else len(positions)
        reason = f"keypoint has {counted(len(positions), 'frame')}, but total_frames is {brief(frames)}"
        yield BadFile(name, f"{reason}; the first {kept} are in the clip")
        positions = positions[:kept]
    yield Clip(positions, name, label, subject, camera, setup, replication, split=split)


def _load(source: Source) -> tuple[list[Any], dict[str, Any]]:
    """Annotations and splits of the one file of a source."""
    found: dict[str, Any] = {}
    for entry in Source(source.path, _MAX_BYTES):
        if isinstance(entry, BadFile) or not entry[0].lower().endswith((".pkl", ".pickle")):
            continue
        name, read = entry
        if found:
            raise ValueError(f"{source.name}: expected one .pkl file, found {min(found)} and {name}")
        try:
            found[name] = load_plain(read())
        except ValueError as error:
            raise ValueError(f"{name}: not a pickle of annotations: {error}") from error
    if not found:
        raise ValueError(f"{source.name}: expected one .pkl file, found none")
    ((name, content),) = found.items()
    annotations = content.get("annotations") if isinstance(content, dict) else content
    splits = content.get("split") if isinstance(content, dict) else None
    splits = {} if splits is None else splits
    if isinstance(content, dict) and content and all(_is_annotation(item) for item in content.values()):
        annotations = [{"frame_dir": str(key), **item} for key, item in content.items()]
    if not isinstance(annotations, list) or not annotations or not isinstance(splits, dict):
        raise ValueError(
            f"{name}: no list of annotations, alone or under the key 'annotations' beside 'split'"
        )
    return annotations, splits


def _is_annotation(item: Any) -> bool:
    return isinstance(item, dict) and "keypoint" in item


def _fields(annotation: Any) -> dict[str, Any]:
    """The fields of an annotation that `parse` takes, as what they must be."""
    if not isinstance(annotation, dict):
        raise ValueError(f"an annotation is a dict, not a {type(annotation).__name__}")
    if "keypoint" not in annotation and "raw_file" in annotation:
        raise ValueError("no keypoint: this annotation keeps its arrays in another file (raw_file)")
    given = {"label": -1, **annotation}
    keypoint = _array(given.get("keypoint"))
    score = _array(given.get("keypoint_score"))
    if isinstance(keypoint, np.ndarray) and keypoint.ndim == 3:  # one person, without the axis of people
        keypoint = keypoint[None]
        score = score[None] if isinstance(score, np.ndarray) and score.ndim == 2 else score
    given["keypoint"] = keypoint
    if isinstance(given["label"], list | tuple):
        raise ValueError(
            f"label has {counted(len(given['label']), 'class')}, and a clip has one here: "
            "write one class, or -1"
        )
    wanted: dict[str, type] = {"frame_dir": str, "label": int, "keypoint": np.ndarray}
    for key, kind in wanted.items():
        usable = _is_name(given.get(key)) if kind is str else isinstance(given.get(key), kind)
        if not usable:
            found = "missing" if given.get(key) is None else type(given[key]).__name__
            raise ValueError(f"{key} must be a {kind.__name__}, it is {found}")
    if keypoint.ndim != 4 or keypoint.dtype.kind not in "fiu" or keypoint.size == 0:
        raise ValueError(f"keypoint is {keypoint.dtype} {keypoint.shape}, expected numbers (M, T, V, C)")
    if score is not None and not isinstance(score, np.ndarray):
        raise ValueError(f"keypoint_score must be an array, it is a {type(score).__name__}")
    if given["label"] >= _MOST_CLASSES:
        raise ValueError(f"label {given['label']}, more than {_MOST_CLASSES} classes are no data set")
    return {
        "name": str(given["frame_dir"]),
        "label": given["label"],
        "frames": given.get("total_frames"),
        "keypoint": np.asarray(keypoint),
        "score": None if score is None else np.asarray(score),
    }


def _fields_or_reason(annotation: Any) -> dict[str, Any] | str:
    try:
        return _fields(annotation)
    except ValueError as error:
        return str(error)


def _array(values: Any) -> Any:
    """Lists of numbers as an array; what they are not stays as it is."""
    if not isinstance(values, list | tuple):
        return values
    try:
        array = np.array(values)
    except ValueError:
        return values
    return array if array.dtype.kind in "fiu" and array.ndim > 1 else values


def _lists(splits: dict[Any, Any]) -> dict[str, list[str]]:
    """The lists of a file, of names as text."""
    lists = {}
    for key, names in splits.items():
        if isinstance(names, np.ndarray) and names.ndim == 1:
            names = names.tolist()
        if not isinstance(names, list | tuple | set) or not all(_is_name(name) for name in names):
            raise ValueError(f"split {key!r} is not a list of names")
        lists[str(key)] = sorted(map(str, names))
    return lists


def _is_name(name: Any) -> bool:
    return isinstance(name, str | int) and not isinstance(name, bool)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    annotations, splits = _load(source)
    lists = _lists(splits)
    read = [_fields_or_reason(annotation) for annotation in annotations]
    fields = [found for found in read if isinstance(found, dict)]
    if not fields:
        raise ValueError(f"{source.name}: no usable annotation; {read[-1]}")
    names = [str(item.get("frame_dir")) for item in annotations if isinstance(item, dict)]
    parts = parts_of(lists, names)
    joints, dims = fields[0]["keypoint"].shape[-2:]
    scored = fields[0]["score"] is not None
    if layout is None:
        if (joints, dims, scored) not in _LAYOUTS:
            score = "with" if scored else "without"
            raise ValueError(
                f"{source.name}: {counted(joints, 'joint')} x {counted(dims, 'coordinate')} {score} "
                f"keypoint_score, {layout_wanted(joints)}"
            )
        layout = evolve(get_layout(_LAYOUTS[joints, dims, scored]), confidence=scored)
    elif dims == layout.dims:
        # The same joints with or without confidence are one layout to a user
        layout = evolve(layout, confidence=scored)
    info = DatasetInfo(
        layout, _classes(fields), _units(layout), listed_names=tuple(parts.splits), notes=parts.notes
    )
    return info, lambda _: _find(annotations, read, parts.splits)


def _classes(fields: list[dict[str, Any]]) -> tuple[str, ...]:
    """Names of the classes: those of NTU RGB+D where the clips have its names, else their numbers."""
    matches = [_NTU_NAME.fullmatch(field["name"]) for field in fields]
    actions = [int(match[5]) - 1 if match else None for match in matches]
    count = max(field["label"] for field in fields) + 1
    if count <= len(NTU60.classes) and actions == [field["label"] for field in fields]:
        return NTU60.classes
    return tuple(map(str, range(count)))


def _units(layout: SkeletonLayout) -> str:
    return "pixels" if layout.dims == 2 else "metres" if layout.name == "ntu-25" else "unknown"


def _find(
    annotations: list[Any], read: list[dict[str, Any] | str], listed: dict[str, dict[str, set[int]]]
) -> Iterator[Work | BadFile]:
    for index, (annotation, fields) in enumerate(zip(annotations, read, strict=True)):
        given = annotation.get("frame_dir") if isinstance(annotation, dict) else None
        name = str(given) if _is_name(given) else f"annotation {index}"
        if isinstance(fields, str):
            yield BadFile(name, fields)
            continue
        parts = [parts.get(name, {0}) for parts in listed.values()]
        if any(len(part) > 1 for part in parts):
            yield BadFile(name, "listed both for training and for testing")
            continue
        split = tuple(part for (part,) in parts) or 0
        yield Work(
            name, parse, (name, fields["label"], split, fields["frames"], fields["keypoint"], fields["score"])
        )


PYSKL = Reader("pyskl", None, None, (), None, ".pkl", units="unknown", describe=_describe, zeros_there=True)
