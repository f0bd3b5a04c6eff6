"""Every protocol by name, on features that come with their split: one call, one set of scores."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from attrs import asdict, define, evolve, field

from skel_eval._calibration import calibration
from skel_eval._clustering import clustering
from skel_eval._feature_set import FeatureSet
from skel_eval._few_shot import few_shot
from skel_eval._fuse import fuse, fusion_weights, side_by_side
from skel_eval._knn import knn
from skel_eval._linear import linear_probe
from skel_eval._linear_settings import LinearProbe
from skel_eval._metrics import accuracy, confusion_matrix, per_class_accuracy
from skel_eval._mlp import MlpProbe, mlp_probe
from skel_eval._retrieval import RetrievalResult, retrieval

Settings = TypeVar("Settings")


@define(frozen=True, eq=False)
class Outcome:
    """What a protocol says of features.

    Attributes:
        scores: By name, the headline first.
        without_copies: The headline on the test rows that are no copy of a training clip; None if there
            are no copies, nothing else, or they do not matter.
        settings: What the protocol was run with, and what it chose.
        predictions: Class of each test row, (N_test,), where the protocol classifies.
        logits: (N_test, classes), where it has them.
    """

    scores: dict[str, float]
    without_copies: float | None = None
    settings: dict[str, Any] = field(factory=dict)
    predictions: np.ndarray | None = field(default=None, repr=False)
    logits: np.ndarray | None = field(default=None, repr=False)


def evaluate_features(
    features: FeatureSet | Sequence[FeatureSet],
    protocol: str,
    *,
    weights: Sequence[float] | None = None,
    device: str | None = None,
    **options: Any,
) -> Outcome:
    """Run a protocol on features.

    - ``linear``: `LinearProbe` as ``settings``; the headline is the accuracy.
    - ``mlp``: `MlpProbe` as ``settings``; the accuracy.
    - ``knn``: ``k``, ``temperature``; the accuracy.
    - ``retrieval``: ``ks``, by default those of 1, 5 and 10 that the gallery has; the recall at the first k.
      Queries whose class the gallery lacks do not count; the settings say how many.
    - ``few-shot``: ``ways``, ``shots``, ``queries``, ``episodes``, ``seed``, ``by_group``; the accuracy. With
      ``by_group`` no query of a class comes from a group of its known clips.
    - ``clustering``: ``clusters``, ``seed``, ``restarts``; the normalised mutual information.

    Training rows are what probes are trained on, where nearest neighbours are looked for, and the gallery of
    retrieval. Few-shot episodes and clusters are made of the test rows alone.

    Args:
        features: The features; or those of several encoders for the same rows, which are fused: linear and
            mlp add their logits, the others their cosine similarities.
        protocol: One of these names.
        weights: One number >= 0 for each encoder; None for equal ones. The calibration error of fused
            logits is that of their weighted mean.
        device: Where to compute.
        options: Those of the protocol.

    Raises:
        ValueError: If there is no such protocol, no set or sets of other rows, no test row has a label,
            weights do not match the sets, or an option is out of range.
        TypeError: If the protocol has no such option, or its settings are of another class.
    """
    if protocol not in _RUN:
        raise ValueError(f"no protocol {protocol!r}; there are {', '.join(_RUN)}")
    sets = [features] if isinstance(features, FeatureSet) else list(features)
    for one in sets:
        if not (one.labels[one.test] >= 0).any():
            raise ValueError(f"none of {len(one.test)} test rows has a label")
    if not sets:
        raise ValueError("expected one set of features or more, got none")
    run = _RUN[protocol]
    allowed = [name for name in inspect.signature(run).parameters if name not in ("features", "device")]
    if unknown := [name for name in options if name not in allowed]:
        raise TypeError(f"protocol {protocol!r} has no option {unknown[0]!r}; there are {', '.join(allowed)}")
    factors = fusion_weights(weights, len(sets))
    if len(sets) == 1:
        return run(sets[0], device=device, **options)
    first = _same_rows(sets)
    if protocol not in _WITH_LOGITS:
        joined = side_by_side([one.features for one in sets], weights)
        return run(evolve(first, features=joined), device=device, **options)
    outcomes = [run(one, device=device, **options) for one in sets]
    logits = fuse([_of(outcome) for outcome in outcomes], weights)
    settings = {key: [one.settings[key] for one in outcomes] for key in outcomes[0].settings}
    # as a mean: a sum is surer than each of the streams, the more so the larger the weights
    return _classified(first, logits.argmax(1), logits / sum(factors), settings)


def _linear(
    features: FeatureSet, *, settings: LinearProbe | None = None, device: str | None = None
) -> Outcome:
    settings = _of_class(settings, LinearProbe)
    probe = linear_probe(*_arrays(features), settings=settings, groups=features.train_groups, device=device)
    used: dict[str, Any] = {"solver": settings.solver, "regularisation": probe.strength}
    if settings.solver != "lbfgs":
        used |= asdict(settings)
    return _classified(features, probe.predictions, probe.logits, used)


def _mlp(features: FeatureSet, *, settings: MlpProbe | None = None, device: str | None = None) -> Outcome:
    settings = _of_class(settings, MlpProbe)
    probe = mlp_probe(*_arrays(features), settings=settings, device=device)
    return _classified(features, probe.predictions, probe.logits, asdict(settings))


def _knn(features: FeatureSet, *, k: int = 1, temperature: float = 0.1, device: str | None = None) -> Outcome:
    train_x, train_y, test_x, _ = _arrays(features)
    found = knn(train_x, train_y, test_x, k=k, temperature=temperature, device=device)
    return _classified(features, found.predictions, None, {"k": k, "temperature": temperature})


def _retrieval(
    features: FeatureSet, *, ks: Sequence[int] | None = None, device: str | None = None
) -> Outcome:
    x, y, train = features.features, features.labels, features.train
    if ks is None:
        size = int((y[train] >= 0).sum())
        ks = [k for k in (1, 5, 10) if k <= size]

    def search(rows: np.ndarray) -> RetrievalResult:
        return retrieval(x[train], y[train], x[rows], y[rows], ks=ks, device=device)

    every = search(features.test)
    scores = {f"recall_at_{k}": value for k, value in every.recall.items()}
    scores["mean_average_precision"] = every.mean_average_precision
    kept = np.setdiff1d(features.test, features.copies)
    kept = kept[np.isin(y[kept], y[train]) & (y[kept] >= 0)]
    apart = next(iter(search(kept).recall.values())) if len(features.copies) and len(kept) else None
    settings = {"ks": list(every.recall), "queries": every.queries, "without_match": every.without_match}
    return Outcome(scores, apart, settings)


def _few_shot(
    features: FeatureSet,
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int = 5,
    episodes: int = 1000,
    seed: int = 0,
    by_group: bool = False,
    device: str | None = None,
) -> Outcome:
    x, y = features.features[features.test], features.labels[features.test]
    if by_group and features.groups is None:
        raise ValueError("by_group needs features with groups")
    groups = np.asarray(features.groups)[features.test] if by_group else None
    used: dict[str, Any] = {
        "ways": ways,
        "shots": shots,
        "queries": queries,
        "episodes": episodes,
        "seed": seed,
    }
    found = few_shot(x, y, **used, groups=groups, device=device)
    scores = {"accuracy": found.accuracy, "margin": found.margin}
    return Outcome(scores, settings=used | {"by_group": by_group})


def _clustering(
    features: FeatureSet,
    *,
    clusters: int | None = None,
    seed: int = 0,
    restarts: int = 10,
    device: str | None = None,  # noqa: ARG001 (k-means runs on the CPU)
) -> Outcome:
    x, y = features.features[features.test], features.labels[features.test]
    found = clustering(x, y, clusters=clusters, seed=seed, restarts=restarts)
    asked = len(np.unique(y[y >= 0])) if clusters is None else clusters
    used = {"clusters": asked, "seed": seed, "restarts": restarts}
    return Outcome({"nmi": found.nmi, "ari": found.ari, "accuracy": found.accuracy}, settings=used)


_RUN: dict[str, Callable[..., Outcome]] = {
    "linear": _linear,
    "mlp": _mlp,
    "knn": _knn,
    "retrieval": _retrieval,
    "few-shot": _few_shot,
    "clustering": _clustering,
}
_WITH_LOGITS = {"linear", "mlp"}


def _arrays(features: FeatureSet) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features and labels of the training rows, then of the test rows."""
    x, y = features.features, features.labels
    return x[features.train], y[features.train], x[features.test], y[features.test]


def _classified(
    features: FeatureSet, predictions: np.ndarray, logits: np.ndarray | None, settings: dict[str, Any]
) -> Outcome:
    """Scores of predictions for the test rows."""
    truth = features.labels[features.test]
    by_class = per_class_accuracy(confusion_matrix(truth, predictions))
    scores = {"accuracy": accuracy(predictions, truth), "mean_class_accuracy": float(np.nanmean(by_class))}
    if logits is not None:
        scores["calibration_error"] = calibration(logits, truth).expected_error
    copies = np.isin(features.test, features.copies)
    kept = ~copies & (truth >= 0)
    apart = accuracy(predictions[kept], truth[kept]) if kept.any() and copies.any() else None
    return Outcome(scores, apart, settings, predictions, logits)


def _of_class(settings: Settings | None, wanted: type[Settings]) -> Settings:
    """The settings of a protocol, or its defaults."""
    if settings is None:
        return wanted()
    if not isinstance(settings, wanted):
        raise TypeError(f"settings must be a {wanted.__name__}, got a {type(settings).__name__}")
    return settings


def _same_rows(sets: Sequence[FeatureSet]) -> FeatureSet:
    first = sets[0]
    for other in sets[1:]:
        for name in ("labels", "train", "test"):
            if not np.array_equal(getattr(first, name), getattr(other, name)):
                raise ValueError(f"features that are fused must be of the same rows: {name} differ")
    return first


def _of(outcome: Outcome) -> np.ndarray:
    if outcome.logits is None:
        raise ValueError("the protocol has no logits to fuse")
    return outcome.logits
