"""Clustering by k-means, compared with the classes."""

from typing import ClassVar, Literal

import numpy as np
from attrs import asdict, define, field

from skel_eval._arrays import Array, as_count, as_features, as_labels, unit_rows
from skel_eval._feature_set import FeatureSet
from skel_eval._result import Metric
from skel_eval.protocols.protocol import Outcome


@define(frozen=True)
class Clustering:
    """Clustering: k-means clusters of the test clips against their classes.

    Attributes:
        clusters: Number of clusters; None for the number of classes.
        seed: Seed of the initial centres.
        restarts: How often k-means starts again.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "features"
    title: ClassVar[str] = "clustering"
    clusters: int | None = None
    seed: int = 0
    restarts: int = 10

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:  # noqa: ARG002
        """Cluster the test rows, on the CPU; the main metric is the normalised mutual information."""
        _, _, x, y = features.arrays()
        found = clustering(x, y, **asdict(self))
        asked = len(np.unique(y[y >= 0])) if self.clusters is None else self.clusters
        metrics = {"nmi": found.nmi, "ari": found.ari, "accuracy": found.accuracy}
        used = asdict(self) | {"clusters": asked}
        return Outcome({name: Metric(value) for name, value in metrics.items()}, used)


@define(frozen=True, eq=False)
class ClusteringResult:
    """What `clustering` found; scores are over the labelled rows.

    Attributes:
        clusters: Cluster of each row, (N,).
        nmi: Normalised mutual information of clusters and classes, by the arithmetic mean of the entropies.
        ari: Adjusted Rand index: 0 for clusters by chance, 1 for the classes themselves.
        accuracy: Share of rows that are right under the best one-to-one map of clusters to classes; rows of
            clusters that are left over are wrong.
    """

    clusters: np.ndarray = field(repr=False)
    nmi: float
    ari: float
    accuracy: float


def clustering(
    x: Array, y: Array, *, clusters: int | None = None, seed: int = 0, restarts: int = 10
) -> ClusteringResult:
    """Cluster the normalised features by k-means and compare the clusters with the classes.

    The labels choose nothing but the number of clusters; of the restarts the one with the least squared
    distances is taken.

    Args:
        x: Features, (N, D).
        y: Classes, (N,); rows with a negative label are clustered, but do not count.
        clusters: Number of clusters; None means the number of classes that occur.
        seed: Seed of the initial centres.
        restarts: How often k-means starts again.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, no row is labelled, `clusters` is not in 1..N, or
            `restarts` is below 1.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    features = unit_rows(as_features(x, "x")).cpu().numpy()
    labels = as_labels(y, len(features), "y").numpy()
    known = labels >= 0
    if not known.any():
        raise ValueError("y has no labelled row: every label is negative")
    classes, truth = np.unique(labels[known], return_inverse=True)
    count = len(classes) if clusters is None else as_count(clusters, "clusters")
    if count > len(features):
        raise ValueError(f"clusters must lie in 1..{len(features)}, the number of rows, got {count}")
    restarts, seed = as_count(restarts, "restarts"), as_count(seed, "seed", 0)
    found = KMeans(count, n_init=restarts, random_state=seed).fit_predict(features).astype(np.int64)
    guess = found[known]
    return ClusteringResult(
        clusters=found,
        nmi=float(normalized_mutual_info_score(truth, guess)),
        ari=float(adjusted_rand_score(truth, guess)),
        accuracy=_mapped_accuracy(truth, guess),
    )


def _mapped_accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    """Accuracy under the best one-to-one map; both arguments are numbered from 0, (N,)."""
    from sklearn.metrics import consensus_score

    size = int(max(truth.max(), guess.max())) + 1
    shares = np.bincount(truth * size + guess, minlength=size * size).reshape(size, size) / len(truth)
    # the assignment problem as scikit-learn offers it: the best map between two sets, by their similarities
    each = (np.eye(size), np.eye(size))
    return float(
        size * consensus_score(each, each, similarity=lambda a, _a, b, _b: shares[a.argmax(), b.argmax()])
    )
