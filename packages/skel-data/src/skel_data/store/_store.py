"""Store: all clips of a data set in one folder, memory-mapped, written once.

A store holds ``header.json`` (what it is), ``frames.npy`` (every frame of every body of every clip,
back to back, so nothing is padded), ``tracks.npy`` (the body id of each of these rows) and
``clips.npz`` (a row of metadata per clip). Clip `i` is the rows `offset[i] : offset[i] + length[i] *
bodies[i]`. A store of untrimmed recordings is of version 3: ``clips.npz`` has ``intervals``, too, a row
(clip, class, first frame, frame behind the last one) per action.
"""

import hashlib
import json
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from attrs import define, fields
from numpy.typing import NDArray

from skel_data._clip import NO_ACTION, BadFile
from skel_data._layout import SkeletonLayout
from skel_data._words import counted
from skel_data.files import remove_left_behind
from skel_data.store._info import ClipTable, DatasetInfo

FORMAT = "skel-store"
VERSION = 2
UNTRIMMED = 3
"""Version of a store that has intervals; others are written as before."""
CODES = ("label", "subject", "camera", "setup", "replication")
COLUMNS = ("name", "offset", "length", "bodies", *CODES, "split", "digest")
"""Columns of ``clips.npz``; `CODES` are those that a `Clip` has as whole numbers."""
EARLIER = {"camera": "view"}
"""Columns that had another name in version 1."""

_NOT_HASHED = ("counts", "hash", "source", "bad_files", "notes", "import")

Ints = NDArray[np.int64]


@define(frozen=True, eq=False, slots=False, kw_only=True)
class Store(ClipTable):
    """Data set on disk, memory-mapped; ``Store(path)`` opens one, as `Store.open` does.

    Its metadata are those of a `ClipTable`.

    Attributes:
        path: Its folder.
        header: The content of ``header.json``.
        info: Metadata of the data set.
        frames: Coordinates (rows, V, C), float32, memory-mapped.
        columns: Metadata of the clips, one array of N per name.
        all_tracks: Body ids (rows), 0 where there is none, memory-mapped.
        all_intervals: Actions in untrimmed recordings (K, 4): clip, class, first frame, and the frame behind
            the last one; clip after clip. Empty where all clips are trimmed.
    """

    path: Path
    header: dict[str, Any]
    info: DatasetInfo
    frames: NDArray[np.float32]
    columns: dict[str, NDArray[Any]]
    all_tracks: Ints
    all_intervals: Ints

    def __init__(self, path: str | Path, **attributes: Any) -> None:
        if attributes:
            self.__attrs_init__(path=path, **attributes)  # type: ignore[attr-defined]
        else:
            opened = type(self).open(path)
            for one in fields(type(self)):  # some are slots of the class below
                object.__setattr__(self, one.name, getattr(opened, one.name))

    def __repr__(self) -> str:
        labelled = int((self.labels >= 0).sum())
        layout = self.layout
        classes = counted(len(self.classes), "class")
        return (
            f"Store({str(self.path)!r}): {self.dataset}\n"
            f"  {counted(len(self), 'clip')}, {labelled} with a label, {classes}\n"
            f"  layout {layout.name}: {counted(layout.num_joints, 'joint')}, {layout.dims}-D, in {self.units}"
        )

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """Open the store in a folder.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If the folder is not a store, was written by a newer version, or is damaged.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no store at {path}")
        remove_left_behind(path, path / "cache", path / "cache" / "baselines")
        try:
            header = json.loads((path / "header.json").read_text(encoding="utf-8"))
            is_store = header.get("format") == FORMAT
        except (OSError, ValueError, AttributeError, RecursionError):
            is_store = False
        if not is_store:
            raise ValueError(f"{path} is not a store: it has no header.json with format {FORMAT!r}")
        if not isinstance(header.get("version"), int) or not 1 <= header["version"] <= UNTRIMMED:
            raise ValueError(
                f"{path}: store of version {header.get('version')}; this skel-data reads up to {UNTRIMMED}"
            )
        try:
            info = DatasetInfo.from_header(header)
            earlier = EARLIER if header["version"] == 1 else {}
            frames = np.lib.format.open_memmap(path / "frames.npy", mode="r")
            tracks = np.lib.format.open_memmap(path / "tracks.npy", mode="r")
            with ZipFile(BytesIO((path / "clips.npz").read_bytes())) as table:
                columns = {name: npz_array(table, earlier.get(name, name)) for name in COLUMNS}
                rates = "rate.npy" in table.namelist()
                columns["rate"] = npz_array(table, "rate") if rates else np.zeros(len(columns["name"]))
                untrimmed = header["version"] == UNTRIMMED
                intervals = npz_array(table, "intervals") if untrimmed else np.empty((0, 4), np.int64)
            about = ("dataset", "default_split", "subject_names", "camera_names", "listed_names")
            metadata: dict[str, Any] = {name: getattr(info, name) for name in about}
            metadata |= {f"{code}s": columns[code] for code in CODES}
            store = cls(
                **metadata,
                listed_split=columns["split"] if columns["split"].any() else None,
                path=path,
                header=header,
                info=info,
                frames=frames,
                columns=columns,
                all_tracks=tracks,
                all_intervals=intervals,
            )
            store._check()
            _ = store.hash, store.bad_files, store.header["source"]
        except Exception as error:  # whatever a damaged file leads to
            raise ValueError(f"{path}: damaged store: {type(error).__name__}: {error}") from error
        return store

    def _check(self) -> None:
        rows = len(self.frames)
        sizes = self.lengths * self.bodies
        expected_sizes = {
            "frames": (self.frames.shape, (rows, self.layout.num_joints, self.layout.channels)),
            "frames and tracks": (self.all_tracks.shape, (rows,)),
            "clips and header": (len(self), self.header["counts"]["clips"]),
            "rows and header": (rows, self.header["counts"]["rows"]),
            "clips and rows": (int(sizes.sum()), rows),
            "columns": ({len(column) for column in self.columns.values()}, {len(self)}),
        }
        for what, (found, expected) in expected_sizes.items():
            if found != expected:
                raise ValueError(f"sizes do not agree ({what}): found {found}, expected {expected}")
        if not np.array_equal(self.columns["offset"], np.cumsum(sizes) - sizes):
            raise ValueError("clips do not lie one after another")
        clip, label, start, stop = self.all_intervals.T
        inside = (clip >= 0) & (clip < len(self)) & (label >= 0) & (label < len(self.classes))
        if not (inside & (start >= 0) & (start < stop)).all() or (np.diff(clip) < 0).any():
            raise ValueError("intervals that are none")
        if (stop > self.lengths[clip]).any():
            raise ValueError("an interval that does not lie in its recording")

    def clip(self, index: int) -> NDArray[np.float32]:
        """Coordinates (T, M, V, C) of one clip, a read-only view of the file.

        Raises:
            ValueError: If they are not those that were written; they are compared with their hash once.
        """
        positions = self.unchecked_clip(index)
        if not self._sound[index]:
            if clip_digest(positions) != self.digests[index]:
                raise ValueError(
                    f"{self.path}: the coordinates of clip {index}, {str(self.names[index])!r}, are not "
                    "those that were written; "
                    f"import it again (`skel data validate {self.path}` lists all faults)"
                )
            self._sound[index] = True
        return positions

    @cached_property
    def _sound(self) -> NDArray[np.bool_]:
        """Whether a clip has been compared with its hash (N,)."""
        return np.zeros(len(self), bool)

    def check(self) -> None:
        """Compare the metadata and body ids with their hash, once; clips are compared when they are read.

        Raises:
            ValueError: If they are not those that were written.
        """
        if not self._metadata_sound:
            raise ValueError(
                f"{self.path}: the metadata or body ids are not those that were written: their hash differs; "
                "import it again"
            )

    @cached_property
    def _metadata_sound(self) -> bool:
        about = {key: value for key, value in self.header.items() if key not in _NOT_HASHED}
        columns = {name: self.columns[name] for name in COLUMNS}
        if self.header["version"] == UNTRIMMED:
            columns["intervals"] = self.all_intervals
        return content_hash(about, columns, self.all_tracks) == self.hash

    def unchecked_clip(self, index: int) -> NDArray[np.float32]:
        """The same as `clip` without a look at the hash."""
        rows, shape = self._row_slice(index)
        return self.frames[rows].reshape(*shape, *self.frames.shape[1:])

    def tracks(self, index: int) -> Ints:
        """Body ids (T, M) of one clip, 0 where there is no body."""
        rows, shape = self._row_slice(index)
        return self.all_tracks[rows].reshape(shape)

    def intervals(self, index: int) -> Ints:
        """Actions (K, 3) in one untrimmed recording: class, first frame, frame behind the last one."""
        first, last = np.searchsorted(self.all_intervals[:, 0], [index, index + 1])
        return self.all_intervals[first:last, 1:]

    @cached_property
    def annotated(self) -> NDArray[np.bool_]:
        """Whether a clip has a label, or intervals, or is known to have no action (N,)."""
        found: NDArray[np.bool_] = (self.labels >= 0) | (self.labels == NO_ACTION)
        found[self.all_intervals[:, 0]] = True
        return found

    def _row_slice(self, index: int) -> tuple[slice, tuple[int, int]]:
        offset, length, bodies = (int(self.columns[name][index]) for name in ("offset", "length", "bodies"))
        return slice(offset, offset + length * bodies), (length, bodies)

    @property
    def layout(self) -> SkeletonLayout:
        """The joints."""
        return self.info.layout

    @property
    def hash(self) -> str:
        """Hash of all that the store holds."""
        return str(self.header["hash"])

    @property
    def units(self) -> str:
        """Unit of the coordinates."""
        return self.info.units

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each class."""
        return self.info.classes

    @cached_property
    def bad_files(self) -> tuple[BadFile, ...]:
        """What could not be used when the store was written."""
        return tuple(BadFile(**bad) for bad in self.header["bad_files"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how the set was read, a sentence each."""
        return self.info.notes

    @property
    def lengths(self) -> Ints:
        """Frames of each clip (N,)."""
        return self.columns["length"]

    @property
    def rates(self) -> NDArray[np.float64]:
        """Frames a second of each clip (N,); 0 is unknown."""
        return self.columns["rate"]

    @property
    def bodies(self) -> Ints:
        """Body slots of each clip (N,)."""
        return self.columns["bodies"]

    @property
    def names(self) -> NDArray[np.str_]:
        """Name of each clip (N,)."""
        return self.columns["name"]

    @property
    def digests(self) -> NDArray[np.str_]:
        """Hash of each clip's coordinates (N,): equal for exact copies."""
        return self.columns["digest"]


def npz_array(table: ZipFile, name: str) -> NDArray[Any]:
    """An array of an ``.npz`` file; numpy itself opens each of them twice."""
    with table.open(f"{name}.npy") as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def clip_digest(positions: NDArray[np.float32]) -> str:
    """Hash of a clip's shape and coordinates."""
    digest = hashlib.blake2b(repr(positions.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(positions).data)
    return digest.hexdigest()


def content_hash(about: dict[str, Any], table: dict[str, NDArray[Any]], tracks: Ints) -> str:
    """Hash of the content: everything but the source's name and the bad files."""
    inner = hashlib.blake2b(digest_size=16)
    for start in range(0, len(tracks), 1 << 20):
        inner.update(np.ascontiguousarray(tracks[start : start + (1 << 20)], "<i8").data)
    content = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16)
    for name in (*COLUMNS, *(["intervals"] if "intervals" in table else [])):
        written = EARLIER.get(name, name) if about["version"] == 1 else name
        content.update(json.dumps([written, table[name].tolist()]).encode())
    content.update(inner.digest())
    return content.hexdigest()
