"""Baselines of an evaluation: what a method has to beat before it has learned anything."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np

from skel_eval import HANDMADE, UNTRAINED, Metric, Outcome, Result, linear_probe
from skel_recipes.evaluate.handmade import LARGEST
from skel_recipes.evaluate.inputs import EvaluationInputs, Ints, Source


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


def kept_baselines(
    inputs: EvaluationInputs,
    name: str,
    protocol: Any,
    measure: Callable[[Source], Outcome],
    *,
    handmade: bool = True,
    **depends: Any,
) -> tuple[Result, ...]:
    """Results of the untrained encoders, then of hand-made features; those kept earlier are not measured.

    Args:
        inputs: Encoders, clips and split.
        name: Name of the protocol.
        protocol: The protocol, whose ``repr`` has every setting that a number depends on.
        measure: Measures features of one source by the protocol.
        handmade: Whether there are results of hand-made features.
        depends: What else they depend on, as plain data; ``settings`` in place of the ``repr``.
    """
    what = {"protocol": name, "settings": repr(protocol), "code": _code(type(protocol)), **depends}
    what["numbers"] = LARGEST
    sources = {UNTRAINED: "untrained"} | ({one: one for one in HANDMADE} if handmade else {})

    def result(model: str) -> Result:
        outcome = measure(cast("Source", sources[model]))
        return result_of(inputs, model, name, outcome, title=protocol.title)

    return tuple(
        inputs.kept({"model": model, **what}, partial(result, model), of_run=model == UNTRAINED)
        for model in sources
    )


def _code(kind: type) -> str:
    """Digest of the file of a class: what an edited protocol measured before is not its baseline any more."""
    try:
        return blake2b(Path(inspect.getfile(kind)).read_bytes(), digest_size=8).hexdigest()
    except (OSError, TypeError):  # typed into an interpreter
        return uuid4().hex


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
