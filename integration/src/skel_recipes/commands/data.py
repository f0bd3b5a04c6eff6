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
) -> None:
    """Import recordings into a store.

    A file that cannot be used is reported by name and reason; all others are imported.

    Args:
        format: utd-mhad, nw-ucla, ntu60 or npz.
        source: A folder or file, or the archive itself (.zip, .tar, .tar.xz, .tar.gz).
        store: Folder of the store, to be made.
        layout: For npz: name of a joint layout, or a TOML file.
        units: For npz: unit of the coordinates.
        limit: Stop after so many clips.
        strict: Make any bad file an error.
        overwrite: Replace the store if it exists.
    """
    from tqdm import tqdm

    from skel_data import import_dataset

    with tqdm(unit="clip", desc=format, disable=None) as bar:

        def advance(count: int) -> None:
            bar.update(count - bar.n)

        made = import_dataset(
            format,
            source,
            store,
            layout=layout,
            units=units,
            limit=limit,
            strict=strict,
            overwrite=overwrite,
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
    import numpy as np

    from skel_data import Store, split_names

    opened = Store.open(store)
    lengths, labels = opened.lengths, opened.labels
    classes = {name: int((labels == label).sum()) for label, name in enumerate(opened.classes)}
    info = {
        "dataset": opened.dataset,
        "layout": opened.layout.name,
        "joints": opened.layout.num_joints,
        "units": opened.units,
        "clips": len(opened),
        "frames": {
            "min": int(lengths.min()),
            "median": float(np.median(lengths)),
            "max": int(lengths.max()),
            "sum": int(lengths.sum()),
        },
        "bodies": int(opened.bodies.max()),
        "subjects": sorted({int(code) for code in opened.subjects} - {-1}),
        "views": sorted({int(code) for code in opened.views} - {-1}),
        "classes": classes,
        "unlabelled": int((labels < 0).sum()),
        "splits": list(split_names(opened)),
        "copies": len(opened) - len(set(opened.digests.tolist())),
        "bad_files": {bad.name: bad.reason for bad in opened.bad_files},
        "hash": opened.hash,
    }
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
