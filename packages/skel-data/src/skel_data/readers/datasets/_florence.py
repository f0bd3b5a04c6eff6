"""Florence 3D Actions (Seidenari et al., CVPR workshops 2013): ``Florence_dataset_WorldCoordinates.txt``.

One line per frame: the numbers of video, actor and category, then x y z of 15 joints. The unit is that of the
file.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Reader, find_each
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import read_table
from skel_data.splits._official import class_names
from skel_data.store._info import DatasetInfo

_CLASSES = class_names("florence-3d")
_ENDS = {"hand": "wrist", "foot": "ankle"}


def parse(name: str, data: bytes) -> Iterator[Clip | BadFile]:
    """Make the clips of the file."""
    damaged: list[str] = []
    rows = read_table(data, 3 + 45, damaged=damaged)
    yield from (BadFile(name, f"{reason}; the frame is missing") for reason in damaged)
    known = np.where(np.isnan(rows).all(1), -1, np.arange(len(rows)))
    first = int((known >= 0).argmax())
    keys = rows[np.maximum(np.maximum.accumulate(known), first), :3]  # a lost row is of the clip before it
    if not (keys == np.floor(keys)).all() or (keys < 0).any() or (keys > 1e6).any():
        raise ValueError("video, actor and category must be whole numbers")
    takes: dict[tuple[int, int], int] = {}
    for part in np.split(np.arange(len(rows)), np.flatnonzero((np.diff(keys, axis=0) != 0).any(1)) + 1):
        video, actor, category = map(int, keys[part[0]])
        take = takes[actor, category] = takes.get((actor, category), 0) + 1
        if not 1 <= category <= len(_CLASSES):
            yield BadFile(f"video {video}", f"category {category}, the set has 1 to {len(_CLASSES)}")
            continue
        positions = rows[part, 3:].reshape(-1, 1, 15, 3)
        yield Clip(positions, f"video {video}", category - 1, actor, replication=take)


def _describe(source: Source, layout: SkeletonLayout | None) -> DatasetInfo:  # noqa: ARG001
    nite = get_layout("sbu-15")
    joints = tuple(" ".join(_ENDS.get(word, word) for word in joint.split()) for joint in nite.joints)
    return DatasetInfo(layout or evolve(nite, name="florence-15", joints=joints), _CLASSES, "unknown")


_find = partial(find_each, suffix=".txt", parse=parse)
FLORENCE = Reader(
    "florence-3d",
    "florence-3d",
    None,
    _CLASSES,
    _find,
    ".txt",
    units="unknown",
    default_split="subject-1",
    describe=_describe,
)
