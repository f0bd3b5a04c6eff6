"""Writing a store, one clip at a time, all or nothing."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._partial import partial_folder
from skel_data._store import COLUMNS, FACTS, FORMAT, VERSION, Ints, Store

LARGEST = 1e9
"""A coordinate beyond this is damage in any unit, and would overflow sums of squares."""


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
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
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
        **{fact: int(getattr(clip, fact)) for fact in FACTS},
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
    for name in COLUMNS:
        content.update(json.dumps([name, table[name].tolist()]).encode())
    content.update(tracks)
    return content.hexdigest()
