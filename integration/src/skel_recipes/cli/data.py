"""``skel data``: stores of recordings."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skel_data import SynthSettings
from skel_recipes.cli.output import note, note_conversion, printable, say, say_json, table
from skel_recipes.common.progress import progress_bar
from skel_recipes.common.words import count

_USUAL = SynthSettings()


def data_import(
    format: Annotated[str, tyro.conf.Positional],  # noqa: A002 (the argument's name)
    source: Annotated[Path, tyro.conf.Positional],
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    layout: str | None = None,
    units: str | None = None,
    min_score: float = 0.0,
    up: Literal["x", "y", "z", "-x", "-y", "-z", "auto"] | None = None,
    zeros: Literal["missing", "there"] | None = None,
    rate: float | None = None,
    fps: float | None = None,
    labels: Path | None = None,
    classes_from: str | None = None,
    subjects_from: str | None = None,
    split_from: str | None = None,
    untrimmed: bool = False,
    limit: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    workers: int = 0,
    resume: bool = False,
) -> None:
    """Import recordings into a store.

    A file that cannot be used is reported by name and reason; all others are imported.

    Example: skel data import utd-mhad utd-mhad_skeleton.tar.xz utd.store

    Args:
        format: Name of a format, as `skel data formats` lists them; auto to have it found; or module:NAME of
            a reader of your own.
        source: A folder or file, or the archive itself (.zip, .tar, .tar.xz, .tar.gz).
        store: Folder of the store, to be made.
        layout: Name of a joint layout, or a TOML file, where the format does not fix it.
        units: Unit of the coordinates, where the format does not fix it.
        min_score: Score of a pose estimator below which a joint is missing. 0, the default, keeps all joints
            that have a score: on real recordings no threshold helped throughout (see the page on data), and
            estimators differ in scale.
        up: What points up in the source; recordings are turned so that y does. auto: the axis along which
            bodies stand. Unless given, what the format says.
        zeros: Whether a joint at (0, 0, 0) is missing or there. Unless given, what the format says.
        rate: Frames a second to which recordings are resampled, where the files or --fps tell their own.
        fps: Frames per second of the recordings, if the files do not have it.
        labels: Table (CSV) with the columns name, class, subject, camera, split, start and end. Unless given,
            `labels.csv` in the source.
        classes_from: Pattern of the class in a file's path, such as '{}/*/*'; none: not in the path. By
            default folders are used if their meaning is clear.
        subjects_from: Pattern of the subject in a file's path.
        split_from: Pattern of the part of the split in a file's path, such as train and test.
        untrimmed: Keep recordings whole, with their actions as intervals, for `skel eval detect`. Unless
            given, each action is a clip.
        limit: Stop after this many clips.
        strict: Make any bad file an error, except those that the data set itself lists as bad.
        overwrite: Replace the store if it exists.
        workers: Processes that read; 0: one for each core.
        resume: Keep what was read when interrupted, and continue from it. A complete store stays as it is.
    """
    from skel_data import cores, import_dataset, warnings_of

    with progress_bar("import" if format == "auto" else format, "clip") as advance:
        try:
            made = import_dataset(
                format,
                source,
                store,
                layout=layout,
                units=units,
                min_score=min_score,
                up=up,
                zeros=zeros,
                rate=rate,
                fps=fps,
                labels=labels,
                classes_from=classes_from,
                subjects_from=subjects_from,
                split_from=split_from,
                untrimmed=untrimmed,
                limit=limit,
                strict=strict,
                overwrite=overwrite,
                workers=workers or cores(),
                resume=resume,
                progress=advance,
            )
        except KeyboardInterrupt:
            if resume:
                note(f"what was read is kept next to {store}; the same command continues from there")
            raise
    for told in (*made.notes, *warnings_of(made)):
        note(told)
    for bad in made.bad_files:
        note(printable(f"bad file: {bad.name}: {bad.reason}"))
    left_out = count(len(made.bad_files), "bad file")
    say(f"{store}: {count(len(made), 'clip')}, {count(len(made.classes), 'class')}, {left_out}")


def data_info(store: Annotated[Path, tyro.conf.Positional], /, *, json: bool = False) -> None:
    """Summarise a store: clips, classes, subjects, splits.

    Example: skel data info utd.store

    Args:
        store: The store.
        json: Print JSON.
    """
    from skel_data import Store, summarise

    info = summarise(Store.open(store))
    if json:
        say_json(info)
        return
    for warning in info.pop("warnings"):
        note(warning)
    for key, value in info.items():
        if isinstance(value, dict):
            say(f"{key}:" if value else f"{key}: none")
            for name, entry in value.items():
                say(printable(f"  {name}: {entry}"))
        else:
            say(printable(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"))


def data_formats() -> None:
    """List the formats that can be imported: name, files, joints where they are fixed, and what it is.

    Example: skel data formats
    """
    from skel_data import READERS

    rows = [("format", "files", "joints", "what")]
    rows += [
        (name, reader.suffix, reader.layout or "", READERS.summary(name)) for name, reader in READERS.items()
    ]
    say(table([[cell.replace("``", "") for cell in row] for row in rows], right=()))


def data_validate(store: Annotated[Path, tyro.conf.Positional], /) -> None:
    """Read all of a store and compare it with the hashes that were written with it.

    Example: skel data validate utd.store

    Args:
        store: The store.
    """
    from skel_data import Store, validate_store

    opened = Store.open(store)
    wrong = validate_store(opened)
    for sentence in wrong:
        note(printable(sentence))
    if wrong:
        raise ValueError(f"{store}: {count(len(wrong), 'fault')}")
    say(f"{store}: {count(len(opened), 'clip')}, all as they were written")


def data_merge(
    stores: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    out: Path,
    dataset: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write the clips of several stores to a new one.

    Numbered subjects and views keep their numbers: the same number is the same person.

    Example: skel data merge ntu60.store ntu120-rest.store --out ntu120.store

    Args:
        stores: The stores, of one layout.
        out: Folder of the new store.
        dataset: Name of the new data set, which decides its official splits.
        overwrite: Replace the store if it exists.
    """
    from skel_data import Store, merge_stores

    made = merge_stores([Store.open(store) for store in stores], out, dataset=dataset, overwrite=overwrite)
    say(f"{out}: {count(len(made), 'clip')}, {count(len(made.classes), 'class')}")


def data_join(
    store: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    clips: int = 8,
    rest: tuple[int, int] = (15, 45),
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Join the clips of a store to untrimmed recordings with pauses between them, for `skel eval detect`.

    A recording has clips of one subject, camera and part of a split, in random order, each clip once.

    Example: skel data join utd.store utd-joined.store

    Args:
        store: The store of trimmed clips.
        out: Folder of the new store.
        clips: Clips of a recording.
        rest: Smallest and largest number of frames of a pause.
        seed: Seed of the order and of the pauses.
        overwrite: Replace the store if it exists.
    """
    from skel_data import Store, join_clips

    made = join_clips(Store.open(store), out, clips=clips, rest=rest, seed=seed, overwrite=overwrite)
    say(f"{out}: {count(len(made), 'recording')}, {count(len(made.all_intervals), 'action')}")


def data_convert(
    store: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    layout: str,
    drop_depth: bool = False,
    strict: bool = False,
    most_parents: float = 0.25,
    overwrite: bool = False,
) -> None:
    """Write the clips of a store to a new one in another joint layout, by the names of the joints.

    Example: skel data convert ntu.store kinect.store --layout kinect-20

    Args:
        store: The store.
        out: Folder of the new store.
        layout: Name of the new layout, or a TOML file.
        drop_depth: Leave the third coordinate out, for a layout of two dimensions.
        strict: Make it an error if a joint of the layout has no counterpart in the store's.
        most_parents: Largest share of the layout's joints that may take their parents' places; 1 allows all.
        overwrite: Replace the store if it exists.
    """
    from skel_data import Store, convert_store, get_layout

    opened, wanted = Store.open(store), get_layout(layout)
    note_conversion(opened.layout, wanted)
    made = convert_store(
        opened,
        out,
        wanted,
        drop_depth=drop_depth,
        strict=strict,
        most_parents=most_parents,
        overwrite=overwrite,
    )
    say(f"{out}: {count(len(made), 'clip')} in layout {wanted.name}")


def data_label(
    store: Annotated[Path, tyro.conf.Positional],
    labels: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    out: Path | None = None,
    untrimmed: bool = False,
    overwrite: bool = False,
) -> None:
    """Add classes, subjects, cameras and splits from a table to a store.

    The table (CSV) has the columns name, class, subject, camera, split, start and end; all but name may be
    left out.

    Example: skel data label poses.store labels.csv --out labelled.store

    Args:
        store: The store.
        labels: The table.
        out: Folder of a new store. Unless given, the store itself is replaced.
        untrimmed: Keep recordings whole: rows with start and end are intervals. Unless given, they are cut.
        overwrite: Replace the new store if it exists.
    """
    from skel_data import Store, label_store

    made = label_store(
        Store.open(store), labels, out or store, untrimmed=untrimmed, overwrite=overwrite or out is None
    )
    for told in made.notes:
        note(told)
    unlabelled = int((~made.annotated).sum())
    found = f"{count(len(made), 'clip')}, {count(len(made.classes), 'class')}, {unlabelled} unlabelled"
    say(f"{out or store}: {found}")


def data_layout(source: Annotated[Path, tyro.conf.Positional], /, *, out: Path | None = None) -> None:
    """Write the joint layout of a recording as TOML, to be edited and given with --layout.

    Example: skel data layout walk.bvh --out mine.toml

    Args:
        source: A BVH or C3D file, a folder of them, a store, or the name of a built-in layout.
        out: File to write. Unless given, it is printed.
    """
    from skel_data import layout_of, layout_toml

    layout = layout_of(source)
    text = layout_toml(layout)
    if out is None:
        say(text.rstrip())
        return
    if out.exists():
        raise FileExistsError(f"{out} exists already")
    out.write_text(text, encoding="utf-8")
    say(f"{out}: {count(layout.num_joints, 'joint')}")


def data_synth(
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    settings: Annotated[SynthSettings, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="")] = _USUAL,
    ntu_folder: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Make a store of synthetic labelled actions.

    Example: skel data synth synth.store

    Args:
        store: Folder of the store, to be made.
        settings: What is recorded.
        ntu_folder: Write the clips as files in the NTU text format, too, to this new folder.
        overwrite: Replace the store if it exists.
    """
    from skel_data import synth_clips, synth_store, write_ntu_folder

    if ntu_folder is not None and settings.layout != "ntu-25":
        raise ValueError(f"the NTU text format holds the layout ntu-25, not {settings.layout}")
    if ntu_folder is not None and ntu_folder.exists():
        raise FileExistsError(f"{ntu_folder} exists already")
    made = synth_store(store, settings, overwrite=overwrite)
    say(f"{store}: {count(len(made), 'clip')}, {count(len(made.classes), 'class')}")
    if ntu_folder is not None:
        say(f"{ntu_folder}: {count(write_ntu_folder(ntu_folder, synth_clips(settings)), 'file')}")
