"""From a source of a known format to a store."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._source import Source
from skel_data._store import Store
from skel_data._write import write_store
from skel_data.readers import READERS, Facts, Reader


def import_dataset(
    format: str,  # noqa: A002
    source: str | Path,
    store_path: str | Path,
    *,
    layout: SkeletonLayout | str | Path | None = None,
    units: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Store:
    """Read a data set and write it to a store.

    A bad file never stops the import and never costs a good one: it is kept in `Store.bad_files` with
    the reason.

    Args:
        format: One of `READERS`.
        source: Folder, archive or file.
        store_path: Folder to make.
        layout: The joints, where the format does not fix them: a layout, the name of a preset, or a
            TOML file.
        units: Unit of the coordinates, where the format does not fix it.
        limit: Stop after this many clips.
        strict: Make any bad file an error.
        overwrite: Replace the store at `store_path`, if there is one.
        progress: Called with the number of clips and bad files so far, after each.

    Raises:
        ValueError: If there is no such format, no usable clip, the layout does not fit, or with
            `strict` a file is bad.
        FileNotFoundError: If there is nothing at `source`.
        FileExistsError: If `store_path` exists and may not be replaced.
        ImportError: If the format needs an extra that is not installed.
    """
    if format not in READERS:
        raise ValueError(f"no format {format!r}; there are {', '.join(READERS)}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    reader = READERS[format]
    files = Source(source)
    facts = _facts(
        reader, files, layout if layout is None or isinstance(layout, SkeletonLayout) else get_layout(layout)
    )
    clips = reader.read(files)
    first = next(clips, None)
    if first is None:
        raise ValueError(f"{files.name}: no {reader.suffix} file for format {reader.name} in it")
    return write_store(
        store_path,
        _watched(chain([first], clips), limit, progress),
        layout=facts.layout,
        classes=facts.classes,
        dataset=reader.dataset or PurePosixPath(files.name).stem,
        units=units or facts.units,
        source=files.name,
        default_split=reader.default_split,
        subject_names=facts.subject_names,
        view_names=facts.view_names,
        overwrite=overwrite,
        strict=strict,
    )


def _facts(reader: Reader, source: Source, layout: SkeletonLayout | None) -> Facts:
    if reader.describe is not None:
        return reader.describe(source, layout)
    usual = get_layout(str(reader.layout))
    if layout is not None and (layout.num_joints, layout.channels) != (usual.num_joints, usual.channels):
        raise ValueError(
            f"layout {layout.name} has {layout.num_joints} joints x {layout.channels} channels, "
            f"format {reader.name} has {usual.num_joints} x {usual.channels}"
        )
    return Facts(layout or usual, reader.classes, reader.units)


def _watched(
    clips: Iterator[Clip | BadFile], limit: int | None, progress: Callable[[int], None] | None
) -> Iterator[Clip | BadFile]:
    good = 0
    for count, clip in enumerate(clips, 1):
        yield clip
        if progress is not None:
            progress(count)
        good += isinstance(clip, Clip)
        if limit is not None and good >= limit:
            return
