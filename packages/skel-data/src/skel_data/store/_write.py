"""Writing a store, one clip at a time, all or nothing."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from attrs import asdict, astuple

from skel_data._clip import NO_ACTION, BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._words import counted
from skel_data.files import partial_folder, write_file
from skel_data.store._info import DatasetInfo
from skel_data.store._rows import RowFiles
from skel_data.store._store import (
    CODES,
    COLUMNS,
    FORMAT,
    UNTRIMMED,
    VERSION,
    Store,
    clip_digest,
    content_hash,
)

LARGEST = 1e9
"""A coordinate beyond this is damage in any unit, and would overflow sums of squares."""


def write_store(
    path: str | Path,
    clips: Iterable[Clip | BadFile],
    info: DatasetInfo,
    *,
    source: str,
    overwrite: bool = False,
    strict: bool = False,
) -> Store:
    """Write clips to a new store, one at a time, all or nothing.

    The folder appears under its name only when it is complete: an error or a kill leaves none.

    Args:
        path: Folder to make.
        clips: The clips, and what could not be read, which is kept in the header.
        info: Metadata of the data set.
        source: Where the clips come from, for the header.
        overwrite: Replace the store at `path`, if there is one.
        strict: Make any bad file or clip an error, but for those that the data set itself lists.

    Raises:
        FileExistsError: If `path` exists and may not be replaced: without `overwrite`, or as it is no store.
        ValueError: If no clip is good, or with `strict` one is bad.
    """
    with new_store(Path(path), overwrite=overwrite) as folder, StoreWriter(folder, info, strict) as writer:
        for clip in clips:
            writer.add(clip)
        writer.finish(source)
    return Store.open(path)


@contextmanager
def new_store(path: Path, *, overwrite: bool, keep: bool = False) -> Iterator[Path]:
    """The folder to write a store to; see `partial_folder`.

    A folder that is no store is never replaced, nor one that holds anything that is not the store's.
    """
    if path.is_symlink() and not path.exists():
        raise FileExistsError(f"{path} is a link to {path.readlink()}, which is not there")
    if path.exists():
        if not overwrite:
            raise FileExistsError(f"{path} exists already")
        try:
            Store.open(path)
        except ValueError as error:
            raise FileExistsError(f"{path} is not overwritten, as it is not a store: {error}") from error
        if foreign := foreign_files(path):
            raise FileExistsError(
                f"{path} is not overwritten, as it holds files that are not the store's: "
                f"{', '.join(foreign[:5])}; move them away"
            )
    with partial_folder(path, overwrite=overwrite, keep=keep) as folder:
        yield folder


def foreign_files(path: Path) -> list[str]:
    """What a store's folder holds that no store wrote, relative to it."""
    own = {"header.json", "frames.npy", "tracks.npy", "clips.npz", "cache", "cache/baselines"}
    found = []
    for entry in sorted(path.rglob("*")):
        name = entry.relative_to(path).as_posix()
        parent = entry.parent.relative_to(path).as_posix()
        kept = {"cache": (".npy",), "cache/baselines": (".json", ".npz", ".digest")}.get(parent, ())
        hidden = entry.name.startswith(".") and (".partial-" in entry.name or entry.suffix == ".lock")
        if entry.is_symlink() or not (name in own or entry.name.endswith(kept or "/") or hidden):
            found.append(name)
    return found


class StoreWriter:
    """A store's folder while it is filled.

    Args:
        folder: Where to write; empty, or with what a writer with a journal left there.
        info: Metadata of the data set.
        strict: Make any bad file or clip an error, but for those that the data set itself lists.
        journal: What tells one import from another. Given, every step is noted in the folder, so that a
            writer with the same journal goes on from there.

    Attributes:
        done: Names of the steps that were noted before.

    Raises:
        ValueError: If the folder holds the beginning of another import, or with `strict` a bad file.
    """

    def __init__(
        self, folder: Path, info: DatasetInfo, strict: bool = False, journal: dict[str, Any] | None = None
    ) -> None:
        self._folder, self._info, self._strict = folder, info, strict
        about = {"format": FORMAT, "version": VERSION, **info.to_header()}
        self._notes = list(about.pop("notes", ()))  # no part of the content
        self._about = about
        self._columns: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, "rate", "intervals")}
        self._bad: list[BadFile] = []
        self.done: list[str] = []
        self._journal = None
        self._noted = (0, 0)
        self._import = None if journal is None else {k: v for k, v in journal.items() if k != "source"}
        if journal is not None:
            self._journal = self._go_on(folder / "journal.jsonl", {"import": journal, "about": self._about})
        self._steps = list(self.done)
        self._rows = RowFiles(folder, info.layout, self._count())

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        if self._journal is not None:
            self._journal.close()

    def __len__(self) -> int:
        """Good clips so far."""
        return len(self._columns["name"])

    @property
    def without_rate(self) -> int:
        """Good clips so far whose frame rate is not known."""
        return self._columns["rate"].count(0.0)

    def _count(self) -> int:
        return sum(a * b for a, b in zip(self._columns["length"], self._columns["bodies"], strict=True))

    def add(self, clip: Clip | BadFile) -> None:
        """Add a clip, or keep the reason why it cannot be used; raise it where that is not allowed."""
        if isinstance(clip, Clip):
            listed = self._columns["split"]
            reason = _problem(clip, self._info.layout, len(self._info.classes), listed)
            if reason is None:
                _append(self._columns, clip, self._rows)
                return
            clip = BadFile(clip.name, reason)
        self._refuse(clip)
        self._bad.append(clip)

    def _refuse(self, bad: BadFile) -> None:
        if self._strict and not bad.listed:
            raise ValueError(f"{bad.name}: {bad.reason}")

    def note(self, step: str) -> None:
        """Note in the journal, if there is one, that what was added since the last note is `step`."""
        if self._journal is None:
            return
        clips, bad = self._noted
        self._rows.flush()
        line = {
            "step": step,
            "columns": {name: values[clips:] for name, values in self._columns.items()},
            "bad": [astuple(item) for item in self._bad[bad:]],
        }
        self._journal.write(json.dumps(line) + "\n")
        self._journal.flush()
        self._noted = len(self), len(self._bad)
        self._steps.append(step)

    def _go_on(self, path: Path, first: dict[str, Any]) -> Any:
        """Take over what the journal says was done; it is opened to be added to."""
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        lines = [line for line in lines if line.endswith("\n")]  # the last may have been cut off
        if lines and json.loads(lines[0]) != json.loads(json.dumps(first)):
            raise ValueError(
                f"{path.parent} holds the beginning of another import; remove it, or import without resume"
            )
        rows = path.parent / "frames.npy"
        held = RowFiles.held(rows, self._info.layout) if rows.exists() else 0
        kept = lines[:1] or [json.dumps(first) + "\n"]
        for text in lines[1:]:
            line = json.loads(text)
            columns = line["columns"]
            need = sum(a * b for a, b in zip(columns["length"], columns["bodies"], strict=True))
            if self._count() + need > held:  # noted, but the rows did not reach the disk
                break
            for name, values in columns.items():
                self._columns[name] += [tuple(v) for v in values] if name == "split" else values
            for later, nothing in (("rate", 0.0), ("intervals", [])):
                if later not in columns:  # noted by an earlier version
                    self._columns[later] += [nothing] * len(columns["name"])
            bad = [BadFile(*item) for item in line["bad"]]
            for item in bad:
                self._refuse(item)
            self._bad += bad
            self.done.append(line["step"])
            kept.append(text)
        self._noted = len(self), len(self._bad)
        file = path.open("w", encoding="utf-8")
        file.writelines(kept)
        file.flush()
        return file

    def tell(self, note: str) -> None:
        """Keep what a user should know of the set in the header."""
        self._notes.append(note)

    def finish(self, source: str) -> None:
        """Complete the folder; a store has at least one clip."""
        if not len(self):
            first = "".join(f"\n  {item.name}: {item.reason}" for item in self._bad[:5])
            raise ValueError(f"no usable clip in {source}; {counted(len(self._bad), 'bad file')}{first}")
        intervals = self._columns.pop("intervals")
        table = {name: np.asarray(values) for name, values in self._columns.items()}
        if not table["rate"].any():
            del table["rate"]
        if actions := [[clip, *action] for clip, own in enumerate(intervals) for action in own]:
            table["intervals"] = np.array(actions, np.int64)
            self._about["version"] = UNTRIMMED
        self._rows.finish()
        header = {
            **self._about,
            "counts": {"clips": len(self), "rows": self._rows.count, "bad_files": len(self._bad)},
            "hash": content_hash(self._about, table, self._rows.tracks()),
            "source": source,
            **({"notes": self._notes} if self._notes else {}),
            **({} if self._import is None else {"import": self._import | steps_digest(self._steps)}),
            "bad_files": [asdict(item) for item in self._bad],
        }
        archive = BytesIO()  # in a file, each of the array's headers would be a seek or two
        np.savez(archive, allow_pickle=False, **table)
        with write_file(self._folder / "clips.npz", inside=True) as file:
            file.write(archive.getbuffer())
        with write_file(self._folder / "header.json", inside=True) as file:
            lines = ",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in header.items())
            file.write(f"{{\n {lines}\n}}\n".encode())
        if self._journal is not None:
            self._journal.close()
            (self._folder / "journal.jsonl").unlink()


def steps_digest(steps: Iterable[str]) -> dict[str, Any]:
    """What tells the steps of one import from those of another: their number and a digest of their names."""
    digest, number = blake2b(digest_size=16), 0
    for number, step in enumerate(steps, 1):  # noqa: B007 (counted)
        digest.update(step.encode(errors="surrogatepass") + b"\0")
    return {"steps": number, "digest": digest.hexdigest()}


def _problem(clip: Clip, layout: SkeletonLayout, classes: int, splits: list[Any]) -> str | None:
    """Why the clip cannot be stored, or None."""
    shape = clip.positions.shape[2:]
    if shape != (layout.num_joints, layout.channels):
        expected = (layout.num_joints, layout.channels)
        return f"joints x coordinates are {shape}, layout {layout.name} has {expected}"
    if not NO_ACTION <= clip.label < classes:
        return f"label {clip.label}, but there are {counted(classes, 'class')}"
    for label, *_ in clip.intervals.tolist():
        if not 0 <= label < classes:
            return f"an action of class {label}, but there are {counted(classes, 'class')}"
    listed = _listed(clip)
    if splits and len(splits[0]) != len(listed):
        return f"{counted(len(listed), 'listed split')}, the clips before have {len(splits[0])}"
    if not {0, 1, 2}.issuperset(listed):
        return f"split {listed}, expected 0 (unknown), 1 (train) or 2 (test)"
    magnitude = np.abs(clip.positions)
    if 0 < magnitude.max() <= LARGEST and (not layout.confidence or magnitude[..., : layout.dims].any()):
        return None  # nearly all clips
    if (magnitude > LARGEST).any():
        return f"a coordinate of {magnitude[magnitude > LARGEST][0]:g}"
    coordinates = magnitude[..., : layout.dims]
    if np.isfinite(coordinates).all() and coordinates.any():
        return None  # nearly all clips; sums over the last axis, which is short, take ten times as long
    if not (np.isfinite(coordinates).all(-1) & (coordinates != 0).any(-1)).any():
        return "no joint in any frame (all missing, NaN or zero)"
    return None


def _listed(clip: Clip) -> tuple[int, ...]:
    return clip.split if isinstance(clip.split, tuple) else (clip.split,)


def _append(columns: dict[str, list[Any]], clip: Clip, rows: RowFiles) -> None:
    positions = clip.positions
    frames, bodies = positions.shape[:2]
    tracks = clip.tracks
    if tracks is None:
        tracks = np.empty((frames, bodies), np.int64)
        tracks[:] = np.arange(1, bodies + 1)
        if not (first := positions[..., 0, 0]).all() or not np.isfinite(first).all():  # else all are there
            tracks[~(np.isfinite(positions) & (positions != 0)).any((2, 3))] = 0
    values = {
        "name": clip.name,
        "offset": rows.count,
        "length": frames,
        "bodies": bodies,
        **{code: int(getattr(clip, code)) for code in CODES},
        "split": _listed(clip),
        "digest": clip_digest(positions),
        "rate": round(float(clip.rate), 4),
        "intervals": sorted(clip.intervals.tolist(), key=itemgetter(1)),
    }
    rows.add(positions, tracks)
    for name, value in values.items():
        columns[name].append(value)
