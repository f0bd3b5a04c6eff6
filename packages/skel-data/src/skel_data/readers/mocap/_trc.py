"""TRC marker files of OpenSim, Pose2Sim and Motion Analysis: one tab-separated text file a clip.

The layout names the markers; where none is given, it is the preset that has just these. Positions in
m, cm and mm come in metres. An empty field is missing. The class of a file is the name of its folder.
"""

import io
import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, check_joints, find_each, paths_of
from skel_data.readers._source import Source
from skel_data.readers.arrays._columns import choose_layout, match_joints
from skel_data.readers.keypoints._keypoints import folder_labels
from skel_data.store._info import DatasetInfo

_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_HEAD = 5


def parse_trc(
    data: bytes, damaged: list[str] | None = None
) -> tuple[list[str], str, float, NDArray[np.float64]]:
    """Names of the markers, unit, frames a second (0: not told), and positions (T, V, 3) in this unit.

    Args:
        data: Content of the file.
        damaged: Takes what is wrong with a line, whose frame is NaN then, if most are good.

    Raises:
        ValueError: With the reason, if it is no such file.
    """
    lines = data.decode("utf-8", errors="replace").splitlines()
    if len(lines) < _HEAD or not lines[0].startswith("PathFileType"):
        raise ValueError("not a TRC file: no PathFileType, or cut off in the header")
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = [name.strip() for name in lines[3].rstrip().split("\t")[2::3]]
    if not names or "" in names or len(set(names)) < len(names):
        raise ValueError(f"line 4: names of markers must stand in each third column, found {names[:5]}")
    kept = [(number, line.rstrip()) for number, line in enumerate(lines[_HEAD:], _HEAD + 1) if line.strip()]
    body = "\n".join(line for _, line in kept)
    width = 2 + 3 * len(names)
    if not body:
        raise ValueError("no frame")
    try:
        table: NDArray[np.float64] = np.loadtxt(io.StringIO(body), delimiter="\t", ndmin=2, comments=None)
    except ValueError:  # empty fields
        table = np.empty((0, 0))
    if table.shape[1] != width:
        table = _slow(kept, width, [] if damaged is None else damaged)
    unit, told = facts.get("Units", "").strip(), facts.get("DataRate", "")
    rate = float(told) if re.fullmatch(r"\s*\d{1,5}(\.\d*)?\s*", told) else 0.0
    return names, unit, rate, table[:, 2:].reshape(len(table), len(names), 3)


def _slow(lines: list[tuple[int, str]], width: int, damaged: list[str]) -> NDArray[np.float64]:
    rows = np.full((len(lines), width), np.nan)
    for at, (number, line) in enumerate(lines):
        fields = [field.strip() for field in line.split("\t")]
        fields += [""] * (width - len(fields))  # fields at the end may be left out
        try:
            if any(fields[width:]):
                raise ValueError(f"{counted(len(fields), 'field')}, expected {width}")
            rows[at] = [np.nan if field == "" else _number(field) for field in fields[:width]]
        except ValueError as error:
            damaged.append(f"line {number}: {error}")
            if 2 * len(damaged) > len(lines):
                raise ValueError(damaged[0]) from None
    return rows


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        raise ValueError(f"not a number: {field[:40]!r}") from None


def parse(
    name: str, data: bytes, layout: SkeletonLayout, metres: bool, label: int
) -> Iterator[Clip | BadFile]:
    """Make a clip of one file. `metres` says whether it must tell its unit, so that the clip is in metres."""
    damaged: list[str] = []
    names, unit, rate, positions = parse_trc(data, damaged)
    scale = _METRES.get(unit.lower())
    if (scale is not None) != metres:
        raise ValueError(f"unit {unit!r}, but the first file is {'' if metres else 'not '}in m, cm or mm")
    wanted = [names.index(joint) for joint in match_joints(names, layout)]
    positions = positions[:, wanted] * (scale or 1.0)
    check_joints(positions[:, None], layout.num_joints, 3)
    yield from (BadFile(name, f"{reason}; the frame is missing") for reason in damaged)
    yield Clip(positions[:, None], name, label, rate=rate)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    names, unit = _first(source)
    layout = choose_layout(names, "xyz", layout)
    metres = unit.lower() in _METRES
    labels, classes = folder_labels(_paths(source))
    info = DatasetInfo(layout, classes, "metres" if metres else "unknown")
    return info, partial(_find, layout=layout, metres=metres, labels=labels)


def _paths(source: Source) -> list[str]:
    return [path for path in source.paths() if path.lower().endswith(".trc")]


def _first(source: Source) -> tuple[list[str], str]:
    """Markers and unit of the first file that can be read; else the error has the reason for the first."""
    reasons = []
    for work in find_each(source, ".trc", parse):
        try:
            if isinstance(work, Work):
                return parse_trc(work.args[1])[:2]
            reasons.append(f"{work.name}: {work.reason}")
        except ValueError as error:
            reasons.append(f"{work.name}: {error}")
    raise ValueError(f"{source.name}: no .trc file that can be read; {', '.join(reasons[:1])}".rstrip("; "))


def _find(
    source: Source, layout: SkeletonLayout, metres: bool, labels: dict[str, int]
) -> Iterator[Work | BadFile]:
    for work in find_each(source, ".trc", parse, layout, metres, later=True):
        label = labels.get(work.name, -1)
        yield evolve(work, args=(*work.args, label)) if isinstance(work, Work) else work


TRC = Reader(
    "trc",
    None,
    None,
    (),
    None,
    ".trc",
    units="unknown",
    describe=_describe,
    folders=partial(paths_of, suffix=".trc"),
)
