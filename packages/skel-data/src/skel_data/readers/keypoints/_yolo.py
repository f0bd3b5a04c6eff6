"""YOLO pose (Ultralytics) with ``save_txt``: one text file a frame, ``labels/NAME_12.txt``, a line a person.

A line is the class of the object, the four numbers of its box, then x, y and confidence (or x and y) for each
joint, all as shares of the image's width and height. Behind these may stand the box's confidence
(``save_conf``) and the track's number; of one number behind, whole ones from 1 are tracks. Frames
without a file are empty.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._frames import Frame, clips_in, find_frames, frame_folders, frame_labels, numbered
from skel_data.readers._reader import Find, Reader, Work
from skel_data.readers._source import Source
from skel_data.readers.datasets._table import read_table
from skel_data.readers.keypoints._keypoints import Person, make_clip
from skel_data.store._info import DatasetInfo

_BOX = 5
_MOST_TRACKS = 2**62


def rows_of(data: bytes) -> NDArray[np.float64]:
    """The numbers (people, columns) of a file."""
    return read_table(data, len(data.partition(b"\n")[0].split())) if data.strip() else np.zeros((0, 0))


def parse_frames(
    name: str, label: int, frames: Sequence[Frame], joints: int, confidence: bool
) -> Iterator[Clip | BadFile]:
    """Make a clip of its frames. A bad file is reported, and a frame without a body in the clip."""
    rows: dict[int, NDArray[np.float64]] = {}
    size = joints * (2 + confidence)
    for path, number, read in frames:
        rows.setdefault(number, np.zeros((0, 0)))
        try:
            found = rows_of(read())
            if len(found) and not 0 <= found.shape[1] - _BOX - size <= 2:
                raise ValueError(
                    f"{counted(found.shape[1], 'number')} a line, expected {_BOX + size} for "
                    f"{counted(joints, 'joint')}, and one or two more"
                )
            rows[number] = found
        except ValueError as error:
            yield BadFile(path, str(error))
    behind = [row[_BOX + size :] for found in rows.values() for row in found]
    single = [float(values[0]) for values in behind if len(values) == 1]
    tracked = all(value >= 1 and _is_track(value) for value in single)
    people: dict[int, list[Person]] = {}
    for number, found in rows.items():
        people[number] = []
        for row in found:
            more = row[_BOX + size :]
            told = len(more) == 2 or (len(more) == 1 and tracked)
            track = int(more[-1]) if told and _is_track(more[-1]) else -1
            people[number].append(Person(row[_BOX : _BOX + size].reshape(joints, -1), track))
    yield make_clip(name, label, people)


def _is_track(value: float) -> bool:
    return 0 <= value < _MOST_TRACKS and value == int(value)


def key(path: str) -> tuple[str, int] | None:
    """Clip and number of a frame's file."""
    return numbered(path, ".txt")


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    layout = layout or get_layout("coco-17")
    width = 0
    for entry in source:
        if not isinstance(entry, BadFile) and key(entry[0]):
            try:
                width = rows_of(entry[1]()).shape[1]
            except ValueError:  # reported when it is imported
                continue
            if width:
                break
    confidence = width >= _BOX + 3 * layout.num_joints
    classes = frame_labels(list(clips_in(source, key)))[1]
    info = DatasetInfo(evolve(layout, confidence=confidence), classes, "image")
    return info, partial(_find, joints=layout.num_joints, confidence=confidence)


def _find(source: Source, joints: int, confidence: bool) -> Iterator[Work | BadFile]:
    return find_frames(source, key, parse_frames, joints, confidence)


YOLO = Reader(
    "yolo",
    None,
    None,
    (),
    None,
    ".txt",
    units="image",
    describe=_describe,
    folders=partial(frame_folders, key=key),
)
