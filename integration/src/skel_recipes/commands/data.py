"""``skel data``: stores of recordings."""

from pathlib import Path
from typing import Annotated

import tyro

from skel_recipes.commands._say import note, say, say_json


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
        strict: Make any bad file an error.
        overwrite: Replace the store if it exists.
        workers: Processes that read; 0: one for each core.
        resume: Keep what was read when interrupted, and go on from it.
    """
    from tqdm import tqdm

    from skel_data import READERS, cores, import_dataset
    from skel_recipes._kinds import part_named

    reader = part_named(format, READERS, "format")
    with tqdm(unit="clip", desc=format, disable=None) as bar:

        def advance(count: int) -> None:
            bar.update(count - bar.n)

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
    for bad in made.bad_files:
        note(f"not imported: {bad.name}: {bad.reason}")
    say(f"{store}: {len(made)} clips, {len(made.classes)} classes, {len(made.bad_files)} bad files")


def data_info(store: Annotated[Path, tyro.conf.Positional], /, *, json: bool = False) -> None:
    """Tell what a store holds.

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
            say(f"{key}:")
            for name, entry in value.items():
                say(f"  {name}: {entry}")
        else:
            say(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


def data_formats() -> None:
    """List the formats that can be imported."""
    from skel_data import READERS
    from skel_recipes.commands._say import table

    rows = [
        (reader.name, reader.suffix, reader.layout or "told by the source or --layout")
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
        raise ValueError(f"{store}: {len(wrong)} faults")
    say(f"{store}: {len(opened)} clips, all as they were written")


def data_merge(
    stores: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    out: Path,
    dataset: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write the clips of several stores to a new one.

    Args:
        stores: The stores, of one layout.
        out: Folder of the new store.
        dataset: Name of the new data set.
        overwrite: Replace the store if it exists.
    """
    from skel_data import Store, merge_stores

    made = merge_stores([Store.open(store) for store in stores], out, dataset=dataset, overwrite=overwrite)
    say(f"{out}: {len(made)} clips, {len(made.classes)} classes")


def data_synth(
    store: Annotated[Path, tyro.conf.Positional], /, *, seed: int = 0, overwrite: bool = False
) -> None:
    """Make a store of synthetic labelled actions.

    Args:
        store: Folder of the store, to be made.
        seed: Decides subjects, cameras and noise.
        overwrite: Replace the store if it exists.
    """
    from skel_data import SynthSettings, synth_store

    made = synth_store(store, SynthSettings(seed=seed), overwrite=overwrite)
    say(f"{store}: {len(made)} clips, {len(made.classes)} classes")
