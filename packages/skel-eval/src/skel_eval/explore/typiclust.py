"""TypiClust: which clips to label next."""

import numpy as np
from attrs import define, field

from skel_eval._arrays import Array, as_count, as_features, unit_rows
from skel_eval.explore.clusters import k_means

_NEIGHBOURS = 20
_MOST_CLUSTERS = 500
_BLOCK = 1024


@define(frozen=True, eq=False)
class Queries:
    """Rows to label next, the most useful first.

    Attributes:
        rows: Rows of the features, (B,).
        cluster: Cluster of each, (B,).
        typicality: Typicality of each, (B,).
    """

    rows: np.ndarray
    cluster: np.ndarray = field(repr=False)
    typicality: np.ndarray = field(repr=False)


def typiclust(x: Array, budget: int, *, labelled: np.ndarray | None = None, seed: int = 0) -> Queries:
    """Rows that are typical of their neighbourhood and differ from each other and from what has a label.

    The features are clustered by k-means into as many clusters as there are labels and queries together, at
    most 500. Clusters with the fewest labels come first, and of these the largest. Each in turn gives its
    most typical row: that with the least mean distance to its 20 nearest neighbours in the cluster. This is
    TypiClust of Hacohen, Dekel and Weinshall (arXiv 2202.02794), but that small clusters are not left out, as
    sets of recordings are small.

    Args:
        x: Features, (N, D); they are brought to length 1.
        budget: Number of queries.
        labelled: Rows that have a label; None for none.
        seed: Seed of the initial centres.

    Raises:
        TypeError: If features are no array.
        ValueError: If there are fewer rows without a label than queries.
    """
    features = unit_rows(as_features(x, "x")).cpu().numpy()
    budget, known = as_count(budget, "budget"), np.zeros(len(features), dtype=bool)
    known[np.asarray([] if labelled is None else labelled, np.int64)] = True
    if budget > (~known).sum():
        raise ValueError(f"{budget} queries need as many rows without a label, there are {(~known).sum()}")
    different = len(np.unique(features, axis=0))
    count = min(int(known.sum()) + budget, _MOST_CLUSTERS, different)
    of, _ = k_means(features, count, seed=seed)
    members = [np.flatnonzero(of == cluster) for cluster in range(count)]
    waiting = []  # of each cluster its rows without a label, the most typical last
    typicality = np.zeros(len(features))
    for rows in members:
        typicality[rows] = _typicality(features[rows])
        free = rows[~known[rows]]
        waiting.append(free[np.argsort(typicality[free], kind="stable")].tolist())
    labels = [int(known[rows].sum()) for rows in members]
    chosen: list[int] = []
    while len(chosen) < budget:
        cluster = min(
            (one for one in range(count) if waiting[one]), key=lambda one: (labels[one], -len(members[one]))
        )
        chosen.append(waiting[cluster].pop())
        labels[cluster] += 1
    rows = np.array(chosen, np.int64)
    return Queries(rows, of[rows], typicality[rows])


def _typicality(features: np.ndarray) -> np.ndarray:
    """Inverse of the mean distance to the nearest neighbours in a cluster, (N,); of a row alone 0."""
    near = min(_NEIGHBOURS, len(features) - 1)
    if near == 0:
        return np.zeros(1)
    means = []
    for start in range(0, len(features), _BLOCK):
        similar = features[start : start + _BLOCK] @ features.T
        distances = np.sqrt(np.maximum(2 - 2 * similar, 0))
        distances[np.arange(len(distances)), np.arange(start, start + len(distances))] = np.inf
        means.append(np.partition(distances, near - 1, axis=1)[:, :near].mean(1))
    typicality: np.ndarray = 1 / np.maximum(np.concatenate(means), 1e-6)
    return typicality
