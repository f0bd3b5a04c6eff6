"""Import of a data set into a store."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from attrs import evolve

from skel_data._clip import NO_ACTION, BadFile, Clip, keep_origin
from skel_data._layout import SkeletonLayout, get_layout
from skel_data._rate import FASTEST, at_rate
from skel_data._scores import check_min_score, drop_low_scores
from skel_data._up import AXES, find_up, turn_up
from skel_data._words import counted
from skel_data.files import settle
from skel_data.readers._folders import Patterns, tell
from skel_data.readers._parallel import Done, do_all
from skel_data.readers._reader import Reader, Work, paths_of
from skel_data.readers._registry import READERS
from skel_data.readers._source import Source, is_archive
from skel_data.store._info import UNNAMED, DatasetInfo
from skel_data.store._labels import Labels, folder_rows, read_labels
from skel_data.store._store import Store
from skel_data.store._write import StoreWriter, new_store, steps_digest

_LOGGER = logging.getLogger("skel_data")
_LOOKED_AT = 64
"""Clips by which the up axis is found."""


@np.errstate(all="ignore")  # damaged files have any number; a store refuses those that are no coordinates
def import_dataset(
    format: str | Reader,  # noqa: A002
    source: str | Path,
    store_path: str | Path,
    *,
    layout: SkeletonLayout | str | Path | None = None,
    units: str | None = None,
    min_score: float = 0.0,
    up: str | None = None,
    zeros: Literal["missing", "there"] | None = None,
    rate: float | None = None,
    fps: float | None = None,
    labels: str | Path | None = None,
    classes_from: str | None = None,
    subjects_from: str | None = None,
    split_from: str | None = None,
    untrimmed: bool = False,
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
        format: Name of a reader in `READERS`, a reader of your own, or "auto": what `find_format` finds,
            which is logged.
        source: Folder, archive or file.
        store_path: Folder to make.
        layout: The joints, where the format does not fix them: a layout, the name of a preset, or a
            TOML file.
        units: Unit of the coordinates, where the format does not fix it.
        min_score: Score of a pose estimator below which a joint is missing; the store says it. 0 keeps all
            joints that have a score.
        up: What points up in the source: one of x, y, z, -x, -y, -z, or "auto" for the axis along which its
            bodies stand. Recordings are turned so that y points up. None: what the format says.
        zeros: Whether zero in all coordinates means missing, or that a joint is there, at the origin. None:
            what the format says.
        rate: Frames a second to which recordings are resampled, where the files or `fps` tell their own.
        fps: Frames per second of the recordings, if the files do not have it.
        labels: Table of facts about clips (CSV), with the columns name, class, subject, camera, split, start
            and end; all but name may be left out. A name is a clip's, or a file's path; start and end are
            frames from 0, the end is the first that is left out. None: ``labels.csv`` in the source folder,
            or ``NAME.labels.csv`` next to a file, if it is there.
        classes_from: Which part of a file's path is the class, as ``{}`` in a pattern such as ``{}/*/*``.
            None: found from the folders, for formats without classes. "none": no part.
        subjects_from: The same of the subject.
        split_from: The same of the part of the split, which is called as `parts_of` takes it.
        untrimmed: Keep recordings whole, with their actions as `Store.intervals`, where the format or the
            table tells several actions of a recording; unless given, each action is a clip.
        limit: Stop after this many clips.
        strict: Make any bad file an error, except those that the data set itself lists as bad.
        overwrite: Replace the store at `store_path`, if there is one.
        workers: Processes that read. With more than one, a script must guard its own calls by
            ``if __name__ == "__main__"``, as these processes import it. The store is the same.
        resume: Keep what was read when the import is interrupted, in a hidden folder next to the store, and
            go on from what an earlier call with `resume` has kept there. If that call has ended well, and the
            source has the same files, its store is returned.
        progress: Called with the number of clips and bad files so far, after each.

    Raises:
        ValueError: If there is no such format, no usable clip, the layout does not fit, `min_score` is out of
            range or the layout has no scores, or with `strict` a file is bad; or with `resume` if what was
            kept is of another import or above `limit`.
        FileNotFoundError: If there is nothing at `source`.
        FileExistsError: If `store_path` exists and may not be replaced; with `resume`, if another import made
            it or the source has changed.
        ImportError: If the format needs an extra that is not installed.
        ChildProcessError: If one of the `workers` died.
    """
    for what, number in (("limit", limit), ("workers", workers)):
        if number is not None and number < 1:
            raise ValueError(f"{what} must be at least 1, got {number}")
    if zeros not in (None, "missing", "there"):
        raise ValueError(f"zeros must be missing or there, got {zeros!r}")
    named = isinstance(format, str) and format != "auto"
    reader = READERS.lookup(str(format)) if named else format
    files, ignored = Source(source), ""
    if isinstance(reader, str):
        from skel_data.readers._find_format import find_format, left_out  # imports most readers

        reader = READERS.lookup(find_format(files))
        _LOGGER.warning("%s looks like %s", files.path, reader.name)
        ignored = left_out(files, reader.suffix)
    if untrimmed and reader.untrimmed is not None:
        reader = evolve(reader, find=reader.untrimmed)
    given = layout if layout is None or isinstance(layout, SkeletonLayout) else get_layout(layout)
    info, found = reader.open(files, given)
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
        min_score=float(min_score),
        notes=(*info.notes, f"found to be {reader.name}; {ignored}") if ignored else info.notes,
    )
    check_min_score(info.layout, min_score)
    info = evolve(info, **_up(up, reader, files, given, info))
    for what, given_rate in (("rate", rate), ("fps", fps)):
        if given_rate is not None and not 0 < given_rate < FASTEST:
            raise ValueError(f"{what} must be above 0, got {given_rate}")
    if reader.untold_rate and fps is None:
        info = evolve(
            info, notes=(*info.notes, f"{reader.untold_rate}; give it with fps (in a command: --fps)")
        )
    givers = list(
        _givers(
            reader,
            files,
            given,
            info,
            Patterns(classes_from, subjects_from, split_from),
            labels,
            untrimmed=untrimmed,
        )
    )
    if untrimmed and reader.untrimmed is None and not (givers and givers[-1].cuts):
        raise ValueError(
            f"format {reader.name} tells no intervals of its own: untrimmed goes with a table of labels "
            "that has start and end"
        )
    info = givers[-1].info if givers else info
    origin = reader.zeros_there if zeros is None else zeros == "there"
    origin = origin and info.layout.dims == 3 and not info.layout.confidence
    journal: dict[str, Any] | None = None
    if resume:
        journal = {"format": reader.name, "source": str(files.path.resolve())}
        journal |= {} if rate is None else {"rate": float(rate)}
        journal |= {} if fps is None else {"fps": float(fps)}
        journal |= {} if zeros is None else {"zeros": zeros}
        journal |= {"untrimmed": True} if untrimmed else {}
        path = Path(store_path)
        if not overwrite and path.exists():
            return _complete(path, info, files, journal, chain([first], found), limit, strict)
    with (
        new_store(Path(store_path), overwrite=overwrite, keep=resume) as folder,
        StoreWriter(folder, info, strict, journal) as writer,
    ):
        if limit is not None and len(writer) > limit:
            read = f"{counted(len(writer), 'clip')} {'was' if len(writer) == 1 else 'were'} read before"
            raise ValueError(f"{read}, above the limit; import without resume")
        rest = _pass_over(writer.done, chain([first], found))
        finished = partial(
            _finished,
            info=info,
            origin=origin,
            givers=givers,
            rate=rate,
            fps=fps,
            least=NO_ACTION if untrimmed else -1,
        )
        _write(writer, do_all(rest, workers), finished, limit, progress)
        for note in givers[-1].notes() if givers and not writer.done and limit is None else ():
            writer.tell(note)
        if rate is not None and (left := writer.without_rate):
            were = "was" if left == 1 else "were"
            writer.tell(
                f"{counted(left, 'clip')} {were} not resampled, as the files do not tell their frame rate; "
                "give it with fps (in a command: --fps)"
            )
        writer.finish(files.name)
    return Store.open(store_path)


def _complete(
    path: Path,
    info: DatasetInfo,
    files: Source,
    journal: Mapping[str, Any],
    found: Iterator[Work | BadFile],
    limit: int | None,
    strict: bool,
) -> Store:
    """The store at a path, which the same import made."""
    settle(path)
    store = Store.open(path)
    about = store.header.get("import")
    told = {key: value for key, value in journal.items() if key != "source"}
    header = json.loads(json.dumps({k: v for k, v in info.to_header().items() if k != "notes"}))
    if (
        not isinstance(about, dict)
        or {k: v for k, v in about.items() if k not in ("steps", "digest")} != told
        or store.header["source"] != files.name
        or any(store.header.get(key) != value for key, value in header.items())
        or (limit is not None and len(store) > limit)
    ):
        raise FileExistsError(f"{path} exists already, and another import made it")
    if limit is not None and len(store) >= limit:  # it was ended there
        found = islice(found, about["steps"])
    if {key: about.get(key) for key in ("steps", "digest")} != steps_digest(work.name for work in found):
        raise FileExistsError(
            f"{path} exists already, and the source has other files than when it was imported; "
            "import with overwrite"
        )
    for bad in store.bad_files if strict else ():
        if not bad.listed:
            raise ValueError(f"{bad.name}: {bad.reason}")
    _LOGGER.warning("%s: all of %s was imported before", path, files.name)
    return store


def _up(
    up: str | None, reader: Reader, files: Source, layout: SkeletonLayout | None, info: DatasetInfo
) -> dict[str, Any]:
    """What points up in the source, and what there is to tell of it."""
    if up is not None and up not in (*AXES, "auto"):
        raise ValueError(f"up must be one of {', '.join(AXES)} or auto, got {up!r}")
    if up is not None and info.layout.dims == 2:
        raise ValueError(f"layout {info.layout.name} has 2 dimensions: up is for recordings of 3")
    chosen = info.up if up is None else up
    if up == "auto":
        shape = (info.layout.num_joints, info.layout.channels)
        read = (clip for clip in reader.read(files, layout) if isinstance(clip, Clip))
        usable = (clip.positions for clip in read if clip.positions.shape[2:] == shape)
        looked_at = list(islice(usable, _LOOKED_AT))
        chosen = find_up(looked_at, info.layout)
        if looked_at and not chosen:  # without a clip that fits the import itself says what is wrong
            raise ValueError(
                f"{files.name}: which way is up cannot be told: bodies stand along no one axis, or the "
                f"joints' names do not tell head from feet; give one of {', '.join(AXES)}"
            )
    told = () if chosen in ("", "y") else (f"turned so that y points up; in the source {chosen} does",)
    told = ("y points up in the source already",) if up == "auto" and chosen == "y" else told
    return {"up": "" if chosen == "y" else chosen, "notes": (*info.notes, *told)}


def _givers(
    reader: Reader,
    files: Source,
    layout: SkeletonLayout | None,
    info: DatasetInfo,
    patterns: Patterns,
    table: str | Path | None,
    *,
    untrimmed: bool,
) -> Iterator[Labels]:
    """What gives facts to clips: folders, then a table."""
    if patterns or reader.folders is not None:
        own = {} if reader.folders is None else reader.folders(files)
        paths = _names(reader, files, layout, own) if patterns else own
        told = tell(paths, patterns)
        words = {"class": told.classes, "subject": told.subjects, "split": told.parts}
        if own and not told.classes:  # nor do they by the reader's own rule
            words["class"] = dict.fromkeys(paths, "")
        info = evolve(info, notes=(*info.notes, *told.notes))
        folders = Labels.of(folder_rows(words), info, numbers=False)
        info = folders.info
        yield folders.quiet()
    name = f"{files.path.name}.labels.csv"
    beside = files.path / "labels.csv" if files.path.is_dir() else files.path.with_name(name)
    if table is not None:
        yield Labels.of(read_labels(table), info, untrimmed=untrimmed)
    elif beside.is_file() and beside.resolve().parent == beside.parent.resolve():
        try:
            labels = Labels.of(read_labels(beside), info, untrimmed=untrimmed)
        except ValueError as error:
            yield Labels.of([], evolve(info, notes=(*info.notes, f"not taken as labels: {error}")))
        else:
            labels.info = evolve(
                labels.info, notes=(*labels.info.notes, f"labels are those of {beside.name}")
            )
            yield labels


def _names(
    reader: Reader, files: Source, layout: SkeletonLayout | None, own: Mapping[str, str]
) -> dict[str, str]:
    """Names of the shares of work in a source, which are paths where they are files."""
    if files.path.is_file() and not is_archive(files.path):
        return {work.name: work.name for work in reader.open(files, layout)[1]}
    if own:
        return {name: name for name in own}
    return paths_of(files, reader.suffix)


def _finished(
    path: str,
    clip: Clip,
    *,
    info: DatasetInfo,
    origin: bool,
    givers: list[Labels],
    rate: float | None,
    fps: float | None,
    least: int,
) -> Iterator[Clip | BadFile]:
    """A clip as it is stored: turned, joints at the origin told from missing ones, and with its facts."""
    if clip.positions.shape[2:] != (info.layout.num_joints, info.layout.channels):
        yield clip  # which the store refuses with the reason
        return
    if clip.label < least:
        yield BadFile(clip.name, f"label {clip.label}, expected a class, or -1 where it is unknown")
        return
    positions = turn_up(clip.positions, info.up) if info.up else clip.positions
    positions = keep_origin(positions) if origin else positions
    if info.min_score and positions.shape[-1] > info.layout.dims:
        positions = drop_low_scores(positions, info.layout, info.min_score)
    clip = clip if positions is clip.positions else evolve(clip, positions=positions)
    clip = clip if fps is None or clip.rate else evolve(clip, rate=fps)
    made: list[Clip | BadFile] = [clip]
    for giver in givers:
        made = [new for old in made for new in (giver.give(path, old) if isinstance(old, Clip) else [old])]
    for item in made:
        try:
            yield item if rate is None or isinstance(item, BadFile) else at_rate(item, rate, info.layout.dims)
        except ValueError as error:
            yield BadFile(item.name, str(error))


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
    writer: StoreWriter,
    done: Iterator[Done],
    finished: Callable[[str, Clip], Iterator[Clip | BadFile]],
    limit: int | None,
    progress: Callable[[int], None] | None,
) -> None:
    count = 0
    for name, clips in done:
        for clip in clips:
            if limit is not None and len(writer) >= limit:
                return
            for item in finished(name, clip) if isinstance(clip, Clip) else (clip,):
                writer.add(item)
            count += 1
            if progress is not None:
                progress(count)
        writer.note(name)
        if limit is not None and len(writer) >= limit:
            return
