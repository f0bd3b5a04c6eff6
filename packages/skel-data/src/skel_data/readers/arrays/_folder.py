"""Folders of numpy arrays, ``.npy`` or ``.npz``: one file a clip, or one file a frame.

A clip is (T, V, C), (T, M, V, C), (T, V C) or has other axes that `to_clip` knows; a frame is (V, C) or V C
numbers. Frames of one clip lie in one folder, and the last number in a file's name counts them. An ``.npz``
file has one array, or one called ``positions``, ``keypoints``, ``joints``, ``poses``, ``skeleton``,
``landmarks`` or ``data``. Where the layout has C coordinates, the array may have C + 1, the last of which is
the confidence. The class is the name of the folder (``CLASS/clip.npy``, ``CLASS/clip/0001.npy``). Names of
NTU RGB+D tell subject, camera, setup and replication.
"""

import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._frames import Frame, clips_in, find_frames, frame_folders, frame_labels, numbered
from skel_data.readers._reader import Find, Reader, Work, find_each, layout_wanted
from skel_data.readers._source import Source
from skel_data.readers.arrays._axes import to_clip
from skel_data.readers.arrays._facts import usual_up
from skel_data.readers.arrays._ntu_names import ntu_codes
from skel_data.readers.arrays._numpy import Npz, read_npy
from skel_data.readers.keypoints._keypoints import MOST_BODIES, folder_labels
from skel_data.store._info import DatasetInfo

SUFFIXES = (".npy", ".npz")
_NAMES = ("positions", "keypoints", "joints", "poses", "skeleton", "skeletons", "landmarks", "data")
_MOST_CHANNELS = 4
_LAYOUTS = {(33, 3): "mediapipe-33", (33, 4): "mediapipe-33"}


def read_array(data: bytes) -> NDArray[Any]:
    """The one array of a ``.npy`` or ``.npz`` file, of numbers.

    Raises:
        ValueError: With the reason.
    """
    if data[:2] != b"PK":
        array = read_npy(data)
    else:
        file = Npz(io.BytesIO(data))
        named = file.names if len(file.names) == 1 else [name for name in _NAMES if name in file.names]
        if len(named) != 1:
            raise ValueError(f"which array is the clip? The file has {', '.join(file.names)[:200]}")
        array = file[named[0]]
    if array.dtype.kind not in "iuf":
        raise ValueError(f"an array of {array.dtype} {array.shape}, expected numbers")
    return array


def parse(name: str, data: bytes, joints: int, channels: int, label: int) -> Clip:
    """Make a clip of one file."""
    return Clip(to_clip(read_array(data), joints, (channels,)), name, label, **ntu_codes(name))


def parse_frames(
    name: str, label: int, frames: Sequence[Frame], joints: int, channels: int
) -> Iterator[Clip | BadFile]:
    """Make a clip of its frames. A bad file is reported, and a frame without a body in the clip."""
    found: dict[int, NDArray[Any]] = {}
    for path, number, read in frames:
        try:
            if number in found:
                raise ValueError(f"frame {number} a second time")
            found[number] = _frame(read_array(read()), joints, channels)
        except ValueError as error:
            yield BadFile(path, str(error))
    if found:
        numbers = np.array(sorted(found))
        step = int(np.gcd.reduce(np.diff(numbers))) or 1
        places = (numbers - numbers[0]) // step
        if places[-1] >= MOST_BODIES:
            raise ValueError(f"frames numbered {numbers[0]} to {numbers[-1]} are no recording")
        positions = np.zeros((places[-1] + 1, 1, joints, channels), np.float32)
        positions[places, 0] = [found[number] for number in numbers.tolist()]
        yield Clip(positions, name, label, **ntu_codes(name))


def _frame(array: NDArray[Any], joints: int, channels: int) -> NDArray[Any]:
    if array.size != joints * channels or array.shape[-1] not in (channels, array.size):
        raise ValueError(f"a frame of shape {array.shape}, expected {(joints, channels)}")
    return array.reshape(joints, channels)


def _suffix(path: str) -> str | None:
    return next((suffix for suffix in SUFFIXES if path.lower().endswith(suffix)), None)


def _key(path: str) -> tuple[str, int] | None:
    suffix = _suffix(path)
    return None if suffix is None else numbered(path, suffix)


def _first(source: Source) -> NDArray[Any]:
    """The array of the first file that can be read; else the error has the reason for the first."""
    reasons = []
    for entry in source:
        if isinstance(entry, BadFile) or _suffix(entry[0]) is None:
            continue
        try:
            return read_array(entry[1]())
        except ValueError as error:
            reasons.append(f"{entry[0]}: {error}")
    raise ValueError(
        f"{source.name}: no .npy or .npz file that can be read; {', '.join(reasons[:1])}".rstrip("; ")
    )


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    first = _first(source)
    if layout is None:
        usual = _LAYOUTS.get(first.shape[-2:])
        if usual is None:
            last = first.shape[-2:]
            wanted = layout_wanted(last[0] if len(last) == 2 and last[1] <= _MOST_CHANNELS else 0)
            raise ValueError(f"{source.name}: arrays of shape {first.shape}, {wanted}")
        layout = evolve(get_layout(usual), confidence=first.shape[-1] == 4)
    joints = layout.num_joints
    for channels in dict.fromkeys([layout.channels, layout.dims, layout.dims + 1]):
        if first.shape in ((joints, channels), (joints * channels,)):
            frames = True
            break
        try:
            to_clip(first, joints, (channels,))
        except ValueError:
            continue
        frames = False
        break
    else:
        raise ValueError(
            f"{source.name}: the first array is {first.shape}, neither clip nor frame of the "
            f"{counted(joints, 'joint')} x {counted(layout.channels, 'channel')} of layout {layout.name}"
        )
    layout = evolve(layout, confidence=channels == layout.dims + 1)
    if frames:
        classes = frame_labels(list(clips_in(source, _key)))[1]
        find: Find = partial(_find_frames, joints=joints, channels=channels)
    else:
        labels, classes = folder_labels(_paths(source))
        find = partial(_find_clips, joints=joints, channels=channels, labels=labels)
    return DatasetInfo(layout, classes, "unknown", up=usual_up(layout)), find


def _paths(source: Source) -> list[str]:
    return [path for path in source.paths() if _suffix(path)]


def _find_frames(source: Source, joints: int, channels: int) -> Iterator[Work | BadFile]:
    return find_frames(source, _key, parse_frames, joints, channels)


def _find_clips(
    source: Source, joints: int, channels: int, labels: dict[str, int]
) -> Iterator[Work | BadFile]:
    for suffix in sorted({_suffix(path) or "" for path in _paths(source)}):
        for work in find_each(source, suffix, parse, joints, channels, later=True):
            label = labels.get(work.name, -1)
            yield evolve(work, args=(*work.args, label)) if isinstance(work, Work) else work


def _folders(source: Source) -> dict[str, str]:
    """Paths of the files; where each is a frame, of the clips."""
    try:
        shape = _first(source).shape
    except ValueError:  # told when it is described
        return {}
    if len(shape) == 1 or (len(shape) == 2 and shape[1] <= _MOST_CHANNELS):
        return frame_folders(source, _key)
    return {path: path for path in _paths(source)}


NPY = Reader("npy", None, None, (), None, ".npy", units="unknown", describe=_describe, folders=_folders)
