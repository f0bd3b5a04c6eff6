"""The store: all clips of a data set in one folder, memory-mapped, written once.

A store holds ``header.json`` (what it is), ``frames.npy`` (every frame of every body of every clip,
back to back, so nothing is padded), ``tracks.npy`` (the body id of each of these rows) and
``clips.npz`` (one row of facts per clip). Clip `i` is the rows `offset[i] : offset[i] + length[i] *
bodies[i]`.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._partial import partial_folder

FORMAT = "skel-store"
VERSION = 1
LARGEST = 1e9
"""A coordinate beyond this is damage in any unit, and would overflow sums of squares."""

_FACTS = ("label", "subject", "view", "setup", "replication")
_COLUMNS = ("name", "offset", "length", "bodies", *_FACTS, "split", "digest")

Ints = NDArray[np.int64]


@define(frozen=True, eq=False, slots=False)
class Store:
    """An opened store; `Store.open` makes one.

    Attributes:
        path: Its folder.
        header: The content of ``header.json``.
        layout: The joints.
        frames: Coordinates (rows, V, C), float32, memory-mapped.
        columns: The facts, one array of N per name.
    """

    path: Path
    header: dict[str, Any]
    layout: SkeletonLayout
    frames: NDArray[np.float32]
    columns: dict[str, NDArray[Any]]
    _tracks: Ints

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
        try:
            header = json.loads((path / "header.json").read_text(encoding="utf-8"))
            is_store = header.get("format") == FORMAT
        except (OSError, ValueError, AttributeError):
            is_store = False
        if not is_store:
            raise ValueError(f"{path} is not a store: it has no header.json with format {FORMAT!r}")
        if not isinstance(header.get("version"), int) or not 1 <= header["version"] <= VERSION:
            raise ValueError(
                f"{path}: store of version {header.get('version')}; this skel-data reads up to {VERSION}"
            )
        try:
            layout = SkeletonLayout.from_dict(header["layout"])
            frames = np.load(path / "frames.npy", mmap_mode="r", allow_pickle=False)
            tracks = np.load(path / "tracks.npy", mmap_mode="r", allow_pickle=False)
            with (path / "clips.npz").open("rb") as file, np.load(file, allow_pickle=False) as table:
                columns = {name: table[name] for name in _COLUMNS}
            store = cls(path, header, layout, frames, columns, tracks)
            store._check()
        except Exception as error:  # whatever a damaged file leads to
            raise ValueError(f"{path}: damaged store: {type(error).__name__}: {error}") from error
        return store

    def _check(self) -> None:
        rows = len(self.frames)
        sizes = self.lengths * self.bodies
        wanted = {
            "frames": (self.frames.shape, (rows, self.layout.num_joints, self.layout.channels)),
            "frames and tracks": (self._tracks.shape, (rows,)),
            "clips and header": (len(self), self.header["counts"]["clips"]),
            "rows and header": (rows, self.header["counts"]["rows"]),
            "clips and rows": (int(sizes.sum()), rows),
            "columns": ({len(column) for column in self.columns.values()}, {len(self)}),
        }
        for what, (found, expected) in wanted.items():
            if found != expected:
                raise ValueError(f"sizes do not agree ({what}): found {found}, expected {expected}")
        if not np.array_equal(self.columns["offset"], np.cumsum(sizes) - sizes):
            raise ValueError("clips do not lie one after another")

    def __len__(self) -> int:
        return len(self.columns["length"])

    def clip(self, index: int) -> NDArray[np.float32]:
        """Coordinates (T, M, V, C) of one clip, a read-only view of the file."""
        rows, shape = self._place(index)
        return self.frames[rows].reshape(*shape, *self.frames.shape[1:])

    def tracks(self, index: int) -> Ints:
        """Body ids (T, M) of one clip, 0 where there is no body."""
        rows, shape = self._place(index)
        return self._tracks[rows].reshape(shape)

    def _place(self, index: int) -> tuple[slice, tuple[int, int]]:
        offset, length, bodies = (int(self.columns[name][index]) for name in ("offset", "length", "bodies"))
        return slice(offset, offset + length * bodies), (length, bodies)

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.header["dataset"])

    @property
    def hash(self) -> str:
        """Hash of all that the store holds."""
        return str(self.header["hash"])

    @property
    def units(self) -> str:
        """Unit of the coordinates."""
        return str(self.header["units"])

    @property
    def default_split(self) -> str | None:
        """Split that `get_split` takes when none is named."""
        name = self.header["default_split"]
        return None if name is None else str(name)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Name of each class."""
        return tuple(self.header["classes"])

    @cached_property
    def subject_names(self) -> tuple[str, ...]:
        """Names behind the subject codes; empty where the set numbers its subjects."""
        return tuple(self.header["subject_names"])

    @cached_property
    def view_names(self) -> tuple[str, ...]:
        """Names behind the view codes; empty where the set numbers its views."""
        return tuple(self.header["view_names"])

    @cached_property
    def bad_files(self) -> tuple[BadFile, ...]:
        """What could not be used when the store was written."""
        return tuple(BadFile(bad["name"], bad["reason"]) for bad in self.header["bad_files"])

    @property
    def lengths(self) -> Ints:
        """Frames of each clip (N,)."""
        return self.columns["length"]

    @property
    def bodies(self) -> Ints:
        """Body slots of each clip (N,)."""
        return self.columns["bodies"]

    @property
    def labels(self) -> Ints:
        """Class of each clip (N,), -1 where unknown."""
        return self.columns["label"]

    @property
    def subjects(self) -> Ints:
        """Subject of each clip (N,), -1 where unknown."""
        return self.columns["subject"]

    @property
    def views(self) -> Ints:
        """View of each clip (N,), -1 where unknown."""
        return self.columns["view"]

    @property
    def setups(self) -> Ints:
        """Setup of each clip (N,), -1 where unknown."""
        return self.columns["setup"]

    @property
    def replications(self) -> Ints:
        """Replication of each clip (N,), -1 where unknown."""
        return self.columns["replication"]

    @property
    def names(self) -> NDArray[np.str_]:
        """Name of each clip (N,)."""
        return self.columns["name"]

    @property
    def digests(self) -> NDArray[np.str_]:
        """Hash of each clip's coordinates (N,): equal for exact copies."""
        return self.columns["digest"]

    @property
    def listed_split(self) -> Ints | None:
        """Splits listed by the set itself (N, K): 0 unknown, 1 train, 2 test. None where there are none."""
        listed = self.columns["split"]
        return listed if listed.any() else None


def write_store(
    path: str | Path,
    clips: Iterable[Clip | BadFile],
    *,
    layout: SkeletonLayout,
    classes: Iterable[str],
    dataset: str,
    units: str,
    source: str,
    default_split: str | None = None,
    subject_names: Iterable[str] = (),
    view_names: Iterable[str] = (),
    overwrite: bool = False,
    strict: bool = False,
) -> Store:
    """Write clips to a new store, one at a time, all or nothing.

    The folder appears under its name only when it is complete: an error or a kill leaves none.

    Args:
        path: Folder to make.
        clips: The clips, and what could not be read, which is kept in the header.
        layout: The joints of every clip.
        classes: Name of each class.
        dataset: Name of the data set; official splits go by it.
        units: Unit of the coordinates.
        source: Where the clips come from, for the header.
        default_split: Split that `get_split` takes when none is named.
        subject_names: Names behind the subject codes.
        view_names: Names behind the view codes.
        overwrite: Replace the store at `path`, if there is one.
        strict: Make any bad file or clip an error.

    Raises:
        FileExistsError: If `path` exists and may not be replaced: without `overwrite`, or as it is no store.
        ValueError: If no clip is good, or with `strict` one is bad.
    """
    path = Path(path)
    if path.exists() or path.is_symlink():
        if not overwrite:
            raise FileExistsError(f"{path} exists already")
        try:
            Store.open(path)
        except ValueError as error:
            raise FileExistsError(f"{path} is not overwritten, as it is not a store: {error}") from error
    classes = tuple(classes)
    with partial_folder(path, overwrite=overwrite) as folder:
        rows = _Rows(folder, layout)
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        bad: list[BadFile] = []
        with rows:
            for clip in clips:
                if isinstance(clip, Clip):
                    reason = _problem(clip, layout, len(classes), columns["split"])
                    if reason is None:
                        _append(columns, clip, rows)
                        continue
                    clip = BadFile(clip.name, reason)
                if strict:
                    raise ValueError(f"{clip.name}: {clip.reason}")
                bad.append(clip)
        if not columns["name"]:
            first = "".join(f"\n  {item.name}: {item.reason}" for item in bad[:5])
            raise ValueError(f"no usable clip in {source}; {len(bad)} bad files{first}")
        table = {name: np.asarray(values) for name, values in columns.items()}
        facts: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "dataset": dataset,
            "layout": layout.to_dict(),
            "dims": layout.dims,
            "units": units,
            "classes": list(classes),
            "subject_names": list(subject_names),
            "view_names": list(view_names),
            "default_split": default_split,
        }
        header = {
            **facts,
            "counts": {"clips": len(columns["name"]), "rows": rows.count, "bad_files": len(bad)},
            "hash": _hash(facts, table, rows.tracks_hash.digest()),
            "source": source,
            "bad_files": [{"name": item.name, "reason": item.reason} for item in bad],
        }
        with (folder / "clips.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **table)
            _sync(file)
        with (folder / "header.json").open("w", encoding="utf-8") as file:
            json.dump(header, file, indent=1)
            _sync(file)
    return Store.open(path)


def _problem(clip: Clip, layout: SkeletonLayout, classes: int, splits: list[Any]) -> str | None:
    """Why the clip cannot be stored, or None."""
    shape = clip.positions.shape[2:]
    if shape != (layout.num_joints, layout.channels):
        expected = (layout.num_joints, layout.channels)
        return f"joints x coordinates are {shape}, layout {layout.name} has {expected}"
    if not -1 <= clip.label < classes:
        return f"label {clip.label}, but there are {classes} classes"
    if splits and len(splits[0]) != len(_listed(clip)):
        return f"{len(_listed(clip))} listed splits, the clips before have {len(splits[0])}"
    if not set(_listed(clip)) <= {0, 1, 2}:
        return f"split {_listed(clip)}, expected 0 (unknown), 1 (train) or 2 (test)"
    magnitude = np.abs(clip.positions)
    if (magnitude > LARGEST).any():
        return f"a coordinate of {magnitude[magnitude > LARGEST][0]:g}"
    coordinates = magnitude[..., : layout.dims]
    if not (np.isfinite(coordinates).all(-1) & (coordinates > 0).any(-1)).any():
        return "no joint in any frame (all missing, NaN or zero)"
    return None


def _listed(clip: Clip) -> tuple[int, ...]:
    return clip.split if isinstance(clip.split, tuple) else (clip.split,)


def _append(columns: dict[str, list[Any]], clip: Clip, rows: "_Rows") -> None:
    positions = clip.positions
    frames, bodies = positions.shape[:2]
    tracks = clip.tracks
    if tracks is None:
        slots = np.arange(1, bodies + 1)
        tracks = np.where((np.isfinite(positions) & (positions != 0)).any((2, 3)), slots, 0).astype(np.int64)
    digest = hashlib.blake2b(repr(positions.shape).encode(), digest_size=8)
    digest.update(positions.data)
    values = {
        "name": clip.name,
        "offset": rows.count,
        "length": frames,
        "bodies": bodies,
        **{fact: int(getattr(clip, fact)) for fact in _FACTS},
        "split": _listed(clip),
        "digest": digest.hexdigest(),
    }
    rows.add(positions, tracks)
    for name, value in values.items():
        columns[name].append(value)


class _Rows:
    """The two row files while they grow: `.npy` files whose header is written at the end."""

    def __init__(self, folder: Path, layout: SkeletonLayout) -> None:
        self.joint_shape = (layout.num_joints, layout.channels)
        self.count = 0
        self.tracks_hash = hashlib.blake2b(digest_size=16)
        self._frames = (folder / "frames.npy").open("wb")
        self._tracks = (folder / "tracks.npy").open("wb")

    def __enter__(self) -> None:
        self._write_headers()

    def add(self, positions: NDArray[np.float32], tracks: Ints) -> None:
        little = tracks.astype("<i8", copy=False)
        self._frames.write(positions.astype("<f4", copy=False).data)
        self._tracks.write(little.data)
        self.tracks_hash.update(little.data)
        self.count += tracks.size

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._write_headers()
                _sync(self._frames)
                _sync(self._tracks)
        finally:
            self._frames.close()
            self._tracks.close()

    def _write_headers(self) -> None:
        for file, descr, shape in (
            (self._frames, "<f4", (self.count, *self.joint_shape)),
            (self._tracks, "<i8", (self.count,)),
        ):
            text = repr({"descr": descr, "fortran_order": False, "shape": shape})
            file.seek(0)  # a header of fixed size, 128 bytes, so that it can be written again
            file.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n")


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _hash(facts: dict[str, Any], table: dict[str, NDArray[Any]], tracks: bytes) -> str:
    """Hash of the content: everything but the source's name and the bad files."""
    content = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    for name in _COLUMNS:
        content.update(json.dumps([name, table[name].tolist()]).encode())
    content.update(tracks)
    return content.hexdigest()
