import numpy as np
import pytest
import torch
from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from skel_eval import FeatureSet, RBFProbe, evaluate_features, rbf_probe


def standardised(train, test):
    scaler = StandardScaler().fit(train.astype(np.float64))
    return scaler.transform(train.astype(np.float64)), scaler.transform(test.astype(np.float64))


def median_of(x):
    squared = ((x[:, None] - x) ** 2).sum(-1)
    # of an even number of pairs the lower one
    return np.sort(squared[np.triu_indices(len(x), 1)])[(len(x) * (len(x) - 1) // 2 - 1) // 2]


def centred(labels):
    target = np.eye(labels.max() + 1)[labels]
    return target - target.mean(0), target.mean(0)


@pytest.mark.parametrize("rows", [60, 61])
@pytest.mark.parametrize(("gamma", "strength"), [(1.0, 0.1), (0.25, 1e-3), (4.0, 1.0)])
def test_rbf_numbers_scikit_learn(task_of_seed, rows, gamma, strength):
    train, labels, test, truth, _ = task_of_seed(1, rows=rows)
    result = rbf_probe(train, labels, test, truth, settings=RBFProbe(gammas=(gamma,), strengths=(strength,)))
    x, queries = standardised(train, test)
    target, means = centred(labels)
    referee = KernelRidge(alpha=strength, kernel="rbf", gamma=gamma / median_of(x)).fit(x, target)
    np.testing.assert_allclose(result.scores, referee.predict(queries) + means, rtol=1e-9, atol=1e-10)
    assert result.accuracy == np.mean(result.predictions == truth)
    assert (result.gamma, result.strength, result.landmarks) == (gamma, strength, None)
    assert result.held_out == ()


def test_nystroem_numbers_scikit_learn_on_the_approximate_kernel(task_of_seed):
    train, labels, test, truth, _ = task_of_seed(2, rows=80)
    settings = RBFProbe(gammas=(1.0,), strengths=(0.1,), exact_rows=79, landmarks=20, seed=3)
    result = rbf_probe(train, labels, test, truth, settings=settings)
    assert result.landmarks == 20
    x, queries = standardised(train, test)
    target, means = centred(labels)
    some = torch.randperm(80, generator=torch.Generator().manual_seed(3))[:20].numpy()
    gamma = 1 / median_of(x[some])
    inverse = np.linalg.inv(rbf_kernel(x[some], gamma=gamma))
    cross = [rbf_kernel(rows, x[some], gamma=gamma) for rows in (x, queries)]
    referee = KernelRidge(alpha=0.1, kernel="precomputed").fit(cross[0] @ inverse @ cross[0].T, target)
    found = referee.predict(cross[1] @ inverse @ cross[0].T) + means
    np.testing.assert_allclose(result.scores, found, rtol=1e-8, atol=1e-9)


def test_with_all_rows_as_landmarks_nystroem_is_exact(task):
    train, labels, test, truth, groups = task
    exact, nystroem = (
        rbf_probe(train, labels, test, truth, groups=groups, settings=RBFProbe(exact_rows=limit))
        for limit in (120, 119)
    )
    assert (exact.landmarks, nystroem.landmarks) == (None, 120)
    assert exact.held_out == nystroem.held_out
    np.testing.assert_allclose(exact.scores, nystroem.scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("exact_rows", [200, 50])
def test_choice_is_leave_one_group_out(task, exact_rows):
    train, labels, test, truth, groups = task
    settings = RBFProbe(gammas=(0.25, 2.0), strengths=(1.0, 1e-2), exact_rows=exact_rows, landmarks=30)
    result = rbf_probe(train, labels, test, truth, groups=groups, settings=settings)
    assert [one[:2] for one in result.held_out] == [(0.25, 1.0), (0.25, 1e-2), (2.0, 1.0), (2.0, 1e-2)]
    best = max(rate for *_, rate in result.held_out)
    assert (result.gamma, result.strength, best) == next(one for one in result.held_out if one[2] == best)
    if exact_rows < len(train):
        return
    x, _ = standardised(train, test)
    for gamma, strength, rate in result.held_out:
        hits = 0
        for group in np.unique(groups):
            kept = groups != group
            target, means = centred(labels[kept])
            referee = KernelRidge(alpha=strength, kernel="rbf", gamma=gamma / median_of(x)).fit(
                x[kept], target
            )
            hits += ((referee.predict(x[~kept]) + means).argmax(1) == labels[~kept]).sum()
        assert rate == hits / len(labels)


@pytest.mark.parametrize("exact_rows", [200, 50])
def test_the_regression_predicts_further_rows(task, exact_rows):
    train, labels, test, truth, groups = task
    labels = np.where(labels == 1, -1, labels)
    settings = RBFProbe(exact_rows=exact_rows, landmarks=30)
    result = rbf_probe(train, labels, test, truth, groups=groups, settings=settings)
    regression = result.regression
    assert len(regression.vectors) == (result.landmarks or (labels >= 0).sum())
    found = regression(torch.from_numpy(test))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, result.scores, rtol=1e-7, atol=1e-8)
    assert regression(torch.from_numpy(test[:0])).shape == (0, result.scores.shape[1])


def test_classes_without_train_rows_are_never_predicted(task):
    train, labels, test, truth, _ = task
    labels = np.where(labels == 1, -1, labels)
    result = rbf_probe(train, labels, test, truth)
    assert np.isneginf(result.scores[:, 1]).all()
    assert 1 not in result.predictions
    assert np.isfinite(np.delete(result.scores, 1, axis=1)).all()


def test_rows_that_are_all_equal_and_one_row():
    x, y = np.ones((6, 3), np.float32), np.array([0, 1, 1, 1, 0, 1])
    assert (rbf_probe(x, y, x, y).predictions == 1).all()
    assert rbf_probe(x[:1], y[:1], x, y).held_out == ()
    assert rbf_probe(x[:1], y[:1], x, y).predictions.tolist() == [0] * 6


def test_the_protocol_is_the_function_and_has_no_calibration(task):
    train, labels, test, truth, groups = task
    rows = np.arange(240)
    given_set = FeatureSet(
        np.concatenate([train, test]),
        np.concatenate([labels, truth]),
        rows[:120],
        rows[120:],
        groups=np.concatenate([groups, groups]),
    )
    expected = rbf_probe(train, labels, test, truth, groups=groups)
    outcome = evaluate_features(given_set, "rbf")
    np.testing.assert_array_equal(outcome.scores, expected.scores)
    assert list(outcome.metrics) == ["accuracy", "mean_class_accuracy"]
    assert outcome.logits is None
    chosen = {"kernel_gamma": expected.gamma, "regularisation": expected.strength, "landmarks": None}
    assert outcome.settings == asdict(RBFProbe()) | chosen
    fused = evaluate_features([given_set, given_set], "rbf", weights=(1, 2))
    np.testing.assert_allclose(fused.scores, 3 * expected.scores)
    assert list(fused.metrics) == ["accuracy", "mean_class_accuracy"]
    small = evaluate_features(given_set, "rbf", exact_rows=10, landmarks=7, seed=1)
    assert (small.settings["landmarks"], small.settings["seed"]) == (7, 1)


@pytest.mark.parametrize("setting", ["gammas", "strengths"])
@pytest.mark.parametrize("values", [(), (0.0,), (1.0, -1.0), (float("inf"),)])
def test_errors(setting, values):
    with pytest.raises(ValueError, match=f"{setting} must be numbers above 0"):
        RBFProbe(**{setting: values})
    with pytest.raises(ValueError, match="landmarks must be at least 1"):
        RBFProbe(landmarks=0)


@given(seed=st.integers(0, 50), power=st.integers(-20, 20), shift=st.integers(-4, 4))
def test_scale_and_origin_of_the_columns_do_not_matter(seed, power, shift):
    rng = np.random.default_rng(seed)
    train, test, labels = rng.normal(size=(30, 4)), rng.normal(size=(9, 4)), np.arange(30) % 3
    settings = RBFProbe(gammas=(1.0,), strengths=(0.1,))
    first = rbf_probe(train, labels, test, labels[:9], settings=settings)
    moved = [2.0**power * (rows + shift) for rows in (train, test)]
    second = rbf_probe(moved[0], labels, moved[1], labels[:9], settings=settings)
    np.testing.assert_allclose(first.scores, second.scores, rtol=1e-9, atol=1e-10)
