"""Tables of facts about clips: name, class, subject, camera, split, and where in a recording a clip is."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from attrs import define, evolve, field

from skel_data._clip import NO_ACTION, BadFile, Clip
from skel_data._tables import csv_rows
from skel_data._words import counted
from skel_data.splits._parts import parts_of
from skel_data.store._info import DatasetInfo

_COLUMNS = {
    "name": ("name", "clip", "file", "filename", "video", "path"),
    "class": ("class", "label", "action", "category", "class_name"),
    "subject": ("subject", "person", "actor", "participant", "performer"),
    "camera": ("camera", "view"),
    "split": ("split", "part", "subset"),
    "start": ("start", "begin", "first", "start_frame"),
    "end": ("end", "stop", "end_frame"),
}
_NAMES = {"class": "classes", "subject": "subject_names", "camera": "camera_names"}
_MOST_BYTES = 256 * 2**20
_MOST_CLASSES = 10_000

Row = dict[str, str]


def read_labels(path: str | Path) -> list[Row]:
    """Rows of a table, by the columns name, class, subject, camera, split, start and end; "" if one is empty.

    Fields are separated by commas, semicolons or tabs, the first line names the columns.

    Raises:
        ValueError: If it is no such table.
        FileNotFoundError: If there is none.
    """
    path = Path(path)
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.name}: more than {_MOST_BYTES} bytes are no table of labels")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: not a text in UTF-8: {error}") from error
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = [row for row in csv_rows(text, delimiter) if any(cell.strip() for cell in row)]
    columns: dict[str, int] = {}
    for at, cell in enumerate(rows[0] if rows else []):
        for column, words in _COLUMNS.items():
            if cell.strip().lower() in words:
                columns.setdefault(column, at)
    if "name" not in columns or len(columns) < 2:
        raise ValueError(
            f"{path.name}: the first line must name the columns: name, and some of "
            f"{', '.join(list(_COLUMNS)[1:])}; it is {head.strip()[:100]!r}"
        )
    found = []
    for number, row in enumerate(rows[1:], 2):
        values = {key: row[at].strip() if at < len(row) else "" for key, at in columns.items()}
        for key in ("start", "end"):
            if values.get(key) and not values[key].isdecimal():
                raise ValueError(
                    f"{path.name}, row {number}: {key} must be a frame's number, not {values[key]!r}"
                )
        if bool(values.get("start")) != bool(values.get("end")):
            raise ValueError(f"{path.name}, row {number}: start and end go together")
        if not values["name"]:
            raise ValueError(f"{path.name}, row {number}: no name")
        found.append(values)
    return found


@define(eq=False)
class Labels:
    """Facts that are given to clips, in place of what the reader told.

    Attributes:
        info: Metadata of the set, with the classes, subjects, cameras and splits of the facts.
        used: Names of the rows that a clip had.
    """

    info: DatasetInfo
    _rows: dict[str, list[Row]]
    _codes: dict[str, dict[str, int]]
    _parts: dict[str, tuple[int, ...]]
    _splits: int
    _by_base: dict[str, list[str]]
    used: set[str] = field(factory=set)
    untrimmed: bool = False
    without: int = 0
    loud: bool = True

    @classmethod
    def of(
        cls, rows: Iterable[Row], info: DatasetInfo, *, numbers: bool = True, untrimmed: bool = False
    ) -> "Labels":
        """The facts of rows.

        Args:
            rows: As of `read_labels`.
            info: Metadata of the set.
            numbers: Take words that are all numbers as codes.
            untrimmed: Keep recordings whole: rows with start and end are intervals, and one without class,
                start and end is a recording without any action.

        Raises:
            ValueError: If a clip is there twice, or the parts of the split are none.
        """
        grouped: dict[str, list[Row]] = {}
        for row in rows:
            grouped.setdefault(row["name"], []).append(row)
        for name, own in grouped.items():
            if len(own) > 1 and not all(row.get("start") for row in own):
                raise ValueError(f"{name!r} is in the table {len(own)} times, without start and end")
        every = [row for own in grouped.values() for row in own]
        codes: dict[str, dict[str, int]] = {}
        for key, known in (
            ("class", info.classes),
            ("subject", info.subject_names),
            ("camera", info.camera_names),
        ):
            values = {row[key] for row in every if row.get(key)}
            if not values and not (every and not numbers and key in every[0]):
                continue
            codes[key], names = _codes_of(values, known, key, numbers) if values else ({}, ())
            changes: dict[str, Any] = {_NAMES[key]: names}
            info = evolve(info, **changes)
        parts: dict[str, tuple[int, ...]] = {}
        splits = 0
        if any(row.get("split") for row in every):
            lists: dict[str, list[str]] = {}
            for name, own in grouped.items():
                for value in {row["split"] for row in own if row.get("split")}:
                    lists.setdefault(value, []).append(name)
            found = parts_of(lists, list(grouped))
            splits = len(found.splits)
            for name in grouped:
                own_parts = [split.get(name, {0}) for split in found.splits.values()]
                if any(len(part) > 1 for part in own_parts):
                    raise ValueError(f"{name!r} is in several parts of a split")
                parts[name] = tuple(part for (part,) in own_parts)
            info = evolve(info, listed_names=tuple(found.splits), notes=(*info.notes, *found.notes))
        by_base: dict[str, list[str]] = {}
        for name in grouped:
            by_base.setdefault(_bare(name).rpartition("/")[2], []).append(name)
        return cls(info, grouped, codes, parts, splits, by_base, untrimmed=untrimmed)

    def give(self, path: str, clip: Clip) -> Iterator[Clip | BadFile]:
        """A clip with its facts; several where a table tells several parts of it.

        Args:
            path: The file that it comes from.
            clip: The clip.
        """
        name = self._row_of(path, clip.name)
        if name is None:
            self.without += 1
            yield self._with(clip, {}, (0,) * self._splits)
            return
        self.used.add(name)
        rows = self._rows[name]
        if self.untrimmed and rows[0].get("start"):
            yield from self._whole(clip, rows, self._parts.get(name, (0,) * self._splits))
            return
        for row in rows:
            own = self._with(clip, row, self._parts.get(name, (0,) * self._splits))
            if not row.get("start"):
                nothing = self.untrimmed and row.get("class") == row.get("start") == ""
                yield evolve(own, label=NO_ACTION) if nothing else own
                continue
            start, end = int(row["start"]), int(row["end"])
            cut = f"{clip.name}_{start}-{end}"
            if not start < end <= len(clip.positions):
                reason = f"from frame {start} to {end}, but the recording has {len(clip.positions)}"
                yield BadFile(cut, reason)
                continue
            tracks = None if own.tracks is None else own.tracks[start:end]
            yield evolve(own, positions=own.positions[start:end], tracks=tracks, name=cut, intervals=())

    def _whole(self, clip: Clip, rows: list[Row], parts: tuple[int, ...]) -> Iterator[Clip | BadFile]:
        intervals = []
        for row in rows:
            start, end, word = int(row["start"]), int(row["end"]), row.get("class", "")
            label = self._codes.get("class", {}).get(word, -1)
            if label >= 0 and start < end <= len(clip.positions):
                intervals.append((label, start, end))
            else:
                frames = len(clip.positions)
                reason = f"action {word!r} from frame {start} to {end}, but the recording has {frames}"
                yield BadFile(
                    f"{clip.name}_{start}-{end}", reason if label >= 0 else "an action without class"
                )
        yield evolve(self._with(clip, rows[0], parts), label=-1, intervals=intervals)

    def _with(self, clip: Clip, row: Row, parts: tuple[int, ...]) -> Clip:
        changes: dict[str, Any] = {
            {"class": "label"}.get(key, key): codes.get(row.get(key, ""), -1)
            for key, codes in self._codes.items()
        }
        if self._splits:
            changes["split"] = parts
        if "label" in changes and len(clip.intervals):  # they are of other classes
            changes["intervals"] = ()
        return evolve(clip, **changes)

    def _row_of(self, path: str, name: str) -> str | None:
        if path in self._rows or name in self._rows:
            return path if path in self._rows else name
        for key in (_bare(path), _bare(name)):
            found = [
                row for row in self._by_base.get(key.rpartition("/")[2], ()) if _go_together(_bare(row), key)
            ]
            if len(found) == 1:
                return found[0]
        return None

    @property
    def cuts(self) -> bool:
        """Whether a row tells where in a recording an action is."""
        return any(row.get("start") for rows in self._rows.values() for row in rows)

    def quiet(self) -> "Labels":
        """The same, without notes of its own."""
        self.loud = False
        return self

    def notes(self) -> list[str]:
        """What did not go together, a sentence each."""
        if not self.loud:
            return []
        lost = [name for name in self._rows if name not in self.used]
        told = []
        if lost:
            of, are = counted(len(self._rows), "name"), "is" if len(lost) == 1 else "are"
            told.append(f"{len(lost)} of {of} in the table {are} no clip's, such as {lost[0]!r}")
        if self.without:
            are = "is" if self.without == 1 else "are"
            told.append(f"{counted(self.without, 'clip')} {are} in no row of the table")
        return told


def folder_rows(told: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Rows from folder names: for each column, a word by path."""
    paths = dict.fromkeys(path for words in told.values() for path in words)
    return [
        {"name": path, **{key: words[path] for key, words in told.items() if path in words}} for path in paths
    ]


def _codes_of(
    values: set[str], known: tuple[str, ...], key: str, numbers: bool
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Code of each value, and the names behind the codes."""
    if known and values <= set(known):
        return {name: code for code, name in enumerate(known)}, known
    if numbers and all(value.isdecimal() and len(value) < 10 for value in values):
        codes = {value: int(value) for value in values}
        if key != "class":
            return codes, ()
        highest = max(codes.values())
        if highest >= _MOST_CLASSES:
            raise ValueError(f"class {highest} in the table; more than {_MOST_CLASSES} classes need names")
        return codes, tuple(map(str, range(highest + 1)))
    names = sorted(values)
    return {name: code for code, name in enumerate(names)}, tuple(names)


def _bare(name: str) -> str:
    path = PurePosixPath(name)
    suffix = path.suffix
    keep = not suffix or not suffix[1:2].isalpha() or len(suffix) > 10
    return str(path) if keep else str(path.with_suffix(""))


def _go_together(first: str, second: str) -> bool:
    """Whether two paths are the same as far as both tell."""
    return first == second or first.endswith(f"/{second}") or second.endswith(f"/{first}")
