"""Human3.6M (Ionescu et al., TPAMI 2014) as VideoPose3D prepares it.

The file is ``data_3d_h36m.npz`` or ``data_2d_h36m_gt.npz``. ``positions_3d`` is a dict of subjects (``S1``)
of dicts of actions (``Walking 1``) of arrays (T, 32 or 17, 3), in metres with z up.
``positions_2d`` has a list of arrays (T, 17, 2), one for each camera, instead. Of 32 joints the 17
that move are taken. Detections such as ``data_2d_h36m_detectron_pt_coco.npz`` have COCO's joints if the
``layout_name`` of their ``metadata`` is coco. The class is the action without its number, which is the
replication.
"""

import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Find, Reader, Work, check_joints
from skel_data.readers._source import Source
from skel_data.readers.arrays._numpy import MAX_BYTES, Npz
from skel_data.store._info import DatasetInfo

KEYS = ("positions_3d", "positions_2d")
_LAYOUTS = {"h36m": "h36m-17", "coco": "coco-17"}
_MOVING = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
_ACTION = re.compile(r"(.*?)[ _]?(\d+)?")


def parse(name: str, label: int, subject: int, replication: int, camera: int, array: NDArray[Any]) -> Clip:
    """Make a clip of one array."""
    positions = np.asarray(array, np.float64)
    if positions.ndim == 3 and positions.shape[1] == 32:
        positions = positions[:, _MOVING]
    check_joints(positions[:, None], 17, positions.shape[-1])
    return Clip(positions[:, None], name, label, subject, camera, replication=replication)


def _load(source: Source) -> tuple[str, dict[str, Any], SkeletonLayout]:
    for entry in Source(source.path, MAX_BYTES):
        if isinstance(entry, BadFile) or not entry[0].lower().endswith(".npz"):
            continue
        file = Npz(io.BytesIO(entry[1]()))
        key = next((key for key in KEYS if key in file.names), None)
        if key is None:
            continue
        content = file[key]
        subjects = content.item() if content.shape == () else None
        if not isinstance(subjects, dict) or not all(isinstance(value, dict) for value in subjects.values()):
            raise ValueError(f"{entry[0]}: {key} must be a dict of subjects, each a dict of actions")
        metadata = file["metadata"] if "metadata" in file.names else np.array({})
        told = metadata.item() if metadata.shape == () else {}
        name = told.get("layout_name", "h36m") if isinstance(told, dict) else "h36m"
        if not isinstance(name, str) or name not in _LAYOUTS:
            raise ValueError(f"{entry[0]}: joints of layout {name!r}, expected {' or '.join(_LAYOUTS)}")
        return key, subjects, get_layout(_LAYOUTS[name])
    raise ValueError(f"{source.name}: no .npz file with {' or '.join(KEYS)}")


def _clips(subjects: dict[str, Any]) -> Iterator[tuple[str, str, str, int, int, Any]]:
    """Name, subject, action, replication, camera and array of each clip."""
    for subject, actions in subjects.items():
        for action, arrays in actions.items():
            match = _ACTION.fullmatch(str(action))
            label, number = (match[1], int(match[2] or -1)) if match else (str(action), -1)
            several = isinstance(arrays, list | tuple)
            for camera, array in enumerate(arrays if several else [arrays]):
                name = f"{subject} {action}" + f" camera {camera}" * several
                yield name, str(subject), label, number, camera if several else -1, array


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    key, subjects, usual = _load(source)
    clips = list(_clips(subjects))
    classes = sorted({clip[2] for clip in clips})
    dims = 3 if key == "positions_3d" else 2
    layout = layout or evolve(usual, dims=dims, confidence=False)
    info = DatasetInfo(
        layout,
        tuple(classes),
        "metres" if dims == 3 else "pixels",
        dataset="human3.6m",
        up="z" if dims == 3 else "",
    )
    return info, lambda _: _find(clips, classes)


def _find(clips: list[tuple[str, str, str, int, int, Any]], classes: list[str]) -> Iterator[Work | BadFile]:
    for name, subject, action, replication, camera, array in clips:
        number = re.search(r"\d+", subject)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf" or number is None:
            yield BadFile(name, "expected a subject with a number, and an array of numbers")
            continue
        yield Work(name, parse, (name, classes.index(action), int(number[0]), replication, camera, array))


H36M = Reader(
    "h36m", "human3.6m", None, (), None, ".npz", "metres", "xsub", describe=_describe, zeros_there=True
)
