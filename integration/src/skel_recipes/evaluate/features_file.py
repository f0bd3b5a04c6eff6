"""Features as files: .npz for anything that reads numpy, .parquet for tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from skel_data import Store
from skel_data.files import write_file
from skel_recipes.common.files import check_output, pyarrow_modules
from skel_recipes.common.words import count
from skel_recipes.evaluate.embed import classify_windows, embed_windows
from skel_recipes.evaluate.inputs import EvaluationInputs, encoder_refs
from skel_recipes.run.joints import in_joints_of
from skel_recipes.run.run import Run

_KINDS = (".npz", ".parquet")


def write_features(
    out: Path,
    run: Run,
    store: Store,
    *,
    stream: str | None = None,
    split: str | None = None,
    convert: bool = False,
    device: str = "auto",
    told: Callable[[str], object] = str,
) -> tuple[int, int]:
    """Write the features of all clips with their columns; returns the shape of the features.

    What part of the recordings is used is `told` before it is computed.

    Raises:
        FileNotFoundError: If there is no folder for the file.
        ValueError: If the file is of another kind, or the store does not fit the run.
        ImportError: If the file is .parquet and the extra is not installed.
    """
    check_output(out, _KINDS)
    encoders = encoder_refs([run], stream=stream)
    inputs = EvaluationInputs.of(
        encoders, store, split=split, device=device, convert=convert, needs_labels=False
    )
    told(inputs.used)
    found = inputs.embed()
    if out.suffix == ".npz":
        found.save(out)
    else:
        part = np.full(len(store), "", object)
        part[inputs.split.train], part[inputs.split.test] = "train", "test"
        columns = {"name": store.names, "label": store.labels, "part": part}
        columns |= {"subject": store.subjects, "camera": store.cameras, "frames": store.lengths}
        _write_table(out, columns, found.features)
    return found.features.shape[0], found.features.shape[1]


def write_windows(
    out: Path,
    run: Run,
    store: Store,
    *,
    length: int,
    step: int,
    labelled: Store | None = None,
    stream: str | None = None,
    split: str | None = None,
    convert: bool = False,
    device: str = "auto",
    told: Callable[[str], object] = str,
) -> int:
    """Write the features of windows, and their classes if there is a labelled store; returns their number.

    What part of the recordings is used is `told` before it is computed.

    Raises:
        FileNotFoundError: If there is no folder for the file.
        ValueError: If the file is of another kind, or a store does not fit the run.
        ImportError: If the file is .parquet and the extra is not installed.
    """
    check_output(out, _KINDS)
    told(f"{store.path}: all {count(len(store), 'recording')}, in windows of {count(length, 'frame')}")
    store = in_joints_of(run, store, convert=convert)
    windows = embed_windows(run, store, length=length, step=step, stream=stream, device=device)
    columns: dict[str, Any] = {
        "name": store.names[windows.clips],
        "start": windows.starts,
        "stop": windows.stops,
    }
    if labelled is not None:
        labelled = in_joints_of(run, labelled, convert=convert)
        classes, probabilities = classify_windows(
            run, labelled, windows, stream=stream, split=split, device=device, told=told
        )
        columns |= {"class": np.array(labelled.classes)[classes], "probability": probabilities.max(1)}
    if out.suffix == ".npz":
        arrays = {**columns, "features": windows.features}
        with write_file(out) as file:
            np.savez(file, allow_pickle=False, **arrays)
    else:
        _write_table(out, columns, windows.features)
    return len(windows.features)


def _write_table(out: Path, columns: dict[str, Any], features: np.ndarray) -> None:
    pyarrow, parquet = pyarrow_modules()
    columns = {name: pyarrow.array(list(values)) for name, values in columns.items()}
    flat = pyarrow.array(features.reshape(-1))
    columns["features"] = pyarrow.FixedSizeListArray.from_arrays(flat, features.shape[1])
    with write_file(out) as file:
        parquet.write_table(pyarrow.table(columns), file)
