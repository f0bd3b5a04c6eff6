"""DeepLabCut (Mathis et al., Nature Neuroscience 2018): one ``.csv`` file a video.

The three or four rows of its header are ``scorer``, perhaps ``individuals``, ``bodyparts`` and ``coords``,
the latter x, y and likelihood for each body part. A layout names the body parts. Individuals are bodies. The
class of a file is the name of its folder.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from attrs import define, evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._tables import csv_rows
from skel_data.readers._reader import Find, Reader, Work, find_each, paths_of
from skel_data.readers._source import Source
from skel_data.readers.arrays._columns import choose_layout, match_joints
from skel_data.readers.arrays._rows import Rows, make_clip
from skel_data.readers.keypoints._keypoints import folder_labels
from skel_data.store._info import DatasetInfo

_HEADS = ("scorer", "individuals", "bodyparts", "coords")
_AXES = {"x": "x", "y": "y", "z": "z", "likelihood": "c"}


@define(frozen=True)
class Head:
    """The header of a file.

    Attributes:
        columns: Column by individual, body part and axis; c is the likelihood.
        rows: Rows of the header.
    """

    columns: dict[tuple[str, str, str], int]
    rows: int

    @property
    def parts(self) -> list[str]:
        """The body parts."""
        return list(dict.fromkeys(part for _, part, _ in self.columns))

    @property
    def individuals(self) -> list[str]:
        """The individuals."""
        return list(dict.fromkeys(who for who, _, _ in self.columns))

    @property
    def axes(self) -> str:
        """The axes, of xyzc."""
        return "".join(axis for axis in "xyzc" if any(found == axis for _, _, found in self.columns))


def read_head(data: bytes) -> Head:
    """The header of a file; ValueError if it is none of DeepLabCut's."""
    text = data[: 1 << 20].decode("utf-8-sig", errors="replace")
    rows = {}
    for row in csv_rows(text):
        if not row or row[0] not in _HEADS or row[0] in rows:
            break
        rows[row[0]] = row
    if not {"bodyparts", "coords"} <= set(rows) or len({len(row) for row in rows.values()}) > 1:
        raise ValueError("no header of DeepLabCut: rows scorer, bodyparts and coords")
    who = rows.get("individuals", [""] * len(rows["coords"]))
    columns = {}
    for at, found in enumerate(zip(who, rows["bodyparts"], rows["coords"], strict=True)):
        if found[2] in _AXES:
            columns[found[0], found[1], _AXES[found[2]]] = at
    if not columns:
        raise ValueError("no columns x, y, likelihood")
    return Head(columns, len(rows))


def parse(name: str, data: bytes, layout: SkeletonLayout, label: int) -> Iterator[Clip | BadFile]:
    """Make a clip of one file. A field without a number is reported, and its joint missing."""
    head = read_head(data)
    wanted = match_joints(head.parts, layout)
    axes = "xyz"[: layout.dims] + "c" * layout.confidence
    people, damaged = [], list[str]()
    for who in head.individuals:
        columns = [head.columns.get((who, part, axis), -1) for part in wanted for axis in axes]
        if max(columns) >= 0:  # parts that belong to no individual have one of their own
            people.append(
                _numbers(data, head.rows, columns, damaged).reshape(-1, layout.num_joints, len(axes))
            )
    count = len(people[0])
    if count == 0:
        raise ValueError("no row")
    yield from (BadFile(name, f"{reason}; the joint is missing there") for reason in damaged)
    if len(people) == 1:
        yield make_clip(name, Rows(people[0]), label)
        return
    rows = Rows(
        np.concatenate(people),
        np.tile(np.arange(count), len(people)),
        np.repeat(np.arange(len(people)), count),
    )
    yield make_clip(name, rows, label)


def _numbers(data: bytes, skip: int, columns: list[int], damaged: list[str]) -> NDArray[np.float64]:
    rows = [row for row in csv_rows(data.decode("utf-8-sig", errors="replace")) if row][skip:]
    values = np.full((len(rows), len(columns)), np.nan)
    lost = set()
    for at, column in enumerate(columns):
        if column < 0:
            continue
        try:
            values[:, at] = [float(row[column] or "nan") for row in rows]
        except (ValueError, IndexError):
            for number, row in enumerate(rows):
                try:
                    values[number, at] = float(row[column] or "nan")
                except (ValueError, IndexError):
                    if number not in lost:  # one reason for each row is enough
                        where = f"row {number + skip + 1}, column {column + 1}"
                        damaged.append(f"{where}: a field is missing or not a number")
                    lost.add(number)
        if 2 * len(lost) > len(rows):
            raise ValueError(damaged[0]) from None
    return values


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    paths = source.paths()
    labels, classes = folder_labels([path for path in paths if path.lower().endswith(".csv")])
    head = None
    for entry in source:
        if not isinstance(entry, BadFile) and entry[0].lower().endswith(".csv"):
            try:
                head = read_head(entry[1]())
                break
            except ValueError:  # reported when it is imported
                continue
    if head is None:
        raise ValueError(f"{source.name}: no .csv file with a header of DeepLabCut")
    chosen = choose_layout(head.parts, head.axes, layout)
    return DatasetInfo(chosen, classes, "pixels"), partial(_find, layout=chosen, labels=labels)


def _find(source: Source, layout: SkeletonLayout, labels: dict[str, int]) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".csv", parse, layout, later=True):
        label = labels.get(work.name, -1)
        yield evolve(work, args=(*work.args, label)) if isinstance(work, Work) else work


DEEPLABCUT = Reader(
    "deeplabcut",
    None,
    None,
    (),
    None,
    ".csv",
    units="pixels",
    describe=_describe,
    folders=partial(paths_of, suffix=".csv"),
)
