"""Import of a data set into a store."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

from attrs import evolve

from skel_data._clip import BadFile
from skel_data._layout import SkeletonLayout, get_layout
from skel_data.readers._parallel import Done, do_all
from skel_data.readers._reader import Reader, Work
from skel_data.readers._registry import READERS
from skel_data.readers._source import Source, is_archive
from skel_data.store._info import UNNAMED
from skel_data.store._store import Store
from skel_data.store._write import StoreWriter, new_store


def import_dataset(
    format: str | Reader,  # noqa: A002
    source: str | Path,
    store_path: str | Path,
    *,
    layout: SkeletonLayout | str | Path | None = None,
    units: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    resume: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Store:
    """Import a data set into a store.

    A bad file never stops the import and never costs a good one: it is kept in `Store.bad_files` with
    the reason.

    Args:
        format: Name of a reader in `READERS`, or a reader of your own.
        source: Folder, archive or file.
        store_path: Folder to make.
        layout: The joints, where the format does not fix them: a layout, the name of a preset, or a
            TOML file.
        units: Unit of the coordinates, where the format does not fix it.
        limit: Stop after this many clips.
        strict: Make any bad file an error, but for those that the data set itself lists as bad.
        overwrite: Replace the store at `store_path`, if there is one.
        workers: Processes that read. With more than one, a script must guard its own calls by
            ``if __name__ == "__main__"``, as these processes import it. The store is the same.
        resume: Keep what was read when the import is interrupted, in a hidden folder beside the store, and
            go on from what an earlier call with `resume` has kept there.
        progress: Called with the number of clips and bad files so far, after each.

    Raises:
        ValueError: If there is no such format, no usable clip, the layout does not fit, or with
            `strict` a file is bad; or with `resume` if what was kept is of another import or above `limit`.
        FileNotFoundError: If there is nothing at `source`.
        FileExistsError: If `store_path` exists and may not be replaced.
        ImportError: If the format needs an extra that is not installed.
        ChildProcessError: If one of the `workers` died.
    """
    for what, number in (("limit", limit), ("workers", workers)):
        if number is not None and number < 1:
            raise ValueError(f"{what} must be at least 1, got {number}")
    reader = READERS.lookup(format) if isinstance(format, str) else format
    files = Source(source)
    info, found = reader.open(
        files, layout if layout is None or isinstance(layout, SkeletonLayout) else get_layout(layout)
    )
    first = next(found, None)
    if first is None:
        hint = _archives(files.path)
        raise ValueError(f"{files.name}: no {reader.suffix} file for format {reader.name} in it{hint}")
    info = evolve(
        info,
        dataset=reader.dataset
        or (PurePosixPath(files.name).stem if info.dataset == UNNAMED else info.dataset),
        units=units or info.units,
        default_split=reader.default_split,
    )
    journal = {"format": reader.name, "source": str(files.path.resolve())} if resume else None
    with (
        new_store(Path(store_path), overwrite=overwrite, keep=resume) as folder,
        StoreWriter(folder, info, strict, journal) as writer,
    ):
        if limit is not None and len(writer) > limit:
            raise ValueError(f"{len(writer)} clips were read before, above the limit; import without resume")
        rest = _pass_over(writer.done, chain([first], found))
        _write(writer, do_all(rest, workers), limit, progress)
        writer.finish(files.name)
    return Store.open(store_path)


def _archives(folder: Path) -> str:
    """A hint if all that a folder holds is an archive or two, which are read one at a time."""
    names = sorted(path.name for path in folder.iterdir() if is_archive(path)) if folder.is_dir() else []
    return f"; it holds {', '.join(names[:5])}, which can be imported itself" if names else ""


def _pass_over(done: list[str], found: Iterator[Work | BadFile]) -> Iterator[Work | BadFile]:
    """The work that is not done yet; the source must begin with what was done."""
    for name in done:
        here = next(found, None)
        if here is None or here.name != name:
            raise ValueError(
                f"the source has changed since the import began: {name!r} was read where "
                f"{here.name if here else 'nothing'!r} is now; import without resume"
            )
    return found


def _write(
    writer: StoreWriter, done: Iterator[Done], limit: int | None, progress: Callable[[int], None] | None
) -> None:
    count = 0
    for name, clips in done:
        for clip in clips:
            if limit is not None and len(writer) >= limit:
                return
            writer.add(clip)
            count += 1
            if progress is not None:
                progress(count)
        writer.note(name)
        if limit is not None and len(writer) >= limit:
            return
