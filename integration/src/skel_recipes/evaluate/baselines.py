"""Baselines of an evaluation: what a method has to beat before it has learned anything."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from skel_eval import HANDMADE, Metric, Outcome, Result, linear_probe
from skel_recipes.evaluate.handmade import LARGEST
from skel_recipes.evaluate.inputs import EvaluationInputs, Ints


def accuracy_of(inputs: EvaluationInputs, predictions: Ints) -> Metric:
    """Accuracy on the test clips; of several repeats (repeats, N_test) their mean.

    Test clips without a label do not count.
    """
    labels, copies = inputs.store.labels[inputs.split.test], np.isin(inputs.split.test, inputs.copies)
    hits = np.atleast_2d(predictions) == labels
    known = labels >= 0
    kept = known & ~copies
    rates = hits[:, known].mean(1)
    return Metric(
        float(rates.mean()),
        float(hits[:, kept].mean()) if kept.any() and copies.any() else None,
        float(rates.std(ddof=1)) if len(rates) > 1 else None,
    )


def simple_classifiers(inputs: EvaluationInputs, subsets: Sequence[Ints] = ()) -> tuple[Result, ...]:
    """Results of linear classifiers on hand-made features, to their optimum, and of the most frequent class.

    Args:
        inputs: Clips and split.
        subsets: Rows of the labelled training clips, of each repeat; empty for all of the split's.
    """
    what = {"head": "linear", "rows": [rows.tolist() for rows in subsets], "numbers": LARGEST}
    found = [
        inputs.kept({"model": name, **what}, partial(_linear, inputs, name, subsets), of_run=False)
        for name in HANDMADE
    ]
    return (*found, most_frequent_class(inputs, subsets))


def most_frequent_class(inputs: EvaluationInputs, subsets: Sequence[Ints] = ()) -> Result:
    """The result of predicting the most frequent class of the training clips, or of each subset of them."""
    test, labels = inputs.split.test, inputs.store.labels
    most = [np.bincount(labels[rows]).argmax() for rows in list(subsets) or [inputs.split.train]]
    predictions = np.repeat(np.array(most)[:, None], len(test), 1)
    chance = Outcome({"accuracy": accuracy_of(inputs, predictions)}, predictions=predictions)
    return result_of(inputs, "chance", "most frequent class", chance)


def _linear(inputs: EvaluationInputs, name: str, subsets: Sequence[Ints]) -> Result:
    train, test, labels = inputs.split.train, inputs.split.test, inputs.store.labels
    features = inputs.handmade_of(name, inputs.clips)
    fitted = [
        linear_probe(
            features[rows],
            labels[rows],
            features[test],
            labels[test],
            groups=inputs.groups[np.isin(train, rows)],
            device=inputs.device,
        )
        for rows in list(subsets) or [train]
    ]
    predictions = np.stack([one.predictions for one in fitted])
    strengths = [one.strength for one in fitted]
    outcome = Outcome(
        {"accuracy": accuracy_of(inputs, predictions)},
        {"regularisation": strengths if subsets else strengths[0]},
        predictions,
    )
    return result_of(inputs, name, "linear", outcome)


def result_of(
    inputs: EvaluationInputs, model: str, protocol: str, outcome: Outcome, *, title: str = "", **more: Any
) -> Result:
    """Result from what a protocol measured.

    Args:
        inputs: What it was measured on.
        model: Name of the recipe or of the baseline.
        protocol: Name of the protocol.
        outcome: What the protocol measured.
        title: What the protocol is called with its settings.
        more: Further attributes of the result.
    """
    return Result(
        model=model,
        protocol=protocol,
        metrics=outcome.metrics,
        variant="" if title == protocol else title,
        settings=outcome.settings,
        details=outcome.details,
        predictions=inputs.predictions_of(outcome),
        **inputs.identity,
        **more,
    )
