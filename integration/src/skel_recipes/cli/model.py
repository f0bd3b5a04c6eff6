"""``skel fit`` and ``skel predict``: a recogniser from a run and labels, and what it says of recordings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from skel_recipes.cli.output import note, say, say_json, table
from skel_recipes.common.words import count

if TYPE_CHECKING:
    from skel_recipes.model.model import Model

_SHOWN = 50


def fit(
    run: Annotated[Path, tyro.conf.Positional],
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    out: Path,
    labels: Literal["all", "train"] = "all",
    head: Literal["linear", "rbf", "mlp", "knn", "finetune"] = "rbf",
    stream: str | None = None,
    weights: tuple[float, ...] = (),
    split: str | None = None,
    convert: bool = False,
    fps: float | None = None,
    layers: int = 1,
    bins: int = 1,
    device: str = "auto",
) -> None:
    """Fit a recogniser: a classifier on the encoders of a run, with the labels of a store.

    The folder that it writes needs neither run nor store: it has encoders, pipeline, joints, classifier and
    class names. `skel predict` uses it. It also has a threshold below which a clip is "none of these": 95 %
    of the held-out training clips that are classified right are at or above it.

    Example: skel fit run utd.store --out model

    Args:
        run: A finished run, or an encoder folder.
        store: Recordings; those without a label are not used.
        out: Folder of the model, to be made.
        labels: all: every label. train: those of the split's training part; the accuracy on its test part
            is printed and kept.
        head: rbf (kernel ridge regression), linear (logistic regression), mlp (one hidden layer), knn
            (nearest neighbour), or finetune (linear, the encoder trained with it).
        stream: Take this stream alone. By default all streams are fused.
        weights: A weight for each stream; equal by default.
        split: With --labels train: the split; by default the one that was pretrained on, or the store's own.
        convert: Convert recordings with other joints to those of the run, by the names of the joints.
        fps: Frames per second of the recordings; streams with time stamps are resampled to it. By default the
            median of those in the store, or 30 where it has none.
        layers: Features of this many last layers of the encoder, concatenated.
        bins: Features of this many parts of the time, too, concatenated.
        device: Where to compute.
    """
    from skel_data import Store
    from skel_recipes.common.files import check_new_folder
    from skel_recipes.model.fit import fit as fit_model
    from skel_recipes.run.run import Run

    check_new_folder(out)
    opened, recordings = Run.open(run).with_features(layers=layers, bins=bins), Store.open(store)
    model = fit_model(
        opened,
        recordings,
        labels=labels,
        head=head,
        stream=stream,
        weights=weights or None,
        split=split,
        convert=convert,
        fps=fps,
        device=device,
    )
    model.save(out)
    for line in _what_was_fitted(model):
        say(line)
    note(f"finished: {out}; next: skel predict {out} RECORDINGS")


def _what_was_fitted(model: "Model") -> list[str]:
    used, clips = model.origin["labels"], model.origin["store"]["clips"]
    chosen, held = model.calibration, model.held_out
    head = f"{model.head_name} on {'+'.join(model.embedder.streams)}: {count(used['used'], 'label')} used"
    rest = f"{used['held_out']} held out to test, {used['unused']} not used"
    without = f"{clips - used['labelled']} of {count(clips, 'clip')} have none"
    lines = [f"{head} ({used['split']}), {rest}; {without}"]
    if used["classes_without"]:
        lines.append(f"never predicted, as no clip used has the label: {', '.join(used['classes_without'])}")
    if chosen.accuracy is None:
        lines.append("no class has two clips: nothing could be held out, so there is no threshold")
    else:
        held_out = f"{count(chosen.clips, 'training clip')}, while held out"
        lines.append(f"accuracy {_percent(chosen.accuracy)} on {held_out}")
        lines.append(f"threshold {chosen.threshold:.3f}: a clip of lower probability is none of these")
    if held is not None:
        lines.append(
            f"accuracy {_percent(held['accuracy'])} on the {count(held['clips'], 'test clip')} of split "
            f"{held['split']}; {held['none_of_these']} of them are none of these"
        )
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def predict(
    model: Annotated[Path, tyro.conf.Positional],
    source: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    format: str | None = None,  # noqa: A002 (the flag's name)
    layout: str | None = None,
    up: Literal["x", "y", "z", "-x", "-y", "-z", "auto"] | None = None,
    zeros: Literal["missing", "there"] | None = None,
    rate: float | None = None,
    fps: float | None = None,
    window: int = 0,
    step: int = 0,
    top: int = 1,
    out: Path | None = None,
    convert: bool = False,
    json: bool = False,
    device: str = "auto",
) -> None:
    """Recognise actions: class and probability of each recording, or of each window of it.

    A recording whose most probable class is below the model's threshold is "none of these".

    Example: skel predict model new.store --top 3

    Args:
        model: A model that `skel fit` wrote.
        source: A store; a file or folder, with its format; or an .npy array (T, V, C), (T, M, V, C) or
            (N, T, M, V, C).
        format: Format of the file or folder, as `skel data formats` lists them.
        layout: Name of a joint layout, or a TOML file, where the format does not fix the joints.
        up: What points up in the files. Give up, zeros, rate and fps as you did when the labelled recordings
            were imported.
        zeros: Whether a joint at (0, 0, 0) is missing or there. Unless given, what the format says.
        rate: Frames a second to which recordings are resampled.
        fps: Frames per second of the recordings, if the files do not have it.
        window: Frames of a window that slides over each recording; 0 for whole recordings.
        step: Frames from one window to the next; half a window if 0.
        top: Also give this many of the most probable classes.
        out: A .csv, .json or .parquet file (the last needs the extra skel-recipes[parquet]).
        convert: Convert recordings with other joints to those of the model, by the names of the joints.
        json: Print JSON.
        device: Where to compute.
    """
    from skel_recipes.common.files import check_output
    from skel_recipes.model.files import load_model
    from skel_recipes.model.predictions import KINDS
    from skel_recipes.model.sources import take

    if top < 1:
        raise ValueError(f"--top must be 1 or more, got {top}")
    if out is not None:
        check_output(out, KINDS)
    opened = load_model(model, device=device)
    options: dict[str, Any] = {"file_format": format, "file_layout": layout, "convert_joints": convert}
    found = take(source, opened.layout, units=opened.units, **options, up=up, zeros=zeros, rate=rate, fps=fps)
    for bad in found.bad:
        note(f"left out {bad.name}: {bad.reason}")
    predictions = opened.predict_taken(found, window=window, step=step)
    rows = predictions.rows(top)
    if out is not None:
        predictions.save(out, top)
        say(f"{out}: {count(len(rows), 'window' if window else 'recording')} of {source}")
    elif json:
        say_json(rows)
    else:
        cells = [[_cell(value) for value in row.values()] for row in rows[:_SHOWN]]
        say(table([list(rows[0]), *cells], right=[1, 2, *range(4, len(rows[0]), 2)]))
        if len(rows) > _SHOWN:
            note(f"{len(rows) - _SHOWN} more: write all with --out FILE.csv")


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
