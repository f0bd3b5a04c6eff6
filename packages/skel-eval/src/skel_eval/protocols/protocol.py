"""Evaluation protocols on frozen features: the interface, and running one by name."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from attrs import define, evolve, field, fields

from skel_eval._feature_set import FeatureSet
from skel_eval._fuse import fuse, fusion_weights, side_by_side
from skel_eval._metrics import accuracy, calibration, confusion_matrix, per_class_accuracy
from skel_eval._result import Metric
from skel_eval.protocols import PROTOCOLS


@define(frozen=True, eq=False)
class Outcome:
    """What a protocol measured.

    Attributes:
        metrics: Metrics by name; the first one is the main one.
        settings: What the protocol was run with, and what it chose.
        predictions: Class of each test row, (N_test,), where the protocol classifies; of several repeats
            (repeats, N_test).
        logits: (N_test, classes), where it has them.
        scores: (N_test, classes), what a late fusion adds of a protocol whose scores are no logits.
        details: Further findings, as JSON can hold them.
        counts: Numbers of clips that are other than the split's, such as ``train`` with few labels.
    """

    metrics: dict[str, Metric]
    settings: dict[str, Any] = field(factory=dict)
    predictions: np.ndarray | None = field(default=None, repr=False)
    logits: np.ndarray | None = field(default=None, repr=False)
    scores: np.ndarray | None = field(default=None, repr=False)
    details: dict[str, Any] = field(factory=dict)
    counts: dict[str, int] = field(factory=dict)


class FrozenProtocol(Protocol):
    """An evaluation protocol on frozen features: a frozen attrs class of settings that can be called.

    The first sentence of its docstring is what ``skel list protocols`` and the help of the command show.
    """

    fuses: ClassVar[Literal["logits", "features"]]
    """What a late fusion of several encoders adds: the logits, or the cosine similarities of features."""

    @property
    def title(self) -> str:
        """What the protocol is called with its settings, such as "5-NN"; one title for each question."""

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Run the protocol."""


def evaluate_features(
    features: FeatureSet | Sequence[FeatureSet],
    protocol: str | FrozenProtocol,
    *,
    weights: Sequence[float] | None = None,
    device: str | None = None,
    **options: Any,
) -> Outcome:
    """Run an evaluation protocol on features.

    Training rows are what probes are trained on, where nearest neighbours are looked for, and the gallery of
    retrieval. Few-shot episodes and clusters are made of the test rows alone.

    Args:
        features: The features; or those of several encoders for the same rows, which are fused: linear and
            mlp add their logits, rbf its scores, the others their cosine similarities; linear with the fusion
            joint trains one classifier on the features side by side.
        protocol: A protocol with its settings, such as ``KNN(k=5)``; or a name in `PROTOCOLS`.
        weights: One number >= 0 for each encoder; None for equal ones. The calibration error of fused
            logits is that of their weighted mean.
        device: Where to compute.
        options: Settings of a protocol that is given by name.

    Raises:
        ValueError: If there is no such protocol, no set or sets of other rows, no training or test row
            has a label, weights do not match the sets, differ for a joint head, or an option is out of range.
        TypeError: If the protocol has no such option, or is given with its settings and options.
    """
    run = _protocol(protocol, options)
    sets = [features] if isinstance(features, FeatureSet) else list(features)
    for one in sets:
        if not (one.labels[one.train] >= 0).any():
            raise ValueError(f"none of {len(one.train)} training rows has a label")
        if not (one.labels[one.test] >= 0).any():
            raise ValueError(f"none of {len(one.test)} test rows has a label")
    if not sets:
        raise ValueError("expected one set of features or more, got none")
    factors = fusion_weights(weights, len(sets))
    if len(sets) == 1:
        return run(sets[0], device=device)
    first = sets[0]
    for other in sets[1:]:
        for name in ("labels", "train", "test"):
            if not np.array_equal(getattr(first, name), getattr(other, name)):
                raise ValueError(f"features that are fused must be of the same rows: {name} differ")
    if getattr(run, "fusion", "late") == "joint":
        if len(set(factors)) > 1:
            raise ValueError(f"a joint head learns how much each stream counts: no weights, got {factors}")
        together = np.concatenate(
            [np.asarray(one.features).reshape(len(one.features), -1) for one in sets], 1
        )
        joint: Any = run
        outcome: Outcome = joint(evolve(first, features=together), device=device, encoders=len(sets))
        return outcome
    if run.fuses == "features":
        joined = side_by_side([one.features for one in sets], weights)
        return run(evolve(first, features=joined, masked=_masked(sets, weights)), device=device)
    outcomes = [run(one, device=device) for one in sets]
    fused = fuse([_scores(outcome) for outcome in outcomes], weights)
    settings = {key: [one.settings.get(key) for one in outcomes] for key in outcomes[0].settings}
    if outcomes[0].logits is None:
        return evolve(classified(first, fused.argmax(1), None, settings), scores=fused)
    # as a mean: a sum is surer than each of the streams, the more so the larger the weights
    return classified(first, fused.argmax(1), fused / sum(factors), settings)


def classified(
    features: FeatureSet, predictions: np.ndarray, logits: np.ndarray | None, settings: dict[str, Any]
) -> Outcome:
    """Outcome of a protocol that predicts the class of each test row; the main metric is the accuracy."""
    truth = features.labels[features.test]
    copies = np.isin(features.test, features.copies)
    kept = ~copies & (truth >= 0)
    distinct = accuracy(predictions[kept], truth[kept]) if kept.any() and copies.any() else None
    by_class = per_class_accuracy(confusion_matrix(truth, predictions))
    metrics = {
        "accuracy": Metric(accuracy(predictions, truth), distinct),
        "mean_class_accuracy": Metric(float(np.nanmean(by_class))),
    }
    if logits is not None:
        metrics["calibration_error"] = Metric(calibration(logits, truth).expected_error)
    return Outcome(metrics, settings, predictions, logits)


def _protocol(protocol: str | FrozenProtocol, options: Mapping[str, Any]) -> FrozenProtocol:
    if not isinstance(protocol, str):
        if options:
            raise TypeError(f"a protocol with its settings takes no options, got {', '.join(options)}")
        return protocol
    if protocol not in PROTOCOLS:
        raise ValueError(f"no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    module, _, name = PROTOCOLS[protocol].partition(":")
    kind = getattr(import_module(module), name)
    known = [setting.name for setting in fields(kind)]
    for option in options:
        if option not in known:
            nearest = get_close_matches(option, known, 1)
            raise TypeError(
                f"protocol {protocol!r} has no option {option!r}; there are {', '.join(known)}"
                + (f"; did you mean {nearest[0]}?" if nearest else "")
            )
    made: FrozenProtocol = kind(**options)
    return made


def _masked(sets: Sequence[FeatureSet], weights: Sequence[float] | None) -> np.ndarray | None:
    """Features of the masked views side by side, (N, views, sum of all D), if all sets have them."""
    each = [views for one in sets if (views := one.masked) is not None]
    if len(each) < len(sets) or len({one.shape[1] for one in each}) > 1:
        return None
    count = range(each[0].shape[1])
    return np.stack([side_by_side([one[:, view] for one in each], weights) for view in count], 1)


def _scores(outcome: Outcome) -> np.ndarray:
    scores = outcome.scores if outcome.logits is None else outcome.logits
    if scores is None:
        raise ValueError("the protocol has no logits to fuse")
    return scores
