"""Xsens MVNX (MVN Studio and MVN Analyze): one XML file a recording.

``<segments>`` names the segments, 23 of a body; each ``<frame type="normal">`` has a ``<position>`` of three
numbers for each, in metres with z up. Frames of calibration (``identity``,
``tpose``) are left out. The subjects of one file are bodies. A file with entities of its own is refused. The
class of a file is the name of its folder.
"""

import io
import re
from collections.abc import Iterator
from functools import partial
from xml.etree import ElementTree

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, check_joints, find_each, paths_of
from skel_data.readers._source import Source
from skel_data.readers.arrays._columns import match_joints
from skel_data.readers.keypoints._keypoints import folder_labels
from skel_data.store._info import DatasetInfo


def parse_mvnx(
    data: bytes, damaged: list[str] | None = None
) -> tuple[list[tuple[list[str], NDArray[np.float64]]], float]:
    """Names of the segments and positions (T, V, 3), z up, of each subject; frames a second, 0 if not told.

    Args:
        data: Content of the file.
        damaged: Takes what is wrong with a frame, which is NaN then, if most are good.

    Raises:
        ValueError: With the reason, if it is no such file.
    """
    if b"\0" in data:
        raise ValueError("expected XML in UTF-8")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError("the file defines entities, which no recording needs")
    subjects: list[tuple[list[str], list[str]]] = []
    kind, rate = "", 0.0
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(data), ("start", "end")):  # noqa: S314 (no entities)
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                if tag == "subject":
                    subjects.append(([], []))
                    told = element.get("frameRate", "")
                    rate = float(told) if re.fullmatch(r"\d{1,5}(\.\d*)?", told) else rate
                elif tag == "frame":
                    kind = element.get("type", "normal")
                elif tag == "segment" and subjects:
                    subjects[-1][0].append(element.get("label", ""))
            elif tag == "position" and kind == "normal" and subjects:
                subjects[-1][1].append(element.text or "")
            if event == "end" and tag in ("frame", "segment"):
                element.clear()
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter of unknown encodings
        raise ValueError(f"not XML, or cut off: {error}") from error
    if not any(frames for _, frames in subjects):
        raise ValueError("no frame with a position of segments")
    reasons: list[str] = [] if damaged is None else damaged
    return [_subject(names, frames, reasons) for names, frames in subjects if frames], rate


def _subject(
    names: list[str], frames: list[str], damaged: list[str]
) -> tuple[list[str], NDArray[np.float64]]:
    rows = [frame.split() for frame in frames]
    try:
        values = np.array(rows, np.float64).reshape(len(rows), len(names), 3)
    except ValueError:  # one at least
        values = np.full((len(rows), len(names), 3), np.nan)
        lost = 0
        for number, row in enumerate(rows):
            try:
                if len(row) != 3 * len(names):
                    own, wanted = counted(len(row), "number"), counted(len(names), "segment")
                    raise ValueError(f"{own} in a position, expected 3 for each of {wanted}")
                values[number] = np.array(list(map(_number, row))).reshape(-1, 3)
            except ValueError as error:
                lost += 1
                damaged.append(f"frame {number}: {error}")
                if 2 * lost > len(rows):
                    raise
    return names, values


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError("a position that is not a number") from None


def parse(name: str, data: bytes, layout: SkeletonLayout, label: int) -> Iterator[Clip | BadFile]:
    """Make a clip of one file, with a body for each subject."""
    damaged: list[str] = []
    subjects, rate = parse_mvnx(data, damaged)
    length = max(len(values) for _, values in subjects)
    positions = np.zeros((length, len(subjects), layout.num_joints, 3))
    for body, (names, values) in enumerate(subjects):
        wanted = [names.index(joint) for joint in match_joints(names, layout)]
        positions[: len(values), body] = values[:, wanted]
    check_joints(positions, layout.num_joints, 3)
    yield from (BadFile(name, f"{reason}; the frame is missing") for reason in damaged)
    yield Clip(positions, name, label, rate=rate)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    layout = layout or get_layout("xsens-23")
    paths = source.paths()
    labels, classes = folder_labels([path for path in paths if path.lower().endswith(".mvnx")])
    return DatasetInfo(layout, classes, "metres", up="z"), partial(_find, layout=layout, labels=labels)


def _find(source: Source, layout: SkeletonLayout, labels: dict[str, int]) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".mvnx", parse, layout, later=True):
        label = labels.get(work.name, -1)
        yield evolve(work, args=(*work.args, label)) if isinstance(work, Work) else work


MVNX = Reader(
    "mvnx",
    None,
    None,
    (),
    None,
    ".mvnx",
    units="metres",
    describe=_describe,
    zeros_there=True,
    folders=partial(paths_of, suffix=".mvnx"),
)
