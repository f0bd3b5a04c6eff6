import numpy as np
import pytest
import torch

import skel_eval
from skel_eval.protocols import few_shot as module


def clusters(seed, rows=200, classes=8, spread=1.0, width=6):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    return rng.normal(size=(classes, width))[labels] + spread * rng.normal(size=(rows, width)), labels


def test_few_shot_separated_and_collapsed_features():
    x, y = clusters(0, spread=1e-6)
    result = skel_eval.few_shot(x, y, queries=5, episodes=30)
    assert (result.accuracies == 1).all()
    assert (result.accuracy, result.margin) == (1, 0)
    collapsed = skel_eval.few_shot(np.ones_like(x), y, queries=5, episodes=30)
    assert (collapsed.accuracies == 1 / 5).all()


@pytest.mark.parametrize(("ways", "shots", "seed"), [(5, 1, 0), (3, 4, 1)])
def test_few_shot_numbers_naive_loop(ways, shots, seed):
    """Independent episodes of a plain loop have the same mean: two samples of one distribution."""
    x, y = clusters(3)
    result = skel_eval.few_shot(x, y, ways=ways, shots=shots, queries=6, episodes=1500, seed=seed)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rng = np.random.default_rng(99 + seed)
    accuracies = []
    for _ in range(1500):
        classes = rng.choice(8, ways, replace=False)
        rows = [rng.choice(np.flatnonzero(y == label), shots + 6, replace=False) for label in classes]
        means = np.stack([unit[part[:shots]].mean(0) for part in rows])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        hits = [(means @ unit[row]).argmax() == way for way in range(ways) for row in rows[way][shots:]]
        accuracies.append(np.mean(hits))
    error = 1.96 * np.std(accuracies, ddof=1) / np.sqrt(1500)
    assert result.margin == pytest.approx(error, rel=0.1)
    assert abs(result.accuracy - np.mean(accuracies)) < 2 * error  # 2.8 standard errors of the difference
    assert result.accuracy == np.mean(result.accuracies)


def test_few_shot_queries_are_other_clips_each_once():
    """Each clip is a direction of its own, so a query is right only if it is its own exemplar."""
    y = np.repeat(np.arange(5), 7)
    result = skel_eval.few_shot(np.eye(35), y, queries=6, episodes=20)
    # all cosines are 0 and the first way takes all queries: 6 of 30 are right, unless a known clip is asked
    assert (result.accuracies == 1 / 5).all()


def test_few_shot_groups_are_not_shared():
    """Clips of a person are the same whatever they do; only groups keep known clips and queries apart."""
    rng = np.random.default_rng(0)
    people = np.tile(np.arange(4), 30)
    y = np.repeat(np.arange(3), 40)
    x = np.eye(12)[people + 4 * y] + 1e-3 * rng.normal(size=(120, 12))
    with_person = skel_eval.few_shot(x, y, ways=3, shots=1, queries=10, episodes=200)
    other_person = skel_eval.few_shot(x, y, ways=3, shots=1, queries=10, episodes=200, groups=people)
    guessing = 1 / 3
    assert with_person.accuracy > guessing + 0.1
    assert abs(other_person.accuracy - guessing) < 3 * other_person.margin
    alone = skel_eval.few_shot(x, y, ways=3, shots=1, queries=10, episodes=200, groups=np.arange(120))
    np.testing.assert_array_equal(alone.accuracies, with_person.accuracies)


def test_few_shot_law_blocks_and_scale_do_not_matter(monkeypatch):
    x, y = clusters(5)
    y[::9] = -1
    plain = skel_eval.few_shot(x, y, queries=5, episodes=40, seed=3)
    scaled = x * np.random.default_rng(0).uniform(0.1, 10, (len(x), 1))
    monkeypatch.setattr(module, "BLOCK_SIZE", 1)  # one episode at a time
    single = skel_eval.few_shot(torch.tensor(scaled), torch.tensor(y), queries=5, episodes=40, seed=3)
    np.testing.assert_array_equal(plain.accuracies, single.accuracies)
    other = skel_eval.few_shot(x, y, queries=5, episodes=40, seed=4)
    assert (other.accuracies != plain.accuracies).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ways": 9}, "an episode of 9 ways needs as many classes, got 8"),
        ({"queries": 100}, "class 0 has .* for 100 queries"),
        ({"groups": np.zeros(200, int)}, "clips of 1 groups: with the 1 largest groups taken, 0 are left"),
        ({"shots": 0}, "at least 1"),
        ({"episodes": 1}, "episodes must be at least 2, got 1"),
        ({"y": np.zeros(3, int)}, r"y must have shape \(200,\)"),
        ({"groups": np.zeros(3, int)}, r"groups must have shape \(200,\)"),
    ],
)
def test_few_shot_errors(change, message):
    x, y = clusters(0)
    with pytest.raises(ValueError, match=message):
        skel_eval.few_shot(**({"x": x, "y": y, "queries": 5} | change))


def test_one_shot_numbers_naive_loop():
    x, y = clusters(1)
    exemplars = np.array([np.flatnonzero(y == label)[2] for label in (6, 1, 3)])
    result = skel_eval.one_shot(x, y, exemplars)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows = [row for row in range(len(x)) if y[row] in (1, 3, 6) and row not in exemplars]
    expected = [y[exemplars[(unit[exemplars] @ unit[row]).argmax()]] for row in rows]
    np.testing.assert_array_equal(result.clips, rows)
    np.testing.assert_array_equal(result.classes, expected)
    np.testing.assert_array_equal(result.labels, y[rows])


@pytest.mark.parametrize(
    ("exemplars", "message"),
    [
        ([0, 200], "exemplars must be rows of x, 0..199, got"),
        ([-1], "exemplars must be rows of x"),
        ([], "exemplars must be rows of x"),
        ([0, 1], r"different classes, one each, got classes \[0, 0\]"),
        ([5], "different classes"),
        ([6], "no query is left"),
    ],
)
def test_one_shot_errors(exemplars, message):
    x, y = clusters(0)
    y[[0, 1]], y[5], y[6] = 0, -1, 99
    with pytest.raises(ValueError, match=message):
        skel_eval.one_shot(x, y, np.array(exemplars, int))
