"""Few labels: `fit` on a frozen encoder against the same classifier on features without any pretraining.

``python integration/benchmarks/few_labels.py RUN ...`` takes runs of one recipe with different seeds, and
the recordings that they were pretrained on. For each run it draws some labels of each class from the training
part of the split, with the seed of the run, and tests on the test part. The table has mean and standard
deviation of the accuracy over the runs.

With ``--choose`` nothing is tested on the test part: each group of the training part is held out in turn, and
the labels are drawn from the others: for the choice of a classifier.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve
from numpy.typing import NDArray

from skel_data import Split
from skel_eval import spread, summarise
from skel_recipes import Run
from skel_recipes.cli.output import note, say, table
from skel_recipes.evaluate.inputs import EvaluationInputs, encoder_refs
from skel_recipes.model.fit import fit_heads
from skel_recipes.model.heads import FITS
from skel_recipes.model.model import apply_heads

Ints = NDArray[np.int64]
FEATURES = {
    "pretrained encoder": "trained",
    "untrained encoder": "untrained",
    "coordinates": "coordinates",
    "joint distances": "distances",
}


def draw(labels: Ints, rows: Ints, count: int, seed: int) -> Ints:
    """So many rows of each class, at random; all of a class that has fewer."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(rows[labels[rows] == label])[:count] for label in np.unique(labels[rows])]
    return np.sort(np.concatenate(chosen))


def features_of(inputs: EvaluationInputs, source: str) -> list[NDArray[Any]]:
    """Features (N, D) of each encoder, or hand-made ones."""
    if source in ("trained", "untrained"):
        return [inputs.features(one, trained=source == "trained") for one in inputs.encoders]
    return [inputs.handmade_of(source, inputs.clips)]


def accuracies(
    inputs: EvaluationInputs, features: dict[str, list[NDArray[Any]]], split: Split, heads: Sequence[str]
) -> dict[tuple[str, str], float]:
    """Accuracy on the test part of a split, by features and head, fitted as `skel_recipes.fit` does."""
    some = evolve(inputs, split=split)
    labels, classes = inputs.store.labels, len(inputs.store.classes)
    known, groups = torch.from_numpy(labels[split.train]), torch.from_numpy(some.groups)
    test = split.test[labels[split.test] >= 0]
    found = {}
    for name, parts in features.items():
        weights = tuple(inputs.weights) if len(parts) == len(inputs.weights) else (1.0,)
        for head in heads:
            train = [x[split.train] for x in parts]
            fitted, _ = fit_heads(head, train, known, groups, weights, classes)
            logits = apply_heads(fitted, [x[test] for x in parts], weights, classes)
            found[name, head] = float((logits.argmax(1).numpy() == labels[test]).mean())
    return found


def measure(run: Run, count: int, heads: Sequence[str], *, choose: bool) -> dict[tuple[str, str], float]:
    """Accuracies of one run, with labels drawn by its seed."""
    inputs = EvaluationInputs.of(encoder_refs([run]), run.found_store())
    seed, train, labels = run.recipe.train.seed, inputs.split.train, inputs.store.labels
    if not choose:
        features = {name: features_of(inputs, source) for name, source in FEATURES.items()}
        rows = draw(labels, train, count, seed)
        return accuracies(inputs, features, evolve(inputs.split, train=rows), heads)
    features = {"pretrained encoder": features_of(inputs, "trained")}
    folds = []
    for group in np.unique(inputs.groups):
        held = inputs.groups == group
        rows = draw(labels, train[~held], count, seed)
        folds.append(accuracies(inputs, features, Split(f"without {group}", rows, train[held]), heads))
    return {key: float(np.mean([one[key] for one in folds])) for key in folds[0]}


def main() -> None:
    """Print the table of the runs that the command line names."""
    parser = argparse.ArgumentParser(prog="few_labels", description="fit with few labels against baselines.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--labels", type=int, default=3, help="labels of each class (3)")
    parser.add_argument(
        "--heads", nargs="+", choices=list(FITS), default=["linear"], help="classifiers (linear)"
    )
    parser.add_argument("--choose", action="store_true", help="hold out groups of the training part")
    chosen = parser.parse_args()

    found = []
    for path in chosen.runs:
        found.append(measure(Run.open(path), chosen.labels, chosen.heads, choose=chosen.choose))
        note(
            f"{path}: " + ", ".join(f"{name}, {head} {100 * x:.1f}" for (name, head), x in found[-1].items())
        )
    names = list(dict.fromkeys(name for name, _ in found[0]))
    rows = [("features", *chosen.heads)]
    for name in names:
        values = [[one[name, head] for one in found] for head in chosen.heads]
        rows.append((name, *(spread(summarise(value)) for value in values)))
    say(table(rows))


if __name__ == "__main__":
    main()
