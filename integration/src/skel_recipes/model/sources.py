"""Recordings to predict: a store, a file or folder of any format, arrays or clips, in a model's joints."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from skel_data import (
    METRES,
    READERS,
    BadFile,
    Clip,
    Reader,
    SkeletonLayout,
    Store,
    convert,
    get_layout,
    import_dataset,
    in_units,
)
from skel_data import Source as Files

_LOGGER = logging.getLogger("skel_recipes")
Floats = NDArray[np.float32]
_MOST_BODIES = 10  # an array (T, M, V, C) of more is rather N recordings (T, V, C)
Recordings = Store | Clip | NDArray[Any] | str | Path | Sequence[Any]
"""What a model predicts: a store; a path of a store, a recording or a folder of recordings; an array
(T, V, C), (T, M, V, C) or (N, T, M, V, C); a clip; or a sequence of clips or of arrays."""


@define(frozen=True, eq=False)
class Taken:
    """Recordings in memory, or in the memory map of a store.

    Attributes:
        names: Name of each.
        positions: Coordinates (T, M, V, C) of each.
        tracks: Body ids (T, M) of each.
        layout: Their joints.
        bad: What could not be read.
        units: Units of the coordinates, where a store tells them.
    """

    names: list[str]
    positions: list[Floats]
    tracks: list[NDArray[np.int64]]
    layout: SkeletonLayout
    bad: list[BadFile] = field(factory=list)
    units: str = "unknown"

    def __len__(self) -> int:
        return len(self.names)


def take(
    source: Recordings,
    layout: SkeletonLayout,
    *,
    file_format: str | Reader | None = None,
    file_layout: SkeletonLayout | str | Path | None = None,
    convert_joints: bool = False,
    units: str = "unknown",
    **imported: Any,
) -> Taken:
    """The recordings of a source, in the joints of a layout.

    Files of a format are read as `skel_data.import_dataset` reads them: turned so that y points up, with
    missing joints told from joints at the origin.

    Args:
        source: The recordings.
        layout: The joints that are wanted; those of arrays and clips.
        file_format: The format of a file or folder, as `READERS` has them.
        file_layout: The joints of its files, where the format does not fix them.
        convert_joints: Bring recordings with other joints to those of the layout, by the names of the joints.
        units: The units that are wanted; recordings of a store are scaled to them where both are metric.
        imported: Arguments of `import_dataset` for files of a format, such as up, zeros, rate and fps; None
            for what the format says.

    Raises:
        FileNotFoundError: If there is nothing at a path.
        ValueError: If the format is not known or fits nothing there, or the joints differ.
    """
    given = {name: value for name, value in imported.items() if value is not None}
    if isinstance(source, str | Path):
        found = _at(Path(source), layout, file_format, file_layout, given)
    elif file_format is not None or file_layout is not None or given:
        raise ValueError(
            f"format, layout and settings of an import go with a path, not with {type(source).__name__}"
        )
    else:
        found = _in_memory(source, layout)
    if not len(found):
        raise ValueError(f"no recording in {source}" if isinstance(source, str | Path) else "no recording")
    return _in_units(_in_joints(found, layout, convert_joints), units)


def _at(
    path: Path, layout: SkeletonLayout, file_format: Any, file_layout: Any, imported: dict[str, Any]
) -> Taken:
    if not path.exists():
        raise FileNotFoundError(f"no store, file or folder at {path}")
    if file_format is not None or path.suffix == ".npz":
        return _of_files(file_format or "npz", path, layout, file_layout, imported)
    if imported:
        raise ValueError(f"{' and '.join(imported)}: these go with the files of a format, named by --format")
    if (path / "header.json").exists():
        if file_layout is not None:
            raise ValueError(f"{path} is a store, which names its joints: it takes no layout")
        return _of_store(Store.open(path))
    if path.suffix != ".npy":
        known = ", ".join(READERS)
        raise ValueError(f"{path} is neither a store nor .npy: name its format, one of {known}")
    try:
        joints = layout if file_layout is None else get_layout(file_layout)
        return _in_memory(np.load(path, allow_pickle=False), joints, path.stem)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error


def _of_files(
    file_format: str | Reader, path: Path, layout: SkeletonLayout, file_layout: Any, imported: dict[str, Any]
) -> Taken:
    """Recordings as an import stores them."""
    reader = READERS.lookup(file_format) if isinstance(file_format, str) else file_format
    if file_layout is None and reader.layout is None:
        try:
            reader.open(Files(path), None)
        except ValueError:  # the file does not name its joints: they are taken for the model's
            file_layout = layout
    with TemporaryDirectory(prefix="skel-", ignore_cleanup_errors=True) as folder:
        options: Any = {"layout": file_layout, "classes_from": "none", **imported}
        store = import_dataset(reader, path, Path(folder) / "store", **options)
        for note in store.notes:
            _LOGGER.warning("%s: %s", path, note)
        return evolve(_of_store(store, copy=True), bad=list(store.bad_files))


def _of_store(store: Store, *, copy: bool = False) -> Taken:
    rows = range(len(store))
    return Taken(
        store.names.tolist(),
        [np.array(store.clip(row)) if copy else store.clip(row) for row in rows],
        [np.array(store.tracks(row)) if copy else store.tracks(row) for row in rows],
        store.layout,
        units=store.units,
    )


def _of_clips(clips: Iterable[Clip | BadFile], layout: SkeletonLayout) -> Taken:
    found, shape = Taken([], [], [], layout), (layout.num_joints, layout.channels)
    for clip in clips:
        if isinstance(clip, BadFile):
            found.bad.append(clip)
        elif clip.positions.shape[2:] != shape:
            got = clip.positions.shape[2:]
            reason = f"joints x coordinates are {got}, layout {layout.name} has {shape}"
            found.bad.append(BadFile(clip.name, reason))
        else:
            found.names.append(clip.name)
            found.positions.append(clip.positions)
            found.tracks.append(slots(clip.positions) if clip.tracks is None else clip.tracks)
    return found


def slots(positions: Floats) -> NDArray[np.int64]:
    """Body ids (T, M) where each slot is one body, as a store keeps them: 0 where a slot is empty."""
    there = (np.isfinite(positions) & (positions != 0)).any((2, 3))
    return np.where(there, np.arange(1, positions.shape[1] + 1), 0).astype(np.int64)


def _in_memory(source: Any, layout: SkeletonLayout, name: str = "") -> Taken:
    if isinstance(source, Store):
        return _of_store(source)
    if isinstance(source, Clip):
        source = [source]
    if isinstance(source, np.ndarray):
        if source.ndim == 4 and source.shape[1] > _MOST_BODIES:
            raise ValueError(
                f"an array {source.shape} is one recording (T, M, V, C) of {source.shape[1]} bodies, more "
                f"than {_MOST_BODIES}: give recordings of one body as a list, or as (N, T, 1, V, C)"
            )
        source = list(source) if source.ndim == 5 else [source]
    source = list(source)
    digits = len(str(len(source) - 1))
    named = [f"{name}-{row:0{digits}}" if len(source) > 1 else name or "0" for row in range(len(source))]
    pairs = zip(source, named, strict=True)
    clips = [one if isinstance(one, Clip) else _clip(one, layout, label) for one, label in pairs]
    found = _of_clips(clips, layout)
    if found.bad:
        raise ValueError(f"recording {found.bad[0].name}: {found.bad[0].reason}")
    return found


def _clip(array: Any, layout: SkeletonLayout, name: str) -> Clip:
    array = np.asarray(array)
    expected = f"(T, V, C) or (T, M, V, C) with (V, C) = {(layout.num_joints, layout.channels)}"
    if array.dtype.kind not in "fiu" or array.ndim not in (3, 4) or 0 in array.shape:
        raise ValueError(f"a recording must be numbers {expected}, got {array.dtype} {array.shape}")
    if array.shape[-2:] != (layout.num_joints, layout.channels):
        raise ValueError(f"a recording must be {expected}, the joints of {layout.name}, got {array.shape}")
    return Clip(array if array.ndim == 4 else array[:, None], name.removeprefix("-"))


def _in_joints(found: Taken, layout: SkeletonLayout, allowed: bool) -> Taken:
    ours, theirs = layout, found.layout
    if (ours.joints, ours.channels) == (theirs.joints, theirs.channels):
        return found
    if not allowed:
        raise ValueError(
            f"the model takes layout {ours.name!r} ({ours.num_joints} joints, {ours.channels} channels), the "
            f"source has {theirs.name!r} ({theirs.num_joints} joints, {theirs.channels} channels); --convert "
            "brings them together"
        )
    depth = ours.dims < theirs.dims
    made = [convert(one, theirs, ours, drop_depth=depth) for one in found.positions]
    return evolve(found, positions=made, layout=layout)


def _in_units(found: Taken, units: str) -> Taken:
    if found.units == units or not {found.units, units} <= METRES.keys():
        return found
    _LOGGER.warning("recordings are in %s, the model takes %s: they are scaled", found.units, units)
    dims = found.layout.dims
    return evolve(
        found, positions=[in_units(one, dims, found.units, units) for one in found.positions], units=units
    )


def windows_of(found: Taken, length: int, step: int) -> Iterator[tuple[int, int, int]]:
    """Row, first frame, and the frame behind the last one, of the windows over each recording.

    A recording shorter than the window is one window. The last window ends with the recording's last frame.
    """
    for row, positions in enumerate(found.positions):
        frames = len(positions)
        last = max(frames - length, 0)
        for start in (*range(0, last, step), last):
            yield row, start, min(start + length, frames)
