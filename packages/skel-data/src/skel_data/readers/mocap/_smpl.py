"""AMASS (Mahmood et al., ICCV 2019) and other files of SMPL, SMPL-H and SMPL-X: one ``.npz`` file a clip.

A file has ``poses`` (T, 66 or more): axis and angle of the pelvis, then of SMPL's 21 body joints; hands and
face behind them are not used. ``root_orient`` and ``pose_body``, or ``global_orient`` and ``body_pose``,
are read too. ``trans`` or ``transl`` (T, 3) is where the body is. No body model is needed: the joints are
turned about those of a mean body in rest. So the directions of all bones are those of the file, and their
lengths are not: bones of a person differ from the mean body's by a few percent, up to about 15 percent for
very small and tall ones, and each joint is off by the sum of these differences along the way from the
pelvis.

z points up if the first file tells its frame rate as AMASS does. In AMASS, ``SUBJECT/NAME_poses.npz`` or
``NAME_stageii.npz``, the folder is the subject; else it is the class.
"""

import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._rate import FASTEST
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, find_each
from skel_data.readers._source import Source
from skel_data.readers.arrays._numpy import Npz
from skel_data.readers.keypoints._keypoints import folder_labels
from skel_data.readers.mocap._kinematics import forward
from skel_data.store._info import DatasetInfo

Floats = NDArray[np.float64]

AMASS_NAME = re.compile(r".*_(?:poses|stageii)\.npz", re.IGNORECASE)
_RATES = ("mocap_framerate", "mocap_frame_rate")
_BODY = 22

# From the parent (the pelvis: from SMPL's origin) left, up and forward, in metres; the mean of both sides
_REST = {
    "pelvis": (0, -0.223, 0.028),
    "hip": (0.069, -0.091, -0.006),
    "knee": (0.036, -0.379, -0.007),
    "ankle": (-0.015, -0.398, -0.043),
    "foot": (0.026, -0.052, 0.121),
    "spine 1": (0, 0.109, -0.027),
    "spine 2": (0, 0.135, 0.001),
    "spine 3": (0, 0.053, 0.025),
    "neck": (0, 0.214, -0.043),
    "head": (0, 0.065, 0.051),
    "collar": (0.080, 0.120, -0.036),
    "shoulder": (0.094, 0.032, -0.009),
    "elbow": (0.257, -0.013, -0.024),
    "wrist": (0.252, 0.008, -0.003),
    "hand": (0.084, -0.007, -0.013),
}


def rest_offsets(layout: SkeletonLayout) -> Floats:
    """From its parent to each joint (V, 3) of the mean body in rest; for the pelvis, from SMPL's origin."""
    offsets = []
    for joint in layout.joints:
        side, _, name = joint.rpartition(" ") if joint.startswith(("left", "right")) else ("", "", joint)
        x, y, z = _REST[name]
        offsets.append((-x if side == "right" else x, y, z))
    return np.array(offsets, np.float64)


def rotations(vectors: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) of axis times angle (..., 3)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    # sin(a) / a and (1 - cos(a)) / a^2, which are 1 and 1/2 at 0
    half = np.sinc(angle / (2 * np.pi))
    matrices: Floats = np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * half**2 * (cross @ cross)
    return matrices


def parse(name: str, data: bytes, label: int, subject: int) -> Iterator[Clip | BadFile]:
    """Make a clip of one file. A frame that is not finite is reported, and missing in the clip."""
    file = Npz(io.BytesIO(data))
    poses = _poses(file)
    place = next((file[key] for key in ("trans", "transl") if key in file.names), np.zeros((len(poses), 3)))
    if place.shape != (len(poses), 3) or place.dtype.kind not in "iuf":
        raise ValueError(f"trans is {place.dtype} {place.shape}, expected ({len(poses)}, 3)")
    numbers = np.column_stack([poses.reshape(len(poses), -1), place])
    lost: NDArray[np.bool_] = ~np.isfinite(numbers).all(1)
    if lost.all():
        raise ValueError("no frame that is finite")
    poses, place = np.where(lost[:, None, None], 0, poses), np.where(lost[:, None], 0, place)
    layout = get_layout("smpl-24")
    turns = np.broadcast_to(np.eye(3), (len(poses), layout.num_joints, 3, 3)).copy()
    turns[:, :_BODY] = rotations(poses)
    steps = np.broadcast_to(rest_offsets(layout), (len(poses), layout.num_joints, 3)).copy()
    steps[:, layout.root] += place
    positions = forward(layout.parents, turns, steps, layout.parents)
    positions[lost] = 0
    for frame in np.flatnonzero(lost).tolist():
        yield BadFile(name, f"frame {frame} is not finite; the frame is missing in the clip")
    told = next((file[key] for key in _RATES if key in file.names), np.array(0.0))
    rate = float(told) if told.shape == () and told.dtype.kind in "iuf" else 0.0
    yield Clip(positions[:, None], name, label, subject, rate=rate if 0 < rate < FASTEST else 0.0)


def _poses(file: Npz) -> Floats:
    """Axis times angle (T, 22, 3) of the pelvis and the body."""
    names = set(file.names)
    if "poses" in names:
        poses = file["poses"]
    else:
        pair = next(
            (
                pair
                for pair in (("root_orient", "pose_body"), ("global_orient", "body_pose"))
                if set(pair) <= names
            ),
            None,
        )
        if pair is None:
            raise ValueError(f"no poses; the file has {', '.join(file.names)[:200]}")
        arrays = [np.atleast_1d(file[key]) for key in pair]
        parts = [array.reshape(len(array), -1) for array in arrays if array.size]
        if len(parts) < len(pair):
            raise ValueError(f"{' and '.join(pair)}: expected numbers for each frame")
        if len(parts[0]) != len(parts[1]):
            raise ValueError(f"{counted(len(parts[0]), 'frame')} in {pair[0]}, {len(parts[1])} in {pair[1]}")
        poses = np.concatenate(parts, 1)
    poses = poses.reshape(len(poses), -1) if poses.ndim == 3 else poses
    if poses.ndim != 2 or poses.dtype.kind not in "iuf" or poses.shape[1] < 3 * _BODY or len(poses) == 0:
        raise ValueError(f"poses are {poses.dtype} {poses.shape}, expected (T, {3 * _BODY} or more)")
    return np.asarray(poses[:, : 3 * _BODY], np.float64).reshape(len(poses), _BODY, 3)


def _paths(source: Source) -> list[str]:
    return [path for path in source.paths() if path.lower().endswith(".npz")]


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    usual = get_layout("smpl-24")
    if layout is not None and layout != usual:
        raise ValueError(
            f"{source.name}: the joints are those of smpl-24; convert the store to {layout.name}"
        )
    folders, names = folder_labels([path for path in _paths(source) if not _shape(path)])
    amass = any(AMASS_NAME.fullmatch(PurePosixPath(path).name) for path in folders)
    info = DatasetInfo(
        usual,
        () if amass else names,
        "metres",
        subject_names=names if amass else (),
        up="z" if amass or _tells_rate(source) else "",
    )
    return info, partial(_find, folders=folders, amass=amass)


def _tells_rate(source: Source) -> bool:
    """Whether the first file with poses tells its frame rate as AMASS does."""
    for entry in source:
        if not isinstance(entry, BadFile) and entry[0].lower().endswith(".npz") and not _shape(entry[0]):
            try:
                return any(rate in Npz(io.BytesIO(entry[1]())).names for rate in _RATES)
            except ValueError:  # reported when it is imported
                continue
    return False


def _shape(path: str) -> bool:
    """Whether a file has the shape of a subject and no poses."""
    name = PurePosixPath(path).name.lower()
    return name == "shape.npz" or name.endswith("_stagei.npz")


def _find(source: Source, folders: dict[str, int], amass: bool) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".npz", parse, later=True):
        if _shape(work.name):
            continue
        code = folders.get(work.name, -1)
        more: tuple[Any, ...] = (-1, code) if amass else (code, -1)
        yield evolve(work, args=(*work.args, *more)) if isinstance(work, Work) else work


def _folders(source: Source) -> dict[str, str]:
    """Paths; nothing where they are those of AMASS, whose folders are subjects."""
    paths = [path for path in _paths(source) if not _shape(path)]
    amass = any(AMASS_NAME.fullmatch(PurePosixPath(path).name) for path in paths)
    return {} if amass else {path: path for path in paths}


SMPL = Reader(
    "smpl",
    None,
    None,
    (),
    None,
    ".npz",
    units="metres",
    describe=_describe,
    zeros_there=True,
    folders=_folders,
)
