"""A look at a source: the names of its files, and what the first one of a kind has in it."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from skel_data._clip import BadFile
from skel_data._words import counted
from skel_data.readers._source import Source
from skel_data.readers.arrays._csv import Table
from skel_data.readers.arrays._numpy import MAX_BYTES, Npz, header_of
from skel_data.readers.arrays._open import open_file
from skel_data.readers.keypoints._kinetics import LABELS
from skel_data.readers.keypoints._people import read_any
from skel_data.readers.keypoints._unpickle import load_plain

_ESTIMATE = "estimate the poses in it first, with MediaPipe or MMPose for one"
_PICTURES = {
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), f"is a video: {_ESTIMATE}"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"), f"is an image: {_ESTIMATE}"),
}
_BEGINNINGS = {
    b"PK": "is a zip archive, or a file of a program that writes one, such as PyTorch",
    b"\x89HDF": "is HDF5: save its joints as .csv or .npy",
    b"MATLAB": "is a MATLAB file: save its joints as .csv, or with scipy as .npz",
    b"%PDF": "is a PDF",
}
"""What a file is, by its first bytes."""
_WORDS = 120
_LOOKED_AT = 5


class Look:
    """What a source has. Each file is read once, at its first use.

    Args:
        source: The files.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.first = cache(self._first)
        self.json = cache(self._json)

    @cached_property
    def paths(self) -> list[str]:
        """The files."""
        return self.source.paths()

    @cached_property
    def suffixes(self) -> Counter[str]:
        """How many files have each suffix, in small letters."""
        return Counter(PurePosixPath(path).suffix.lower() for path in self.paths)

    def names(self, pattern: str) -> list[str]:
        """The files whose name fits a regular expression, whatever the case."""
        whole = re.compile(pattern, re.IGNORECASE)
        return [path for path in self.paths if whole.fullmatch(PurePosixPath(path).name)]

    def _first(self, suffix: str) -> bytes:
        """The first file with a suffix; empty if there is none that can be read."""
        for entry in Source(self.source.path, MAX_BYTES):
            if isinstance(entry, BadFile) or not entry[0].lower().endswith(suffix):
                continue
            if entry[0].lower().endswith(LABELS):
                continue
            try:
                return entry[1]()
            except ValueError:
                continue
        return b""

    def _json(self) -> Any:
        """The first JSON file, or its lines; None if it is none."""
        try:
            return read_any(self.first(".json"))
        except ValueError:
            return None

    @cached_property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays of the first ``.npz`` file that has one of two axes or more."""
        found: dict[str, tuple[int, ...]] = {}
        for path in islice((path for path in self.paths if path.lower().endswith(".npz")), _LOOKED_AT):
            try:
                with open_file(self.source, path) as stream:
                    file = Npz(stream)
                    found = {name: file.shape(name) for name in file.names}
            except (ValueError, OSError):
                continue
            if any(len(shape) > 1 for shape in found.values()):
                break
        return found

    @cached_property
    def table(self) -> Table | None:
        """The first table whose header has joints."""
        for suffix in (".csv", ".tsv"):
            try:
                return Table(self.first(suffix))
            except ValueError:
                continue
        return None

    @cached_property
    def array(self) -> tuple[np.dtype[Any], tuple[int, ...]] | None:
        """Type and shape of the first ``.npy`` file; None if it is none."""
        try:
            with open_file(self.source, self._path(".npy")) as file:
                shape, _, dtype = header_of(file)
        except ValueError:
            return None
        return dtype, shape

    def _path(self, suffix: str) -> str:
        """The first file with a suffix; empty if there is none."""
        return next((path for path in self.paths if path.lower().endswith(suffix)), "")

    @cached_property
    def pickle(self) -> Any:
        """The first pickle; None if it is none of plain data."""
        for suffix in (".pkl", ".pickle"):
            try:
                return load_plain(self.first(suffix), objects=True)
            except ValueError:
                continue
        return None

    def describe(self) -> str:
        """What there is, in a sentence without its full stop."""
        if not self.paths:
            return "there is no file"
        kinds = [
            f"{count} {suffix}" if suffix else f"{counted(count, 'file')} without suffix"
            for suffix, count in self.suffixes.most_common(4)
        ]
        more = self._inside(self.suffixes.most_common(1)[0][0])
        first = next(path for path in self.paths if path.lower().endswith(self.suffixes.most_common(1)[0][0]))
        are = "is" if len(self.paths) == 1 else "are"
        return f"there {are} {', '.join(kinds)}; the first, {first}, {more}"[:400]

    def _inside(self, suffix: str) -> str:
        if suffix in _PICTURES:
            return _PICTURES[suffix]
        inside: dict[str, Callable[[], str]] = {
            ".json": self._inside_json,
            ".npz": lambda: f"has arrays {_list([f'{n} {s}' for n, s in self.arrays.items()])}",
            ".npy": self._inside_npy,
            ".pkl": self._inside_pickle,
        }
        told = inside.get(suffix)
        return told() if told else _text(self.first(suffix))

    def _inside_json(self) -> str:
        content = self.json()
        if isinstance(content, dict):
            return f"is an object with the keys {_list(list(content))}"
        if isinstance(content, list) and content:
            first = content[0]
            what = (
                f"objects with the keys {_list(list(first))}"
                if isinstance(first, dict)
                else f"{_kind(first)}s"
            )
            return f"is a list of {len(content)} {what}"
        if content is None:
            alone = all(
                path.lower().endswith(LABELS) for path in self.paths if path.lower().endswith(".json")
            )
            return "has labels of Kinetics-skeleton and no recording" if alone else "is not JSON"
        return "is an empty list" if content == [] else f"is a {_kind(content)}"

    def _inside_npy(self) -> str:
        return "is no numpy array" if self.array is None else "is an array of {} {}".format(*self.array)

    def _inside_pickle(self) -> str:
        if self.pickle is None:
            return "is no pickle of plain data"
        if isinstance(self.pickle, dict):
            return f"is a pickle of a dict with the keys {_list(list(self.pickle))}"
        return f"is a pickle of a {_kind(self.pickle)}"


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values[:8]))[:_WORDS] or "none"


def _text(data: bytes) -> str:
    if not data:
        return "is empty or cannot be read"
    for beginning, what in _BEGINNINGS.items():
        if data.startswith(beginning):
            return what
    line = data[:400].decode(errors="replace").strip().partition("\n")[0]
    return f"begins {line[:60]!r}" if line.isprintable() and line else "begins with bytes that are no text"
