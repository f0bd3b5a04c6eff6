"""CMU Graphics Lab motion capture database: Acclaim files, ``01_02.amc`` of subject 1 and ``01.asf``.

Lengths are in 1/0.45 inch, as the database's own answers to questions say. The files tell no classes, and
were recorded at 120 or 60 frames a second without telling which.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from skel_data._clip import BadFile, Clip
from skel_data._layout import get_layout
from skel_data.readers._reader import Reader, Work, match_name, paths_of
from skel_data.readers._source import Source
from skel_data.readers.mocap._acclaim import find_motions, positions_in_metres

_NAME = re.compile(r"(\d{1,4})_(\d{1,4})")


def parse(path: str, data: bytes, skeleton: bytes) -> Iterator[Clip | BadFile]:
    """Make a clip of one file, given its subject's skeleton."""
    name = PurePosixPath(path).stem
    match = _match(name)
    damaged: list[str] = []
    positions = positions_in_metres(data, skeleton, get_layout("hdm05-31"), damaged)
    yield from (BadFile(path, f"{reason}; the frame is missing") for reason in damaged)
    yield Clip(positions[:, None], name, subject=int(match[1]), replication=int(match[2]))


def _match(name: str) -> re.Match[str]:
    return match_name(_NAME, name, "{subject}_{trial}.amc")


def _find(source: Source) -> Iterator[Work | BadFile]:
    return find_motions(source, parse, lambda name: _match(name)[1])


def _folders(source: Source) -> dict[str, str]:
    """Paths; nothing where folders are the database's own, numbers of subjects."""
    paths = paths_of(source, ".amc")
    return {} if all(PurePosixPath(path).parent.name.isdecimal() for path in paths) else paths


CMU_MOCAP = Reader(
    "cmu-mocap",
    "cmu-mocap",
    "hdm05-31",
    (),
    _find,
    ".amc",
    zeros_there=True,
    folders=_folders,
    untold_rate="no frame rate is kept: the files do not tell theirs, 120 or 60 a second in this database",
)
