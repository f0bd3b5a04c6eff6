import math

import numpy as np
import pytest
import sklearn.metrics

import skel_eval


def test_accuracy_leaves_unlabelled_rows_out():
    assert skel_eval.accuracy(np.array([1, 2, 3, 0]), np.array([1, 2, 0, -1])) == 2 / 3
    assert math.isnan(skel_eval.accuracy(np.array([1]), np.array([-1])))


def test_confusion_matrix_numbers():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 5, 90), rng.integers(0, 5, 90)
    expected = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(7))
    matrix = skel_eval.confusion_matrix(labels, predictions, 7)
    np.testing.assert_array_equal(matrix, expected)
    np.testing.assert_array_equal(skel_eval.confusion_matrix(labels, predictions), expected[:5, :5])
    rates = skel_eval.per_class_accuracy(matrix)
    recalls = sklearn.metrics.recall_score(labels, predictions, average=None, labels=range(5))
    np.testing.assert_allclose(rates[:5], recalls)
    assert np.isnan(rates[5:]).all()
    labels[:30] = -1
    assert skel_eval.confusion_matrix(labels, predictions).sum() == 60


def test_confusion_matrix_errors():
    with pytest.raises(ValueError, match=r"classes must lie in 0..1, got 0..2"):
        skel_eval.confusion_matrix(np.array([0, 2]), np.array([0, 0]), 2)
    with pytest.raises(ValueError, match="predictions must have shape"):
        skel_eval.confusion_matrix(np.array([0, 2]), np.array([0]))


def test_summarise():
    summary = skel_eval.summarise([0.5, 0.7, 0.9])
    assert summary.mean == pytest.approx(0.7, abs=1e-12)
    assert summary.std == pytest.approx(0.2, abs=1e-12)
    assert str(summary) == "0.7 ± 0.2 (n = 3)"
    assert math.isnan(skel_eval.summarise([0.5]).std)
    assert str(skel_eval.summarise([0.5])) == "0.5 (n = 1)"
    with pytest.raises(ValueError, match="at least one number"):
        skel_eval.summarise([])
