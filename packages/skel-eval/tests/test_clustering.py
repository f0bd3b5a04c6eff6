from itertools import permutations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

import skel_eval
from skel_eval.protocols.clustering import _mapped_accuracy


def test_clustering_finds_separated_classes_whatever_the_length(task_of_seed):
    rng = np.random.default_rng(0)
    labels = np.array([4, 7, 9])[rng.integers(0, 3, 90)]
    x = np.eye(10)[labels] + 0.01 * rng.normal(size=(90, 10))
    result = skel_eval.clustering(x * rng.uniform(0.1, 100, (90, 1)), labels)
    assert result.nmi == pytest.approx(1, abs=1e-12)
    assert result.ari == result.accuracy == 1
    assert len(np.unique(result.clusters)) == 3


@pytest.mark.parametrize("clusters", [None, 3, 6])
def test_clustering_numbers_scikit_learn(task, clusters):
    x, labels = task[0], task[1].copy()
    labels[::10] = -1
    result = skel_eval.clustering(x, labels, clusters=clusters, seed=3, restarts=2)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = KMeans(clusters or 4, n_init=2, random_state=3).fit_predict(unit)
    known = labels >= 0
    assert adjusted_rand_score(expected, result.clusters) > 0.99  # the same but for rounding
    guess, truth = result.clusters[known], labels[known]
    assert result.nmi == normalized_mutual_info_score(truth, guess)
    assert result.ari == adjusted_rand_score(truth, guess)
    size = max(4, guess.max() + 1)
    best = max(np.mean(np.array(way)[guess] == truth) for way in permutations(range(size)))
    assert result.accuracy == pytest.approx(best, abs=1e-12)


def test_mapped_accuracy_is_one_to_one():
    """Of two clusters in one class only one counts; the majority class is not always the best."""
    assert _mapped_accuracy(np.array([0, 0, 0, 0]), np.array([0, 0, 1, 2])) == pytest.approx(1 / 2)
    truth, guess = np.array([0] * 5 + [1] * 3), np.array([0, 0, 0, 1, 1, 0, 0, 0])
    assert _mapped_accuracy(truth, guess) == pytest.approx(5 / 8)  # cluster 0 is class 1, cluster 1 class 0


def test_clustering_collapsed_features_score_as_chance():
    labels = np.arange(20) % 4
    with pytest.warns(Warning, match="distinct clusters"):
        result = skel_eval.clustering(np.ones((20, 3)), labels)
    assert (result.nmi, result.ari) == (0, 0)
    assert result.accuracy == pytest.approx(1 / 4)


def test_clustering_errors(task):
    x, labels = task[:2]
    with pytest.raises(ValueError, match="clusters must lie in 1..120"):
        skel_eval.clustering(x, labels, clusters=121)
    with pytest.raises(ValueError, match="y has no labelled row"):
        skel_eval.clustering(x, np.full(120, -1))
    with pytest.raises(ValueError, match="restarts must be at least 1"):
        skel_eval.clustering(x, labels, restarts=0)
