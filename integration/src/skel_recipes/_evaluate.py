"""Evaluation of a run: frozen features, a protocol, and the baselines that stand beside every result."""

import json
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from attrs import define
from numpy.typing import NDArray

from skel_data import Split, Store, build_clips, get_split, holdout_groups, stream, without_copies
from skel_eval import accuracy, chance, knn, linear_probe, ridge
from skel_recipes._device import pick_device
from skel_recipes._features import embed_array
from skel_recipes._files import write_atomically, write_text
from skel_recipes._run import Run, state_digest

Protocol = Literal["linear", "knn"]
Ints = NDArray[np.int64]


@define(frozen=True, eq=False)
class Evaluation:
    """What one protocol says of a run, and what a report needs beside the numbers.

    Attributes:
        result: Numbers and settings, as they stand in ``eval/*.json``.
        split: The clips that were used.
        features: Features of all clips of the store (N, D).
        predictions: Predicted class of each test clip.
    """

    result: dict[str, Any]
    split: Split
    features: NDArray[np.float32]
    predictions: Ints


def evaluate(
    run: Run,
    store: Store,
    protocol: Protocol,
    *,
    split: str | None = None,
    k: int = 1,
    device: str = "auto",
) -> Evaluation:
    """Evaluate the frozen encoder of a finished run.

    Nothing is chosen on test clips: the encoder is that of the last epoch, and the strength of the
    probe's regularisation is chosen by holding out groups of the training part, of the kind that is new in
    the test part: subjects, or views.

    Args:
        run: The run.
        store: The recordings; their joints must be those of the run.
        protocol: linear (logistic regression on features) or knn (cosine).
        split: The split; by default the one that was pretrained on, or the store's own default.
        k: Neighbours of knn.
        device: Where features are computed.

    Returns:
        The result; it is also written to ``eval/`` in the run.

    Raises:
        ValueError: If the joints differ, the split has no labelled clips, or pretraining has not ended.
    """
    started = time.perf_counter()
    _check_layout(run, store)
    same_store = store.hash == run.facts["store"]["hash"]
    chosen = get_split(store, split or (run.facts["split"] if same_store else None))
    train, test = chosen.train[store.labels[chosen.train] >= 0], chosen.test
    if len(train) == 0 or len(test) == 0:
        raise ValueError(
            f"split {chosen.name!r} of {store.path} has {len(train)} labelled training clips "
            f"and {len(test)} test clips"
        )
    kept = np.isin(test, without_copies(store, chosen))
    groups = holdout_groups(store, train, test)
    labels = store.labels

    clips = build_clips(store, run.recipe.data.pipeline)
    where = pick_device(device)
    features = {
        name: _features(run, store, clips, where, trained=name == "trained")
        for name in ("trained", "untrained")
    }

    def predict(x: NDArray[np.float32]) -> tuple[Ints, float | None]:
        if protocol == "linear":
            probe = linear_probe(x[train], labels[train], x[test], labels[test], groups=groups)
            return probe.predictions, probe.strength
        return knn(x[train], labels[train], x[test], k=k).predictions, None

    def score(predictions: Ints) -> dict[str, float]:
        scores = {"accuracy": accuracy(predictions, labels[test])}
        if not kept.all():
            scores["accuracy_without_copies"] = accuracy(predictions[kept], labels[test][kept])
        return scores

    predictions, strength = predict(features["trained"])
    untrained, _ = predict(features["untrained"])
    coordinates = ridge(clips[train], labels[train], clips[test], labels[test], groups=groups)
    settings: dict[str, Any] = {"regularisation": strength} if protocol == "linear" else {"k": k}
    result = {
        "protocol": protocol,
        "dataset": store.dataset,
        "split": chosen.name,
        "recipe": run.recipe.name,
        "seed": run.recipe.train.seed,
        "epochs": len(run.metrics()),
        **score(predictions),
        "baselines": {
            "untrained encoder": score(untrained),
            "ridge on coordinates": score(coordinates.predictions),
            "chance": {"accuracy": chance(labels[train], labels[test]).majority},
        },
        "settings": settings,
        "train_clips": len(train),
        "test_clips": len(test),
        "test_clips_that_are_copies": int((~kept).sum()),
        "test_clips_seen_in_pretraining": _seen(run, store, test) if same_store else None,
        "seconds": round(time.perf_counter() - started, 2),
    }
    folder = run.path / "eval"
    folder.mkdir(exist_ok=True)
    name = f"{store.dataset}-{chosen.name}-{protocol}" + (f"{k}" if protocol == "knn" else "")
    write_text(folder / f"{name}.json", json.dumps(result, indent=1))
    return Evaluation(result, chosen, features["trained"], predictions)


def _check_layout(run: Run, store: Store) -> None:
    ours, theirs = run.layout, store.layout
    if (ours.joints, ours.parents, ours.channels) != (theirs.joints, theirs.parents, theirs.channels):
        raise ValueError(
            f"{run.path} was trained on layout {ours.name!r} ({ours.num_joints} joints), "
            f"{store.path} has {theirs.name!r} ({theirs.num_joints} joints)"
        )


def _features(
    run: Run, store: Store, clips: NDArray[np.float32], device: torch.device, *, trained: bool
) -> NDArray[np.float32]:
    """Features of all clips, from the run's folder if they are there."""
    encoder = run.encoder(trained=trained)
    frozen = state_digest(encoder.state_dict())
    file = run.path / "features" / f"{frozen}-{store.hash[:16]}.npy"
    if (cached := _load(file, len(clips))) is not None:
        return cached
    seen = stream(clips, run.recipe.data.stream, store.layout)
    features = embed_array(encoder, seen, device)
    if state_digest(encoder.state_dict()) != frozen:
        raise RuntimeError("the encoder changed while it was evaluated: it keeps state outside of training")
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, lambda target: np.save(target, features, allow_pickle=False))
    return features


def _load(file: Path, clips: int) -> NDArray[np.float32] | None:
    try:
        features: NDArray[np.float32] = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return features if len(features) == clips else None


def _seen(run: Run, store: Store, test: Ints) -> int:
    """Test clips that pretraining has seen, without their labels."""
    return int(np.isin(test, get_split(store, run.facts["split"]).train).sum())
