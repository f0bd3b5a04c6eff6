import numpy as np
import pytest
import torch

import skel_eval
from skel_eval.comparison import bootstrap as module


def two_methods(seed, rows=200, rates=(0.7, 0.6), seeds=1):
    rng = np.random.default_rng(seed)
    ease = rng.normal(size=rows)  # clips are easy or hard for both methods
    found = [(ease + rng.normal(size=(seeds, rows)) < 2 * rate - 0.5).astype(int) for rate in rates]
    return [hits[0] if seeds == 1 else hits for hits in found]


def naive(a, b, groups, resamples, seed):
    """Differences in resamples by indices of clips or groups and of seeds."""
    rng = np.random.default_rng(seed)
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    differences = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(members), len(members))
        rows = np.concatenate([members[group] for group in drawn])
        of_a, of_b = (rng.integers(0, len(x), len(x)) for x in (a, b))
        differences.append(a[of_a][:, rows].mean() - b[of_b][:, rows].mean())
    return np.array(differences)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("seeds", [1, 4])
def test_paired_bootstrap_numbers_naive_loop(grouped, seeds):
    a, b = two_methods(0, seeds=seeds)
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 12, 200) if grouped else None
    result = skel_eval.paired_bootstrap(a, b, groups=groups, resamples=20_000)
    expected = naive(a, b, groups if grouped else np.arange(200), 4000, 2)
    low, high = np.quantile(expected, (0.025, 0.975))
    assert result.value == a.mean() - b.mean()
    # the ends of 4000 resamples have a standard error of 0.04 of the standard deviation
    assert result.low == pytest.approx(low, abs=0.15 * expected.std())
    assert result.high == pytest.approx(high, abs=0.15 * expected.std())
    share = 2 * min(np.mean(expected <= 0), np.mean(expected >= 0))
    assert result.p_value == pytest.approx(share, abs=4 * np.sqrt(share / 4000) + 1e-3)


def test_bootstrap_numbers_normal_approximation():
    correct = (np.arange(1000) % 10 < 8).astype(int)
    result = skel_eval.bootstrap(correct, resamples=50_000)
    width = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert result.value == 0.8
    assert (result.low, result.high) == pytest.approx((0.8 - width, 0.8 + width), abs=1.5e-3)
    narrow = skel_eval.bootstrap(correct, resamples=50_000, level=0.5)
    width = 0.6745 * np.sqrt(0.8 * 0.2 / 1000)
    assert (narrow.low, narrow.high) == pytest.approx((0.8 - width, 0.8 + width), abs=1.5e-3)


def test_paired_bootstrap_covers_the_truth_as_often_as_it_says():
    covered = rejected = 0
    for seed in range(200):
        a, b = two_methods(seed, rows=150, rates=(0.6, 0.6))
        result = skel_eval.paired_bootstrap(a, b, resamples=500, seed=seed)
        covered += result.low <= 0 <= result.high
        rejected += result.p_value < 0.05
    assert 180 <= covered <= 198
    assert rejected <= 20


def test_paired_bootstrap_same_method():
    a, _ = two_methods(0)
    result = skel_eval.paired_bootstrap(a, a)
    assert (result.value, result.low, result.high, result.p_value) == (0, 0, 0, 1)


def test_paired_bootstrap_better_on_every_clip():
    result = skel_eval.paired_bootstrap(np.ones(50, bool), np.zeros(50, bool), resamples=999)
    assert (result.value, result.low, result.high) == (1, 1, 1)
    assert result.p_value == pytest.approx(2 / 1000)


def test_paired_bootstrap_groups_widen_the_interval_where_clips_of_a_group_agree():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 30)
    a, b = ((rng.normal(size=20)[groups] + 0.2 * rng.normal(size=600) > 0).astype(int) for _ in range(2))
    plain = skel_eval.paired_bootstrap(a, b, resamples=2000)
    grouped = skel_eval.paired_bootstrap(a, b, resamples=2000, groups=[f"subject {g}" for g in groups])
    assert grouped.high - grouped.low > 2 * (plain.high - plain.low)


def test_paired_bootstrap_law_symmetric_and_blind_to_order(monkeypatch):
    a, b = two_methods(5, seeds=3)
    order = np.random.default_rng(0).permutation(a.shape[1])
    result = skel_eval.paired_bootstrap(a[0], b[0], resamples=1000)
    mixed = skel_eval.paired_bootstrap(torch.tensor(a[0, order]), torch.tensor(b[0, order]), resamples=1000)
    assert mixed == result
    turned = skel_eval.paired_bootstrap(b, a, resamples=20_000)
    result = skel_eval.paired_bootstrap(a, b, resamples=20_000)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (-result.value, -result.high, -result.low), abs=0.005
    )
    monkeypatch.setattr(module, "BLOCK_SIZE", 8 * 100)  # a few resamples at a time
    parts = skel_eval.paired_bootstrap(a, b, resamples=20_000)
    assert (parts.low, parts.high) == pytest.approx((result.low, result.high), abs=0.005)


def test_paired_bootstrap_memory_does_not_grow_with_kinds(monkeypatch):
    """With many seeds almost every clip is of its own kind."""
    a, b = two_methods(0, rows=3000, seeds=20)
    monkeypatch.setattr(module, "BLOCK_SIZE", 8 * 3000 * 10)
    result = skel_eval.paired_bootstrap(a, b, resamples=95)
    assert result.low < result.value < result.high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"correct_a": np.zeros((2, 3, 4))},
            r"correct_a must have shape \(N,\) or \(seeds, N\), .* got \[\(2, 3, 4\)\]",
        ),
        ({"correct_a": np.full(200, 0.5)}, "correct_a must hold 0 and 1 only"),
        ({"correct_b": np.zeros(7)}, "the same clips, got 200 and 7"),
        ({"groups": np.zeros(200)}, "at least two clips or groups"),
        ({"groups": np.zeros(7)}, r"groups must have shape \(200,\)"),
        ({"resamples": 0}, "resamples must be at least 1"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
    ],
)
def test_paired_bootstrap_errors(change, message):
    a, b = two_methods(0)
    with pytest.raises(ValueError, match=message):
        skel_eval.paired_bootstrap(**({"correct_a": a, "correct_b": b} | change))


def test_repeats_are_drawn_within_seeds_that_weigh_the_same():
    rng = np.random.default_rng(0)
    a = [rng.random((5, 300)) < 0.8, rng.random((1, 300)) < 0.4]  # five repeats of a seed, one of another
    b = rng.random(300) < 0.6
    found = skel_eval.paired_bootstrap(a, b, resamples=4000)
    expected = (a[0].mean() + a[1].mean()) / 2 - b.mean()
    assert found.value == pytest.approx(expected)
    # naive: clips, then seeds, then repeats of each drawn seed
    drawn = []
    for _ in range(4000):
        rows = rng.integers(0, 300, 300)
        seeds = [a[k] for k in rng.integers(0, 2, 2)]
        rates = [one[rng.integers(0, len(one), len(one))][:, rows].mean() for one in seeds]
        drawn.append(np.mean(rates) - b[rows].mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)
