import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import skel_eval


def clips(seed, rows, shape=(3, 5, 4, 2)):
    return np.random.default_rng(seed).normal(size=(rows, *shape)).astype(np.float32)


def naive(train, test):
    """Nearest train row of each test row and its relative distance, pair by pair."""
    train, test = (x.reshape(len(x), -1).astype(np.float64) for x in (train, test))
    distances = np.array(
        [[np.linalg.norm(a - b) / np.linalg.norm(a) if (a != b).any() else 0 for b in train] for a in test]
    )
    return distances.argmin(1), distances.min(1)


def test_find_leaks_numbers():
    train, test = clips(0, 30), clips(1, 20)
    test[3] = train[7]
    test[5] = train[2] * np.float32(1.003)
    test[11] = train[29] + np.float32(1e-4) * test[11]
    test[12] = train[4] * np.float32(1.2)
    result = skel_eval.find_leaks(train, test)
    nearest, distances = naive(train, test)
    np.testing.assert_array_equal(result.exact, [3])
    np.testing.assert_array_equal(result.near, [5, 11])
    np.testing.assert_array_equal(result.nearest, nearest)
    np.testing.assert_array_equal(result.nearest[[3, 5, 11, 12]], [7, 2, 29, 4])
    np.testing.assert_allclose(result.distances, distances, rtol=1e-12)
    assert result.distances[12] == pytest.approx(0.2 / 1.2, rel=1e-5)
    wide = skel_eval.find_leaks(train, test, near=0.2)
    np.testing.assert_array_equal(wide.near, [5, 11, 12])


def test_find_leaks_exact_copy_among_rows_that_are_almost_the_same():
    """Closer than products of matrices can tell apart."""
    test = clips(0, 1).astype(np.float64)
    train = np.repeat(test, 50, axis=0)
    train.reshape(50, -1)[:, 0] *= 1 + 1e-12 * np.arange(1, 51)
    train[37] = train[41] = test[0]
    result = skel_eval.find_leaks(train, test)
    assert (result.exact.tolist(), result.near.tolist(), result.nearest.tolist()) == ([0], [], [37])
    assert result.distances[0] == 0
    without = skel_eval.find_leaks(np.delete(train, [37, 41], 0), test)
    assert (without.exact.tolist(), without.near.tolist()) == ([], [0])


def test_find_leaks_zeros():
    train, test = clips(0, 3), np.zeros((1, 3, 5, 4, 2), np.float32)
    result = skel_eval.find_leaks(train, test)
    assert (result.exact.size, result.near.size, result.distances.tolist()) == (0, 0, [np.inf])
    train[1] = -0.0  # equals 0, though its bits differ
    result = skel_eval.find_leaks(train, test)
    assert (result.exact.tolist(), result.nearest.tolist(), result.distances.tolist()) == ([0], [1], [0])


def test_find_leaks_takes_features_tensors_and_mixed_precision():
    train, test = clips(0, 10, (6,)), clips(1, 4, (6,)).astype(np.float64)
    test[2] = train[8]
    for result in (
        skel_eval.find_leaks(train, test),
        skel_eval.find_leaks(*map(torch.tensor, (train, test))),
    ):
        assert (result.exact.tolist(), result.nearest[2]) == ([2], 8)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 25), st.floats(1e-3, 1e3))
def test_find_leaks_law_chunks_and_scale_do_not_matter(seed, chunk, scale):
    train, test = clips(seed, 20).astype(np.float64), clips(seed + 1, 15).astype(np.float64)
    test[::4] = train[:4] * (1 + 1e-3)
    whole = skel_eval.find_leaks(train, test)
    parts = skel_eval.find_leaks(scale * train, scale * test, chunk=chunk)
    np.testing.assert_array_equal(whole.near, [0, 4, 8, 12])
    np.testing.assert_array_equal(whole.near, parts.near)
    np.testing.assert_array_equal(whole.nearest, parts.nearest)
    np.testing.assert_allclose(whole.distances, parts.distances, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_x": np.zeros((3, 5))}, r"rows of one shape, got \(3, 5, 4, 2\) and \(5,\)"),
        ({"test_x": np.full((2, 3, 5, 4, 2), np.nan)}, "test_x holds values that are not finite"),
        ({"near": -0.1}, "near must be at least 0, got -0.1"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
)
def test_find_leaks_errors(change, message):
    with pytest.raises(ValueError, match=message):
        skel_eval.find_leaks(**({"train_x": clips(0, 4), "test_x": clips(1, 4)} | change))
