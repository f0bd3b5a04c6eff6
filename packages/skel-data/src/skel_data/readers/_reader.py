"""Readers of one format each, and the loop over files that most of them share."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout, layout_names
from skel_data._words import counted
from skel_data.readers._source import Source
from skel_data.store._info import DatasetInfo


@define(frozen=True)
class Work:
    """A share of an import, most often one file: done in this process or in another.

    Attributes:
        name: The file within its source.
        parse: Gives a clip, or several, of `args`; raises ValueError with the reason if it cannot (any other
            exception makes the file a bad one, too, with its type). A function of a module, so that another
            process finds it.
        args: Its arguments.
    """

    name: str
    parse: Callable[..., Clip | Iterable[Clip | BadFile]]
    args: tuple[Any, ...]

    def clips(self) -> list[Clip | BadFile]:
        """The clips, and what could not be read."""
        made: list[Clip | BadFile] = []
        try:
            with np.errstate(all="ignore"):  # what overflows is infinite, which a store refuses with a reason
                found = self.parse(*self.args)
                for clip in (found,) if isinstance(found, Clip) else found:
                    made.append(clip)  # noqa: PERF402 (what came before an error is kept)
        except ValueError as error:
            made.append(BadFile(self.name, str(error)))
        except Exception as error:  # of a reader that did not foresee this file; it costs no other
            made.append(BadFile(self.name, f"{type(error).__name__}: {error}"))
        return made


Find = Callable[[Source], Iterator[Work | BadFile]]


@define(frozen=True)
class Reader:
    """Reader of one file format.

    Attributes:
        name: Name of the format.
        dataset: Name of the data set; None: the name of the file.
        layout: Name of its layout; None: from the source or the user.
        classes: Name of each class; empty: from the source.
        find: Finds the work in a source, one share after another, and what could not be read. None: that
            of `describe` is taken.
        suffix: Suffix of its files.
        units: Unit of the coordinates.
        default_split: The usual protocol.
        describe: Reads the metadata from the source where `layout` is None, given the user's layout. It may
            give a function in place of `find` as well.
        zeros_there: Whether a joint at the origin of three coordinates is there: in formats that compute
            positions, or mark missing ones in another way. Else zero in all coordinates means missing.
        folders: Gives, by the name of each share of work in a source, the path whose folders name its class,
            subject and part of the split; see `tell`. None: folder names have no meaning by default.
        untrimmed: Finds the work as `find` does, but keeps recordings whole, with their intervals. None: the
            format has no intervals.
        untold_rate: A sentence for files without a frame rate, where it matters.
    """

    name: str
    dataset: str | None
    layout: str | None
    classes: tuple[str, ...]
    find: Find | None
    suffix: str
    units: str = "metres"
    default_split: str | None = None
    describe: Callable[[Source, SkeletonLayout | None], DatasetInfo | tuple[DatasetInfo, Find]] | None = None
    zeros_there: bool = False
    folders: Callable[[Source], Mapping[str, str]] | None = None
    untrimmed: Find | None = None
    untold_rate: str = ""

    def open(
        self, source: Source, layout: SkeletonLayout | None = None
    ) -> tuple[DatasetInfo, Iterator[Work | BadFile]]:
        """Metadata of all clips of a source, and the work in it.

        Args:
            source: The files.
            layout: The joints, where the format does not fix them.

        Raises:
            ValueError: If the layout does not fit the format, or the source lacks the metadata.
        """
        if self.describe is not None:
            described = self.describe(source, layout)
            info, find = described if isinstance(described, tuple) else (described, self.find)
        else:
            info, find = self._usual(layout), self.find
        return info, iter(()) if find is None else find(source)

    def _usual(self, layout: SkeletonLayout | None) -> DatasetInfo:
        usual = get_layout(str(self.layout))
        if layout is not None and (layout.num_joints, layout.channels) != (usual.num_joints, usual.channels):
            raise ValueError(
                f"layout {layout.name} has {counted(layout.num_joints, 'joint')} x "
                f"{counted(layout.channels, 'channel')}, "
                f"format {self.name} has {usual.num_joints} x {usual.channels}"
            )
        return DatasetInfo(layout or usual, self.classes, self.units)

    def read(self, source: Source, layout: SkeletonLayout | None = None) -> Iterator[Clip | BadFile]:
        """The clips of a source, and what could not be read, one after another in this process."""
        for work in self.open(source, layout)[1]:
            yield from work.clips() if isinstance(work, Work) else (work,)


Parse = Callable[..., Clip | Iterable[Clip | BadFile]]


def paths_of(source: Source, suffix: str) -> dict[str, str]:
    """The files of a source that have the suffix, each as the path that tells of itself."""
    return {path: path for path in source.paths() if path.lower().endswith(suffix)}


def find_each(
    source: Source, suffix: str, parse: Parse, *more: Any, later: bool = False
) -> Iterator[Work | BadFile]:
    """One share of work for each file of a source that has the suffix; the others are passed over.

    Args:
        source: The files.
        suffix: Suffix of the data files, in small letters.
        parse: Makes a clip, or several, of the file's name, without folder and suffix, its content, and
            `more`; raises ValueError with the reason if it cannot.
        more: Further arguments.
        later: Leave it to the process that parses a file to read it, too, where the source allows that.
    """
    for entry in source:
        if isinstance(entry, BadFile):
            yield entry
            continue
        path, read = entry
        if not path.lower().endswith(suffix):
            continue
        name = PurePosixPath(path).name[: -len(suffix)]
        if later and source.in_any_order:
            yield Work(path, _read_and_parse, (read, parse, name, *more))
            continue
        try:
            data = _content(read)
        except ValueError as error:
            yield BadFile(path, str(error))
            continue
        yield Work(path, parse, (name, data, *more))


def _read_and_parse(
    read: Callable[[], bytes], parse: Parse, name: str, *more: Any
) -> Clip | Iterable[Clip | BadFile]:
    return parse(name, _content(read), *more)


def _content(read: Callable[[], bytes]) -> bytes:
    data = read()
    if not data:
        raise ValueError("empty file")
    return data


def match_name(pattern: re.Pattern[str], name: str, expected: str) -> re.Match[str]:
    """The match of a file's whole name; ValueError if it has none, with the form that was expected."""
    match = pattern.fullmatch(name)
    if match is None:
        raise ValueError(f"unexpected name, expected {expected}")
    return match


def read_json(data: bytes) -> Any:
    """The content of a JSON file, in which NaN and Infinity are numbers.

    Raises:
        ValueError: If it is not JSON.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("not JSON: nested too deep") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not JSON, or cut off: {error}") from error


def layout_wanted(joints: int = 0) -> str:
    """The end of a sentence, where a layout must be given: the presets with this number of joints."""
    fitting = [name for name in layout_names() if get_layout(name).num_joints == joints]
    which = f"such as {' or '.join(fitting)}" if fitting else "the name of a preset or a TOML file"
    return f"so a layout must be given, {which} (in a command: --layout)"


def check_joints(positions: NDArray[Any], joints: int, dims: int) -> None:
    """Check that `positions` is (T, M, joints, dims) with at least one frame and one finite coordinate.

    Raises:
        ValueError: With the reason.
    """
    shape = positions.shape
    if positions.ndim != 4 or shape[2:] != (joints, dims) or 0 in shape:
        raise ValueError(f"{counted(shape[0], 'frame')} of shape {shape[2:]}, expected {(joints, dims)}")
    if not np.isfinite(positions).any():
        raise ValueError("no finite coordinate")
