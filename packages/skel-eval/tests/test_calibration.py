import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

import skel_eval


def made_up(seed, rows=300, classes=5):
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(rows, classes)), rng.integers(0, classes, rows)


def naive(probabilities, labels, bins):
    """(expected, maximum) calibration error by a loop over bins."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    expected = maximum = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            gap = abs(confidence[inside].mean() - right[inside].mean())
            expected += gap * inside.mean()
            maximum = max(maximum, gap)
    return expected, maximum


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_numbers(bins):
    logits, labels = made_up(0)
    result = skel_eval.calibration(logits, labels, bins=bins)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected, maximum = naive(probabilities, labels, bins)
    assert result.expected_error == pytest.approx(expected, abs=1e-12)
    assert result.maximum_error == pytest.approx(maximum, abs=1e-12)
    assert result.nll == pytest.approx(log_loss(labels, probabilities), rel=1e-12)
    assert result.brier == pytest.approx(((probabilities - np.eye(5)[labels]) ** 2).sum(1).mean(), rel=1e-12)
    assert result.counts.shape == result.confidences.shape == result.accuracies.shape == (bins,)
    assert result.counts.sum() == len(labels)
    filled = result.counts > 0
    assert (np.isnan(result.accuracies) == ~filled).all()
    total = (result.accuracies * result.counts)[filled].sum() / len(labels)
    assert total == pytest.approx(skel_eval.accuracy(logits.argmax(1), labels))


def test_calibration_bins_are_closed_above():
    """Confidences 1/2 and 1 are exact and lie on edges."""
    logits = np.array([[0.0, 0.0], [0.0, -np.inf]])
    result = skel_eval.calibration(logits, np.array([0, 0]), bins=4)
    np.testing.assert_array_equal(result.counts, [0, 1, 0, 1])
    assert (result.expected_error, result.maximum_error) == (0.25, 0.5)
    assert result.brier == pytest.approx(0.25)  # 1/4 + 1/4 and 0
    assert result.nll == pytest.approx(math.log(2) / 2)


def test_calibration_class_that_was_ruled_out():
    logits, labels = made_up(1)
    logits[:, 3] = -np.inf
    labels[labels == 3] = 4
    result = skel_eval.calibration(logits, labels)
    without = skel_eval.calibration(np.delete(logits, 3, 1), np.where(labels == 4, 3, labels))
    assert result.expected_error == pytest.approx(without.expected_error)
    assert (result.nll, result.brier) == pytest.approx((without.nll, without.brier))
    labels[0] = 3
    surprised = skel_eval.calibration(logits, labels)
    assert surprised.nll == math.inf
    assert math.isfinite(surprised.brier)
    # a class beyond the columns is the same as a column of -inf
    beyond = np.where(labels == 3, 5, labels)
    column = np.pad(logits, ((0, 0), (0, 1)), constant_values=-np.inf)
    left, right = (skel_eval.calibration(scores, beyond) for scores in (logits, column))
    assert (left.nll, left.brier, left.expected_error) == (right.nll, right.brier, right.expected_error)


def test_calibration_of_true_probabilities_is_near_0():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40_000, 4))
    gumbel = -np.log(-np.log(rng.random(logits.shape)))
    labels = (logits + gumbel).argmax(1)  # drawn from the softmax
    assert skel_eval.calibration(logits, labels).expected_error < 0.01
    assert skel_eval.calibration(5 * logits, labels).expected_error > 0.2


def test_calibration_unlabelled_rows_do_not_count():
    logits, labels = made_up(2)
    hidden = labels.copy()
    hidden[::3] = -1
    kept = hidden >= 0
    first, second = (
        skel_eval.calibration(torch.tensor(logits), torch.tensor(hidden)),
        skel_eval.calibration(logits[kept], labels[kept]),
    )
    assert (first.nll, first.brier, first.expected_error) == (second.nll, second.brier, second.expected_error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.zeros(300)}, r"logits must have shape \(N, classes\)"),
        ({"logits": np.full((300, 5), np.nan)}, "got NaN or inf"),
        ({"logits": np.full((300, 5), np.inf)}, "got NaN or inf"),
        ({"logits": np.full((300, 5), -np.inf)}, "a row of -inf"),
        ({"labels": np.full(300, -1)}, "no labelled row"),
        ({"labels": np.zeros(3, int)}, r"labels must have shape \(300,\)"),
        ({"bins": 0}, "bins must be at least 1, got 0"),
    ],
)
def test_calibration_errors(change, message):
    logits, labels = made_up(0)
    with pytest.raises(ValueError, match=message):
        skel_eval.calibration(**({"logits": logits, "labels": labels} | change))
