"""HDM05 (Mueller et al., CG-2007-2, 2007): Acclaim files, ``HDM_bd_squat1Reps_001_120.amc``, ``HDM_bd.asf``.

All frames are kept, 120 a second, as the last number of a name tells. The unit of length is 1/0.45 inch, as
in the CMU database: in metres so found, a body in a jump falls with 9.7 m/s². Classes are those in the names
of the files; a take such as ``HDM_bd_01-01_01_120.amc`` has none. Folders ``train`` and ``test`` are a listed
split.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from attrs import evolve

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._reader import Find, Reader, Work, match_name, paths_of
from skel_data.readers._source import Source
from skel_data.readers.mocap._acclaim import find_motions, positions_in_metres
from skel_data.store._info import DatasetInfo

_NAME = re.compile(r"HDM_(bd|bk|dg|mm|tr)_(?:([A-Za-z]\w*?)|\d[\d-]*)_(\d{1,9})_(\d{1,4})")
_ACTORS = ("bd", "bk", "dg", "mm", "tr")
_SPLITS = {"train": 1, "test": 2}


def parse(path: str, data: bytes, skeleton: bytes, label: int = -1) -> Iterator[Clip | BadFile]:
    """Make a clip of one file, given its actor's skeleton."""
    file = PurePosixPath(path)
    match = _match(file.stem)
    damaged: list[str] = []
    positions = positions_in_metres(data, skeleton, get_layout("hdm05-31"), damaged)
    yield from (BadFile(path, f"{reason}; the frame is missing") for reason in damaged)
    yield Clip(
        positions[:, None],
        file.stem,
        label=label,
        subject=_ACTORS.index(match[1]),
        replication=int(match[3]),
        rate=float(match[4]),
        split=next((_SPLITS[part] for part in file.parts if part in _SPLITS), 0),
    )


def _match(name: str) -> re.Match[str]:
    return match_name(_NAME, name, "HDM_{actor}_{class}_{number}_{rate}.amc")


def _classes(source: Source) -> tuple[str, ...]:
    paths = [PurePosixPath(path) for path in source.paths()]
    matches = [_NAME.fullmatch(path.stem) for path in paths if path.suffix.lower() == ".amc"]
    return tuple(sorted({match[2] for match in matches if match and match[2]}))


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    classes = _classes(source)
    info = DatasetInfo(layout or get_layout("hdm05-31"), classes, "metres", subject_names=_ACTORS)
    return info, lambda files: _find(files, {name: label for label, name in enumerate(classes)})


def _find(source: Source, labels: dict[str, int]) -> Iterator[Work | BadFile]:
    for work in find_motions(source, parse, lambda name: f"HDM_{_match(name)[1]}"):
        if isinstance(work, Work):
            name = _match(PurePosixPath(work.name).stem)[2]
            yield evolve(work, args=(*work.args, labels.get(name, -1)))
        else:
            yield work


def _folders(source: Source) -> dict[str, str]:
    """Paths; nothing where the names of files tell the classes."""
    return {} if _classes(source) else paths_of(source, ".amc")


HDM05 = Reader(
    "hdm05", "hdm05", None, (), None, ".amc", describe=_describe, zeros_there=True, folders=_folders
)
