"""Tables of joints, ``.csv`` or ``.tsv``, whose columns are found by the names in their header.

Wide tables have one row per frame, or one per body in a frame, with columns such as ``nose_x``,
``nose_y``, ``SpineBase_X``, ``x0`` or ``left hip.z``. Long ones have a row for each joint, with columns such
as ``frame``, ``joint``, ``x`` and ``y``. A confidence may be called visibility, likelihood, confidence, score
or v. Other columns tell facts: ``frame``, ``person`` or ``track``, ``clip`` or ``video``, ``label`` or
``class``, ``subject``, ``camera``, and ``split`` (train, or test or val). A change of clip, label, subject,
camera or split begins a new clip. Without labels in it, the class of a file is the name of its folder. Empty
fields are missing.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import PurePosixPath

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._tables import csv_rows
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, find_each
from skel_data.readers._source import Source
from skel_data.readers.arrays._columns import Columns, choose_layout, find_columns, match_joints
from skel_data.readers.arrays._facts import Names, split_code, usual_up
from skel_data.readers.arrays._ntu_names import ntu_codes
from skel_data.readers.arrays._rows import Rows, make_clip, runs
from skel_data.readers.keypoints._keypoints import folder_labels
from skel_data.store._info import DatasetInfo

SUFFIXES = (".csv", ".tsv")
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-"}
_OF_CLIPS = ("clip", "label", "subject", "camera", "split")


class Table:
    """A table as text.

    Args:
        data: The file.

    Attributes:
        columns: What is where.
        damaged: Fields that are no numbers.
        left_out: Rows that have more or fewer fields than the header.

    Raises:
        ValueError: If it has no header with joints.
    """

    def __init__(self, data: bytes) -> None:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        head, _, self._body = text.lstrip("\r\n").partition("\n")
        self._delimiter = max(",;\t", key=head.count)
        header = next(csv_rows(head, self._delimiter), [])
        self._width = len(header)
        self.columns = find_columns(header)
        self._slow: list[list[str]] | None = None
        self.damaged: list[str] = []
        self.left_out: list[str] = []

    @cached_property
    def _lines(self) -> list[str]:
        """The rows, if there are no quotes and as many fields in each as in the header; else none."""
        lines = [line for line in self._body.splitlines() if line.strip()]
        fits = all(line.count(self._delimiter) + 1 == self._width for line in lines)
        return lines if fits and '"' not in self._body else []

    def _cells(self) -> list[list[str]]:
        """The fields of each row, for a table that has more than plain numbers."""
        if self._slow is None:
            filled = (row for row in csv_rows(self._body, self._delimiter) if any(map(str.strip, row)))
            rows = list(enumerate(filled, 2))
            good = [(number, row) for number, row in rows if len(row) == self._width]
            self.left_out = [
                f"row {number}: {counted(len(row), 'field')}, the header has {self._width}"
                for number, row in rows
                if len(row) != self._width
            ]
            if 2 * len(good) < len(rows):
                raise ValueError(self.left_out[0])
            self._numbers = [number for number, _ in good]
            self._slow = [row for _, row in good]
        return self._slow

    def texts(self, fact: str) -> list[str]:
        """A column as text."""
        column = self.columns.facts[fact]
        if self._lines:
            return [line.split(self._delimiter, column + 1)[column].strip() for line in self._lines]
        return [row[column].strip() for row in self._cells()]

    def numbers(self, columns: Sequence[int], *, lenient: bool = False) -> NDArray[np.float64]:
        """Columns as numbers (rows, columns), NaN where a field is empty.

        Args:
            columns: Their places.
            lenient: Fields that are no numbers are NaN, too, if most are some; `damaged` has the reasons.

        Raises:
            ValueError: With the row, if a field is not a number.
        """
        if self._lines:
            try:
                table: NDArray[np.float64] = np.loadtxt(
                    io.StringIO(self._body),
                    delimiter=self._delimiter,
                    usecols=columns,
                    ndmin=2,
                    comments=None,
                )
            except ValueError:  # empty fields, or none that is a number: see below
                pass
            else:
                return table
        rows = self._cells()
        values = np.empty((len(rows), len(columns)))
        for at, column in enumerate(columns):
            fields = [row[column].strip() for row in rows]
            try:
                values[:, at] = [np.nan if field.lower() in _MISSING else float(field) for field in fields]
            except ValueError:
                bad = [i for i, field in enumerate(fields) if not _is_number(field)]
                self.damaged += [
                    f"row {self._numbers[row]}: not a number: {fields[row][:40]!r}" for row in bad
                ]
                if not lenient or 2 * len(bad) > len(rows):
                    raise ValueError(self.damaged[0]) from None
                values[:, at] = [
                    float(field) if _is_number(field) and field.lower() not in _MISSING else np.nan
                    for field in fields
                ]
        return values


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return field.lower() in _MISSING
    return True


def parse(
    name: str, data: bytes, layout: SkeletonLayout, names: Names, label: int
) -> Iterator[Clip | BadFile]:
    """Make the clips of one file."""
    table = Table(data)
    columns = table.columns
    axes = "".join("xyz"[: layout.dims]) + "c" * layout.confidence
    rows, keep = (_long if columns.long else _wide)(table, layout, axes)
    yield from (BadFile(name, f"{reason}; the row is left out") for reason in table.left_out)
    yield from (BadFile(name, f"{reason}; the joint is missing there") for reason in table.damaged)
    facts = {fact: table.texts(fact) for fact in _OF_CLIPS if fact in columns.facts}
    facts = {fact: [texts[row] for row in keep] for fact, texts in facts.items()}
    if "clip" in facts:  # its rows may lie apart
        first = {clip: at for at, clip in reversed([*enumerate(facts["clip"])])}
        order = np.argsort([first[clip] for clip in facts["clip"]], kind="stable")
        facts = {fact: [texts[row] for row in order] for fact, texts in facts.items()}
        rows = rows.taken(order)
    parts = list(runs(*facts.values())) if facts else [slice(0, len(rows.joints))]
    taken: dict[str, int] = {}
    for number, part in enumerate(parts):
        values = {fact: texts[part.start] for fact, texts in facts.items()}
        called = values.get("clip") or (name if len(parts) == 1 else f"{name}_{number}")
        taken[called] = taken.get(called, 0) + 1
        called = called if taken[called] == 1 else f"{called}_{taken[called]}"
        try:
            codes: dict[str, int] = {
                fact: names.code(fact, values[fact]) for fact in ("subject", "camera") if fact in values
            }
            yield make_clip(
                called,
                rows.taken(part),
                names.code("label", values["label"]) if "label" in values else label,
                split=split_code(values.get("split", "")),
                **{**ntu_codes(called), **codes},
            )
        except ValueError as error:
            yield BadFile(called, str(error))


def _wide(table: Table, layout: SkeletonLayout, axes: str) -> tuple[Rows, Sequence[int]]:
    columns = table.columns
    wanted = match_joints(list(columns.joints), layout)
    lacking = [name for name in wanted if not set(axes) <= set(columns.joints[name])]
    if lacking:
        raise ValueError(f"joint {lacking[0]} has not all of {', '.join(axes)}")
    values = table.numbers([columns.joints[name][axis] for name in wanted for axis in axes], lenient=True)
    if not len(values):
        raise ValueError("no row")
    joints = values.reshape(len(values), layout.num_joints, len(axes))
    rows = Rows(joints, _numbers(table, "frame"), _bodies(table))
    return rows, range(len(joints))


def _long(table: Table, layout: SkeletonLayout, axes: str) -> tuple[Rows, Sequence[int]]:
    columns = table.columns
    (found,) = columns.joints.values()
    if not set(axes) <= set(found):
        raise ValueError(f"no column {', '.join(sorted(set(axes) - set(found)))}")
    names = table.texts("joint")
    wanted = match_joints(sorted(set(names), key=names.index), layout)
    values = table.numbers([found[axis] for axis in axes], lenient=True)
    frames, bodies = _numbers(table, "frame"), _bodies(table)
    clips = table.texts("clip") if "clip" in columns.facts else [""] * len(names)
    if frames is None:
        raise ValueError("a row for each joint, but no column 'frame'")
    keys: dict[tuple[str, int, int], int] = {}
    first: list[int] = []
    at = np.empty(len(names), int)
    ids = np.zeros(len(names), int) if bodies is None else bodies
    for row, key in enumerate(zip(clips, frames.tolist(), ids.tolist(), strict=True)):
        at[row] = keys.setdefault(key, len(keys))
        if at[row] == len(first):
            first.append(row)
    order = {name: joint for joint, name in enumerate(wanted)}
    places = np.array([order.get(name, -1) for name in names])
    used = places >= 0
    cells = at[used] * layout.num_joints + places[used]
    if len(np.unique(cells)) < len(cells):
        twice = int(np.flatnonzero(np.bincount(cells) > 1)[0])
        row = first[twice // layout.num_joints]
        joint = wanted[twice % layout.num_joints]
        raise ValueError(f"frame {frames[row]}: joint {joint} more than once; is a column 'person' missing?")
    joints = np.full((len(first) * layout.num_joints, len(axes)), np.nan)
    joints[cells] = values[used]
    return Rows(
        joints.reshape(len(first), layout.num_joints, len(axes)),
        frames[first],
        None if bodies is None else bodies[first],
    ), first


def _numbers(table: Table, fact: str) -> NDArray[np.int64] | None:
    if fact not in table.columns.facts:
        return None
    try:
        values = table.numbers([table.columns.facts[fact]])[:, 0]
    except ValueError:
        if fact == "body":
            return np.unique(table.texts(fact), return_inverse=True)[1].reshape(-1)
        raise
    bad = ~(np.isfinite(values) & (np.abs(values) < 2**53) & (values == np.floor(values)))
    if bad.any():
        raise ValueError(f"{fact} {values[bad][0]:g}, expected a whole number")
    return values.astype(np.int64)


def _bodies(table: Table) -> NDArray[np.int64] | None:
    bodies = _numbers(table, "body")
    return None if bodies is None else bodies - min(int(bodies.min(initial=0)), 0)


def _tables(source: Source) -> Iterator[tuple[str, Table]]:
    """The tables of a source that have a header."""
    for entry in source:
        if isinstance(entry, BadFile) or not entry[0].lower().endswith(SUFFIXES):
            continue
        try:
            yield entry[0], Table(entry[1]())
        except ValueError:  # reported when it is imported
            continue


def _names(source: Source, columns: Columns) -> Names:
    """The values of text columns; numbers stay numbers."""
    seen: dict[str, set[str]] = {
        fact: set() for fact in ("label", "subject", "camera") if fact in columns.facts
    }
    if not seen:
        return Names()
    for _, table in _tables(source):
        for fact, values in seen.items():
            if fact in table.columns.facts:
                values.update(table.texts(fact))
    return Names.of(seen)


def _joint_names(table: Table) -> list[str]:
    columns = table.columns
    return list(dict.fromkeys(table.texts("joint"))) if columns.long else list(columns.joints)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    path, first = next(_tables(source), (None, None))
    if first is None:
        reason = next(_reasons(source), "")
        raise ValueError(f"{source.name}: no table with a header that names joints{reason}")
    try:
        layout = choose_layout(_joint_names(first), first.columns.axes, layout)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    names = _names(source, first.columns)
    labels: Mapping[str, int] = {}
    classes = names.label
    if "label" not in first.columns.facts:
        labels, classes = folder_labels(_paths(source))
    info = DatasetInfo(
        layout,
        classes,
        "unknown",
        subject_names=names.subject,
        camera_names=names.camera,
        up=usual_up(layout),
    )
    return info, partial(_find, layout=layout, names=names, labels=labels)


def _reasons(source: Source) -> Iterator[str]:
    for entry in source:
        if not isinstance(entry, BadFile) and entry[0].lower().endswith(SUFFIXES):
            try:
                Table(entry[1]())
            except ValueError as error:
                yield f"; {entry[0]}: {error}"


def _paths(source: Source) -> list[str]:
    return [path for path in source.paths() if path.lower().endswith(SUFFIXES)]


def _find(
    source: Source, layout: SkeletonLayout, names: Names, labels: Mapping[str, int]
) -> Iterator[Work | BadFile]:
    for suffix in sorted({PurePosixPath(path).suffix.lower() for path in _paths(source)}):
        for work in find_each(source, suffix, parse, layout, names, later=True):
            label = labels.get(work.name, -1)
            yield evolve(work, args=(*work.args, label)) if isinstance(work, Work) else work


def _folders(source: Source) -> dict[str, str]:
    """Paths; nothing where the tables tell the classes."""
    _, first = next(_tables(source), ("", None))
    told = first is None or "label" in first.columns.facts
    return {} if told else {path: path for path in _paths(source)}


CSV = Reader("csv", None, None, (), None, ".csv", units="unknown", describe=_describe, folders=_folders)
