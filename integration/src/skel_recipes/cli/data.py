"""``skel data``: stores of recordings."""

from pathlib import Path
from typing import Annotated

import tyro

from skel_data import SynthSettings
from skel_recipes.cli.output import note, say, say_json
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
    limit: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    workers: int = 0,
    resume: bool = False,
) -> None:
    """Import recordings into a store.

    A file that cannot be used is reported by name and reason; all others are imported.

    Args:
        format: Name of a format, as `skel data formats` lists them; or module:NAME of a reader of your own.
        source: A folder or file, or the archive itself (.zip, .tar, .tar.xz, .tar.gz).
        store: Folder of the store, to be made.
        layout: Name of a joint layout, or a TOML file, where the format does not fix it.
        units: Unit of the coordinates, where the format does not fix it.
        limit: Stop after so many clips.
        strict: Make any bad file an error, but for those that the data set itself lists as bad.
        overwrite: Replace the store if it exists.
        workers: Processes that read; 0: one for each core.
        resume: Keep what was read when interrupted, and go on from it.
    """
    from tqdm import tqdm

    from skel_data import READERS, cores, import_dataset

    reader = READERS.lookup(format)
    with tqdm(unit="clip", desc=format, disable=None) as bar:

        def advance(read: int) -> None:
            bar.update(read - bar.n)

        try:
            made = import_dataset(
                reader,
                source,
                store,
                layout=layout,
                units=units,
                limit=limit,
                strict=strict,
                overwrite=overwrite,
                workers=workers or cores(),
                resume=resume,
                progress=advance,
            )
        except KeyboardInterrupt:
            if resume:
                note(f"what was read is kept beside {store}; the same command goes on from there")
            raise
    for bad in made.bad_files:
        note(f"not imported: {bad.name}: {bad.reason}")
    left_out = count(len(made.bad_files), "bad file")
    say(f"{store}: {count(len(made), 'clip')}, {count(len(made.classes), 'class')}, {left_out}")


def data_info(store: Annotated[Path, tyro.conf.Positional], /, *, json: bool = False) -> None:
    """Summarise a store: clips, classes, subjects, splits.

    Args:
        store: The store.
        json: Print JSON.
    """
    from skel_data import Store, summarise

    info = summarise(Store.open(store))
    if json:
        say_json(info)
        return
    for key, value in info.items():
        if isinstance(value, dict):
            say(f"{key}:" if value else f"{key}: none")
            for name, entry in value.items():
                say(f"  {name}: {entry}")
        else:
            say(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


def data_formats() -> None:
    """List the formats that can be imported."""
    from skel_data import READERS
    from skel_recipes.cli.output import table

    rows = [
        (reader.name, reader.suffix, reader.layout or "from the source or --layout")
        for reader in READERS.values()
    ]
    say(table([("format", "files", "layout"), *rows]))


def data_validate(store: Annotated[Path, tyro.conf.Positional], /) -> None:
    """Read all of a store and compare it with the hashes that were written with it.

    Args:
        store: The store.
    """
    from skel_data import Store, validate_store

    opened = Store.open(store)
    wrong = validate_store(opened)
    for sentence in wrong:
        note(sentence)
    if wrong:
        raise ValueError(f"{store}: {count(len(wrong), 'fault')}")
    say(f"{store}: {count(len(opened), 'clip')}, all as they were written")


def data_leaks(
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    split: str | None = None,
    near: float = 0.05,
    json: bool = False,
) -> None:
    """Find test clips that are in the training part too, exactly or nearly.

    Args:
        store: The store.
        split: The split; the store's default if not given.
        near: Distance below which two clips are listed, as a share of the size of the test clip, after the
            pipeline `default`.
        json: Print JSON.
    """
    from skel_data import Default, Store, build_clips, get_split, without_copies
    from skel_eval import find_leaks

    opened = Store.open(store)
    chosen = get_split(opened, split)
    if not len(chosen.train) or not len(chosen.test):
        raise ValueError(
            f"split {chosen.name!r} of {store} has {len(chosen.train)} training clips and {len(chosen.test)} "
            "labelled test clips"
        )
    clips = build_clips(opened, Default())
    found = find_leaks(clips[chosen.train], clips[chosen.test], near=near)
    copies = len(chosen.test) - len(without_copies(opened, chosen))
    names = opened.names
    pairs = [
        (
            str(names[chosen.test[row]]),
            str(names[chosen.train[found.nearest[row]]]),
            float(found.distances[row]),
        )
        for row in [*found.exact, *found.near]
    ]
    if json:
        say_json({"split": chosen.name, "test_clips": len(chosen.test), "copies": copies, "pairs": pairs})
        return
    for test, train, distance in pairs:
        say(f"{test} is within {100 * distance:.1f} % of {train}" if distance else f"{test} equals {train}")
    say(
        f"{store}, {chosen.name}: of {len(chosen.test)} test clips {copies} are copies of training clips as "
        f"recorded, {len(found.exact)} after the pipeline; {len(found.near)} more are within {100 * near:g} %"
    )


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

    Args:
        stores: The stores, of one layout.
        out: Folder of the new store.
        dataset: Name of the new data set, by which official splits go.
        overwrite: Replace the store if it exists.
    """
    from skel_data import Store, merge_stores

    made = merge_stores([Store.open(store) for store in stores], out, dataset=dataset, overwrite=overwrite)
    say(f"{out}: {count(len(made), 'clip')}, {count(len(made.classes), 'class')}")


def data_convert(
    store: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    layout: str,
    drop_depth: bool = False,
    strict: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the clips of a store to a new one in another joint layout, by the names of the joints.

    Args:
        store: The store.
        out: Folder of the new store.
        layout: Name of the layout that is wanted, or a TOML file.
        drop_depth: Leave the third coordinate out, for a layout of two dimensions.
        strict: Make it an error if a joint of the layout has nothing like it in the store's.
        overwrite: Replace the store if it exists.
    """
    from skel_data import Store, convert_store, explain_conversion, get_layout

    opened, wanted = Store.open(store), get_layout(layout)
    made = convert_store(opened, out, wanted, drop_depth=drop_depth, strict=strict, overwrite=overwrite)
    for joint, (rule, sources) in explain_conversion(opened.layout, wanted).items():
        if rule != "same name":
            note(f"{joint}: {rule} {' and '.join(sources)}")
    say(f"{out}: {count(len(made), 'clip')} in layout {wanted.name}")


def data_synth(
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    settings: Annotated[SynthSettings, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="")] = _USUAL,
    ntu_folder: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Make a store of synthetic labelled actions.

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
        say(f"{ntu_folder}: {write_ntu_folder(ntu_folder, synth_clips(settings))} files")
