import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler

import skel_eval
from skel_eval.protocols.ridge import solve_ridge


@pytest.mark.parametrize("width", [10, 300])  # primal and dual form
@pytest.mark.parametrize("strength", [1.0, 300.0])
def test_ridge_numbers_scikit_learn(task_of_seed, width, strength):
    train, labels, test, truth, _ = task_of_seed(3, width=width, spread=2.0)
    train, test = train.astype(np.float64), test.astype(np.float64)
    result = skel_eval.ridge(train, labels, test, truth, strengths=(strength,))
    scaler = StandardScaler().fit(train)
    referee = RidgeClassifier(alpha=strength).fit(scaler.transform(train), labels)
    # its targets are -1 and 1 where ours are 0 and 1
    decision = referee.decision_function(scaler.transform(test))
    np.testing.assert_allclose(2 * result.logits - 1, decision, rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(result.predictions, referee.predict(scaler.transform(test)))
    assert result.accuracy == np.mean(result.predictions == truth)


def test_ridge_choice_is_leave_one_group_out(task):
    train, labels, test, truth, groups = task
    strengths = (1.0, 100.0, 10_000.0)
    result = skel_eval.ridge(train, labels, test, truth, groups=groups, strengths=strengths)
    expected = {}
    for strength in strengths:
        hits = 0
        for group in np.unique(groups):
            kept = groups != group
            part = skel_eval.ridge(
                train[kept], labels[kept], train[~kept], labels[~kept], strengths=(strength,)
            )
            hits += (part.predictions == labels[~kept]).sum()
        expected[strength] = hits / len(labels)
    assert dict(result.held_out) == expected
    best = max(expected.values())
    assert result.strength == max(s for s in strengths if expected[s] == best)


def test_ridge_takes_clips_with_constant_coordinates():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    clips = rng.normal(size=(40, 3, 8, 5, 1)).astype(np.float32)
    clips[:, 0] += labels[:, None, None, None]
    clips[:, :, :, 2] = 0  # the centre joint
    result = skel_eval.ridge(clips[:20], labels[:20], clips[20:], labels[20:])
    assert result.accuracy > 0.9
    assert result.weight.shape == (2, 120)
    assert (result.weight.reshape(2, 3, 8, 5)[..., 2] == 0).all()


def test_ridge_never_sees_test_labels(task):
    train, labels, test, truth, _ = task
    first, second = (skel_eval.ridge(train, labels, test, y) for y in (truth, np.zeros_like(truth)))
    np.testing.assert_array_equal(first.logits, second.logits)


def test_ridge_class_without_train_rows_is_never_predicted(task):
    train, labels, test, truth, _ = task
    gap = np.where(labels >= 2, labels + 1, labels)
    result = skel_eval.ridge(train, gap, test, truth)
    assert (result.logits[:, 2] == -np.inf).all()


def test_ridge_errors(task):
    train, labels, test, truth, _ = task
    with pytest.raises(ValueError, match="strengths must be numbers above 0"):
        skel_eval.ridge(train, labels, test, truth, strengths=(0.0,))


def test_a_gram_matrix_that_rounding_made_indefinite_is_solved():
    gram = torch.diag(torch.tensor([4.0, 1.0, -1e-12], dtype=torch.float64))
    (solution,) = solve_ridge(gram, torch.ones(3, 1, dtype=torch.float64), (1e-3,))
    np.testing.assert_allclose(solution[:, 0], [1 / 4.001, 1 / 1.001, 1000], rtol=1e-8)
    (solution,) = solve_ridge(gram, torch.tensor([[1.0], [1.0], [0.0]], dtype=torch.float64), (1e-14,))
    np.testing.assert_allclose(solution[:, 0], [0.25, 1, 0], rtol=1e-8)
