"""Results as they are kept in a run: numbers, settings and baselines as JSON, predictions beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data import Split, Store
from skel_eval import Outcome, ridge
from skel_recipes._files import write_atomically, write_text
from skel_recipes._trial import Floats, Ints, Trial

Scores = dict[str, float]


@define(frozen=True, eq=False)
class Evaluation:
    """What one protocol says of a run, and what a report needs beside the numbers.

    Attributes:
        result: Numbers and settings, as they stand in ``eval/*.json``; ``headline`` names the main number.
        store: The recordings, in the joints of the run.
        split: The clips that were used.
        features: Features of all clips of the store (N, D); of several encoders side by side.
        predictions: Predicted class of each test clip, where the protocol classifies.
        logits: (N_test, classes), where it has them.
    """

    result: dict[str, Any]
    store: Store
    split: Split
    features: Floats
    predictions: Ints | None = None
    logits: NDArray[Any] | None = None


def scores_of(outcome: Outcome) -> Scores:
    """The scores of a protocol, with the headline without copies beside it."""
    scores = {name: metric.value for name, metric in outcome.metrics.items()}
    apart = {f"{name}_without_copies": metric.distinct for name, metric in outcome.metrics.items()}
    return scores | {name: value for name, value in apart.items() if value is not None}


def classifier_baselines(trial: Trial, train: Ints | None = None) -> dict[str, Scores]:
    """Ridge regression on the coordinates, and chance, the most frequent class, for protocols that classify.

    Args:
        trial: The clips and their split.
        train: Training clips with their labels, if not all of the split's.
    """
    split, labels = trial.split, trial.store.labels
    rows = split.train if train is None else train
    groups = trial.groups[np.isin(split.train, rows)]
    clips = trial.clips()
    found = ridge(
        clips[rows],
        labels[rows],
        clips[split.test],
        labels[split.test],
        groups=groups,
        device=trial.device,
    )
    most = np.full(len(split.test), np.bincount(labels[rows]).argmax())
    return {
        "ridge on coordinates": accuracies(trial, found.predictions),
        "chance": accuracies(trial, most),
    }


def accuracies(trial: Trial, predictions: Ints) -> Scores:
    """Accuracy on the test clips, and without copies where there are some."""
    right = predictions == trial.store.labels[trial.split.test]
    kept = ~np.isin(trial.split.test, trial.copies)
    scores = {"accuracy": float(right.mean())}
    if kept.any() and not kept.all():
        scores["accuracy_without_copies"] = float(right[kept].mean())
    return scores


def finish(
    trial: Trial,
    protocol: str,
    scores: Scores,
    baselines: Mapping[str, Scores],
    *,
    settings: Mapping[str, Any],
    seconds: float,
    variant: str = "",
    train_clips: int | None = None,
    features: Floats,
    predictions: Ints | None = None,
    logits: NDArray[Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Put a result together and write it to ``eval/`` of the first run.

    Args:
        trial: What was evaluated.
        protocol: Name of the protocol.
        scores: The headline first.
        baselines: By name.
        settings: What the protocol was run with, and what it chose.
        seconds: How long it took.
        variant: What tells this result from others of the protocol, such as the k of k-NN.
        train_clips: Training clips that were used; all of the split if None.
        features: Of all clips.
        predictions: Of the test clips, (N_test,); or of several trainings (repeats, N_test), of which the
            first is what a report shows.
        logits: Of the test clips.
        more: Further facts.
    """
    store, split, members = trial.store, trial.split, trial.members
    result = {
        "protocol": protocol,
        "tag": trial.tag,
        "dataset": store.dataset,
        "store": store.hash,
        "split": split.name,
        "recipe": " + ".join(dict.fromkeys(member.run.recipe.name for member in members)),
        "stream": "+".join(member.stream for member in members),
        "runs": list(dict.fromkeys(str(member.run.path) for member in members)),
        "seed": trial.run.recipe.train.seed,
        "epochs": len(trial.run.metrics()),
        "headline": next(iter(scores)),
        **scores,
        "baselines": dict(baselines),
        "settings": {**settings, **({"weights": trial.weights} if len(members) > 1 else {})},
        "train_clips": len(split.train) if train_clips is None else train_clips,
        "test_clips": len(split.test),
        "test_clips_that_are_copies": len(trial.copies),
        "test_clips_seen_in_pretraining": trial.seen,
        "seconds": round(seconds, 2),
        **(more or {}),
    }
    file = _file(trial, protocol, variant + (f"-{trial.tag}" if trial.tag else ""))
    if predictions is not None:
        _write_predictions(file.with_suffix(".npz"), trial, predictions, logits)
    text = json.dumps(result, indent=1)
    write_text(file, text)
    shown = predictions if predictions is None or predictions.ndim == 1 else predictions[0]
    return Evaluation(json.loads(text), store, split, features, shown, logits)


def _write_predictions(file: Path, trial: Trial, predictions: Ints, logits: NDArray[Any] | None) -> None:
    """What a comparison with another run on the same clips needs."""
    test = trial.split.test
    arrays = {
        "predictions": predictions,
        "labels": trial.store.labels[test],
        "clips": test,
        "groups": trial.store.subjects[test],
        "copies": trial.copies,
        **({} if logits is None else {"logits": logits}),
    }
    write_atomically(file, lambda target: np.savez(target, allow_pickle=False, **arrays))


def _file(trial: Trial, protocol: str, variant: str) -> Path:
    members, first = trial.members, trial.run
    folder = first.path / "eval"
    folder.mkdir(exist_ok=True)
    name = f"{trial.store.dataset}-{trial.split.name}-{protocol}{variant}"
    if len(members) > 1:
        name += "-fused"
        if len({member.weight for member in members}) > 1:
            name += "".join(f"-{member.weight:g}" for member in members)
        others = dict.fromkeys(member.run.path.name for member in members if member.run != first)
        name += "".join(f"-{other}" for other in others)
    elif len(first.streams) > 1:
        name += f"-{members[0].stream}"
    return folder / f"{name}.json"
