"""Embedding of recordings without labels or split: arrays, and windows of long recordings."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from attrs import define
from numpy.typing import NDArray

from skel_data import Store
from skel_eval import FeatureSet, linear_probe, side_by_side
from skel_recipes.common.device import pick_device
from skel_recipes.evaluate.inputs import EvaluationInputs, Ints, Source, encoder_refs
from skel_recipes.run.clips import Floats, clips_of_recordings
from skel_recipes.run.embedding import embed_array
from skel_recipes.run.joints import in_joints_of
from skel_recipes.run.run import Run

_CHUNK = 1024


def embed(
    run: Run,
    store: Store,
    source: Source = "trained",
    *,
    stream: str | None = None,
    split: str | None = None,
    convert: bool = False,
    device: str = "auto",
) -> FeatureSet:
    """Features of all clips of a store, labelled or not, with labels and split, for any protocol.

    They are computed once and kept in the run's folder.

    Args:
        run: A finished run.
        store: The recordings.
        source: The encoder after pretraining, or the "untrained" one, or hand-made features:
            "coordinates", or "distances" between joints.
        stream: One of the run's streams; None puts the features of all side by side.
        split: The split; by default the one that was pretrained on, or the store's own default.
        convert: Bring recordings with other joints to those of the run.
        device: Where to compute.

    Raises:
        ValueError: If the joints differ, or pretraining has not ended.
    """
    encoders = encoder_refs([run], stream=stream)
    inputs = EvaluationInputs.of(
        encoders, store, split=split, device=device, convert=convert, needs_labels=False
    )
    return inputs.embed(source)


def embed_recordings(
    run: Run,
    clips: Sequence[NDArray[Any]],
    *,
    tracks: Sequence[NDArray[Any]] | None = None,
    stream: str | None = None,
    trained: bool = True,
    device: str = "auto",
) -> Floats:
    """Features of recordings from the frozen encoder of a run, through the run's own pipeline.

    Args:
        run: A finished run.
        clips: Coordinates (T, M, V, C) of each recording, of any length, in the run's joints.
        tracks: Body ids (T, M) of each, 0 where there is none; None: each slot is one body.
        stream: One of the run's streams; None puts the features of all side by side.
        trained: Whether the encoder is the one after pretraining.
        device: Where to compute.

    Returns:
        (N, D).

    Raises:
        ValueError: If a recording does not fit the run's joints, or pretraining has not ended.
    """
    encoders = encoder_refs([run], stream=stream)
    where = pick_device(device)
    modules = [run.encoder(encoder.stream, trained=trained) for encoder in encoders]
    parts: list[list[Floats]] = [[] for _ in encoders]
    for start in range(0, len(clips), _CHUNK):
        some = slice(start, start + _CHUNK)
        taken = clips_of_recordings(run, run.layout, clips[some], None if tracks is None else tracks[some])
        for part, encoder, module in zip(parts, encoders, modules, strict=True):
            part.append(embed_array(module, taken, where, stream=encoder.stream, layout=run.layout))
    return side_by_side([np.concatenate(part) for part in parts])


@define(frozen=True, eq=False)
class Windows:
    """Features of overlapping windows of recordings.

    Attributes:
        clips: Row of the recording of each window, (W,).
        starts: Its first frame, (W,).
        stops: The frame behind its last one, (W,).
        features: (W, D).
    """

    clips: Ints
    starts: Ints
    stops: Ints
    features: Floats


def embed_windows(
    run: Run,
    store: Store,
    *,
    length: int,
    step: int,
    stream: str | None = None,
    device: str = "auto",
) -> Windows:
    """Slide a window over every recording of a store, such as untrimmed streams.

    A recording shorter than the window is one window. The last window ends with the recording's last frame.

    Args:
        run: A finished run.
        store: The recordings, in the run's joints.
        length: Frames of a window.
        step: Frames from one window to the next.
        stream: One of the run's streams; None puts the features of all side by side.
        device: Where to compute.

    Raises:
        ValueError: If length or step is below 1; or as `embed_recordings` does.
    """
    if length < 1 or step < 1:
        raise ValueError(f"length and step of a window must be 1 or more frames, got {length} and {step}")
    store = in_joints_of(run, store)
    windows = [
        (row, start, min(start + length, frames))
        for row, frames in enumerate(store.lengths.tolist())
        for start in _starts(frames, length, step)
    ]
    rows, starts, stops = np.array(windows, np.int64).T
    features = embed_recordings(
        run,
        [store.clip(row)[start:stop] for row, start, stop in windows],
        tracks=[store.tracks(row)[start:stop] for row, start, stop in windows],
        stream=stream,
        device=device,
    )
    return Windows(rows, starts, stops, features)


def _starts(frames: int, length: int, step: int) -> list[int]:
    last = max(frames - length, 0)
    return [*range(0, last, step), last]


def classify_windows(
    run: Run,
    labelled: Store,
    windows: Windows,
    *,
    stream: str | None = None,
    split: str | None = None,
    device: str = "auto",
    told: Callable[[str], object] = str,
) -> tuple[Ints, NDArray[np.float64]]:
    """Class of each window, by a linear probe on the labelled training clips of a store.

    Args:
        run: The run that made the windows' features.
        labelled: A store with labels, whose training part the probe is trained on.
        windows: As from `embed_windows`.
        stream: As there.
        split: The split of the labelled store; its default if None.
        device: Where to compute.
        told: Is called with a line that says what part of the recordings is used.

    Returns:
        Classes (W,), and probabilities (W, classes).

    Raises:
        ValueError: If the joints differ, or the split has no labelled clips.
    """
    inputs = EvaluationInputs.of(encoder_refs([run], stream=stream), labelled, split=split, device=device)
    told(inputs.used)
    known, labels, train = inputs.embed().features, labelled.labels, inputs.split.train
    none = np.full(len(windows.features), -1)
    probe = linear_probe(
        known[train], labels[train], windows.features, none, groups=inputs.groups, device=inputs.device
    )
    logits = torch.from_numpy(probe.logits).double()
    return probe.predictions, logits.softmax(1).numpy()
