"""Clusters of features, with the nearest neighbours of each row."""

import numpy as np
from attrs import define, field

from skel_eval._arrays import Array, as_count, as_features, unit_rows

_BLOCK = 1024


@define(frozen=True, eq=False)
class Clusters:
    """Clusters of N rows by k-means on features of length 1.

    Attributes:
        cluster: Cluster of each row, (N,); cluster 0 is the largest.
        distance: Euclidean distance of each row to the centre of its cluster, (N,).
        neighbours: The rows nearest to each row, nearest first, (N, J).
        similarities: Their cosine similarities, (N, J).
    """

    cluster: np.ndarray = field(repr=False)
    distance: np.ndarray = field(repr=False)
    neighbours: np.ndarray = field(repr=False)
    similarities: np.ndarray = field(repr=False)

    def members(self, cluster: int) -> np.ndarray:
        """Rows of a cluster, those nearest to its centre first."""
        rows = np.flatnonzero(self.cluster == cluster)
        members: np.ndarray = rows[np.argsort(self.distance[rows], kind="stable")]
        return members


def find_clusters(
    x: Array, clusters: int, *, neighbours: int = 5, seed: int = 0, restarts: int = 10
) -> Clusters:
    """Cluster features by k-means, without labels.

    Args:
        x: Features, (N, D); they are brought to length 1.
        clusters: Number of clusters.
        neighbours: Number of nearest rows that are noted for each row, if there are enough others.
        seed: Seed of the initial centres.
        restarts: How often k-means starts again.

    Raises:
        TypeError: If features are no array, or a number is no whole number.
        ValueError: If there are fewer different rows than clusters, or a number is too small.
    """
    features = unit_rows(as_features(x, "x")).cpu().numpy()
    count, restarts = as_count(clusters, "clusters"), as_count(restarts, "restarts")
    of, centres = k_means(features, count, seed=as_count(seed, "seed", 0), restarts=restarts)
    order = np.argsort(-np.bincount(of, minlength=count), kind="stable")
    renamed = np.empty(count, np.int64)
    renamed[order] = np.arange(count)
    distance = np.linalg.norm(features - centres[of], axis=1)
    wanted = min(as_count(neighbours, "neighbours"), len(features) - 1)
    found, similar = [], []
    for start in range(0, len(features), _BLOCK):
        block = features[start : start + _BLOCK] @ features.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        nearest = np.argsort(-block, axis=1, kind="stable")[:, :wanted]
        found.append(nearest)
        similar.append(np.take_along_axis(block, nearest, 1))
    return Clusters(renamed[of], distance, np.concatenate(found), np.concatenate(similar))


def k_means(
    features: np.ndarray, clusters: int, *, seed: int = 0, restarts: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster of each row, (N,), and the centres, (K, D).

    Raises:
        ValueError: If there are fewer different rows than clusters.
    """
    from sklearn.cluster import KMeans

    different = len(np.unique(features, axis=0))
    if clusters > different:
        raise ValueError(f"{clusters} clusters need as many different rows, there are {different}")
    found = KMeans(clusters, n_init=restarts, random_state=seed).fit(features)
    return found.labels_.astype(np.int64), found.cluster_centers_
