"""``skel embed``: features of recordings, for your own programs."""

from pathlib import Path
from typing import Annotated

import tyro

from skel_recipes.cli.output import note, note_conversion, say


def embed(
    run: Annotated[Path, tyro.conf.Positional],
    store: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    stream: str | None = None,
    split: str | None = None,
    convert: bool = False,
    window: int = 0,
    step: int = 0,
    labelled: Path | None = None,
    layers: int = 1,
    bins: int = 1,
    device: str = "auto",
) -> None:
    """Write the frozen features of all recordings of a store, labelled or not.

    An .npz file holds features, labels, rows of train and test, names and more, as `skel eval linear
    FEATURES.npz` and `skel_eval.FeatureSet` read it; a .parquet file holds one row for each clip (needs the
    extra skel-recipes[parquet]). With a window it holds one row for each window of the recordings instead.

    Example: skel embed run utd.store features.npz

    Args:
        run: A finished run, or an encoder folder.
        store: The recordings.
        out: The file: .npz or .parquet.
        stream: Take this stream alone. By default the features of all streams are concatenated, each brought
            to length 1.
        split: The split whose train and test rows are noted; by default the one that was pretrained on. With
            a window: the split of the labelled store.
        convert: Convert recordings with other joints to those of the run, by the names of the joints.
        window: Frames of a window that slides over each recording; 0 for whole recordings.
        step: Frames from one window to the next; half a window if 0.
        labelled: With a window: a store with labels, whose training clips teach a linear probe what class
            each window is.
        layers: Features of this many last layers of the encoder, concatenated.
        bins: Features of this many parts of the time, too, concatenated.
        device: Where to compute.
    """
    from skel_data import Store
    from skel_recipes.common.words import count
    from skel_recipes.evaluate.features_file import write_features, write_windows
    from skel_recipes.run.run import Run

    opened, recordings = Run.open(run).with_features(layers=layers, bins=bins), Store.open(store)
    if convert:
        note_conversion(recordings.layout, opened.layout)
    if window:
        if split and labelled is None:
            raise ValueError(
                "with --window, --split says whose clips of --labelled teach: give --labelled too"
            )
        taught = None if labelled is None else Store.open(labelled)
        rows = write_windows(
            out,
            opened,
            recordings,
            length=window,
            step=step or max(1, window // 2),
            labelled=taught,
            stream=stream,
            split=split,
            convert=convert,
            device=device,
            told=note,
        )
        say(f"{out}: {count(rows, 'window')} of {count(len(recordings), 'recording')}")
    elif step or labelled:
        raise ValueError("--step and --labelled are for windows: give --window too")
    else:
        shape = write_features(
            out, opened, recordings, stream=stream, split=split, convert=convert, device=device, told=note
        )
        say(f"{out}: features {shape[0]} x {shape[1]}")
