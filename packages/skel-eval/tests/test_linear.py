import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import skel_eval
from skel_eval import LBFGS, SGD, Adam

SOLVERS = {
    "lbfgs": LBFGS(strengths=(0.1, 0.01)),
    "sgd": SGD(epochs=3),
    "adam": Adam(epochs=3, batch_norm=True),
}


@pytest.mark.parametrize("width", [10, 200])  # fewer and more columns than rows
@pytest.mark.parametrize("strength", [0.1, 0.001])
@pytest.mark.slow
def test_lbfgs_numbers_scikit_learn(task_of_seed, width, strength):
    train, labels, test, truth, _ = task_of_seed(1, width=width, classes=5, spread=2.0)
    train, test = train.astype(np.float64), test.astype(np.float64)
    result = skel_eval.linear_probe(
        train, labels, test, truth, solver=LBFGS(strengths=(strength,), tolerance=1e-9)
    )
    scaler = StandardScaler().fit(train)
    referee = LogisticRegression(C=1 / (strength * len(train)), tol=1e-9, max_iter=10_000)
    referee.fit(scaler.transform(train), labels)
    expected = torch.tensor(referee.predict_log_proba(scaler.transform(test)))
    ours = torch.log_softmax(torch.tensor(result.logits), 1)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(result.predictions, referee.predict(scaler.transform(test)))
    assert result.accuracy == referee.score(scaler.transform(test), truth)
    assert result.train_accuracy == referee.score(scaler.transform(train), labels)
    assert result.strength == strength
    assert result.held_out == ()
    np.testing.assert_allclose(test @ result.weight.T + result.bias, result.logits, rtol=1e-9, atol=1e-9)


def test_lbfgs_on_features_as_they_are(task_of_seed):
    # ReLU features of a random layer: correlated, many zeros, of uneven size; settings as they are
    train, labels, test, truth, _ = task_of_seed(6, rows=400, classes=12, spread=1.5)
    layer = np.random.default_rng(7).normal(size=(train.shape[1], 64))
    scale = train.std(0)
    train, test = np.maximum(train / scale @ layer, 0), np.maximum(test / scale @ layer, 0)
    result = skel_eval.linear_probe(train, labels, test, truth, solver=LBFGS(strengths=(0.01,)))
    scaler = StandardScaler().fit(train)
    referee = LogisticRegression(C=1 / (0.01 * len(train)), max_iter=5000)
    referee.fit(scaler.transform(train), labels)
    assert (result.predictions != referee.predict(scaler.transform(test))).sum() <= 2
    assert result.accuracy > 0.3


def test_lbfgs_choice_is_leave_one_group_out(task):
    train, labels, test, truth, groups = task
    strengths = (1.0, 0.01, 0.1)
    result = skel_eval.linear_probe(
        train, labels, test, truth, groups=groups, solver=LBFGS(strengths=strengths)
    )
    expected = {}
    for strength in strengths:
        alone = LBFGS(strengths=(strength,))
        hits = 0
        for group in np.unique(groups):
            kept = groups != group
            part = skel_eval.linear_probe(
                train[kept], labels[kept], train[~kept], labels[~kept], solver=alone
            )
            hits += (part.predictions == labels[~kept]).sum()
        expected[strength] = hits / len(labels)
    assert dict(result.held_out) == expected
    assert [strength for strength, _ in result.held_out] == [1.0, 0.1, 0.01]
    best = max(expected.values())
    assert result.strength == max(s for s in strengths if expected[s] == best)


def test_ties_go_to_the_stronger(task_of_seed):
    # classes so far apart that every strength is right everywhere
    train, labels, test, truth, _ = task_of_seed(2, spread=0.01)
    result = skel_eval.linear_probe(train, labels, test, truth, solver=LBFGS(strengths=(1e-3, 1e-1, 1e-2)))
    assert [rate for _, rate in result.held_out] == [1.0, 1.0, 1.0]
    assert result.strength == 0.1


def test_groups_are_respected():
    # The label is a function of the row, the same in each copy of it, and of nothing that carries over
    # from one subject to another: only a split inside the subjects can look better than chance.
    rng = np.random.default_rng(0)
    base, classes = rng.normal(size=(20, 40)), rng.integers(0, 4, 20)
    train, labels, groups = np.repeat(base, 5, 0), np.repeat(classes, 5), np.repeat(np.arange(20) // 4, 5)
    strengths = LBFGS(strengths=(0.01, 0.001))
    split = skel_eval.linear_probe(train, labels, base, classes, solver=strengths)
    kept = skel_eval.linear_probe(train, labels, base, classes, solver=strengths, groups=groups)
    named = [f"subject {group}" for group in groups]
    assert min(rate for _, rate in split.held_out) == 1.0
    assert max(rate for _, rate in kept.held_out) < 0.6
    assert (
        skel_eval.linear_probe(train, labels, base, classes, solver=strengths, groups=named).held_out
        == kept.held_out
    )


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([*SOLVERS]))
def test_law_test_labels_do_not_change_predictions(task_seed, solver):
    rng = np.random.default_rng(task_seed)
    train, labels = rng.normal(size=(30, 6)).astype(np.float32), np.arange(30) % 3
    test = rng.normal(size=(12, 6)).astype(np.float32)
    probe = SOLVERS[solver]
    first = skel_eval.linear_probe(train, labels, test, np.zeros(12, int), solver=probe)
    second = skel_eval.linear_probe(train, labels, test, rng.integers(0, 9, 12), solver=probe)
    np.testing.assert_array_equal(first.logits, second.logits)
    np.testing.assert_array_equal(first.weight, second.weight)
    assert (first.strength, first.held_out) == (second.strength, second.held_out)


@pytest.mark.parametrize("solver", [*SOLVERS])
def test_unlabelled_rows_are_dropped(task, solver):
    train, labels, test, truth, groups = task
    hidden = labels.copy()
    hidden[::3] = -1
    seen = hidden >= 0
    probe = SOLVERS[solver]
    result = skel_eval.linear_probe(train, hidden, test, truth, solver=probe, groups=groups)
    part = skel_eval.linear_probe(train[seen], labels[seen], test, truth, solver=probe, groups=groups[seen])
    np.testing.assert_array_equal(result.logits, part.logits)
    masked = np.where(np.arange(len(truth)) % 2, truth, -1)
    rate = skel_eval.linear_probe(train, labels, test, masked, solver=probe)
    assert rate.accuracy == np.mean(rate.predictions[1::2] == truth[1::2])


@pytest.mark.parametrize("solver", [*SOLVERS])
def test_constant_features(task, solver):
    train, labels, test, truth, _ = task
    probe = SOLVERS[solver]
    constant = np.full_like(train, 0.1)
    result = skel_eval.linear_probe(constant, labels, np.full_like(test, 0.1), truth, solver=probe)
    assert np.isfinite(result.logits).all()
    assert len(set(result.predictions.tolist())) == 1
    if solver == "lbfgs":
        counts = np.bincount(labels) / len(labels)
        np.testing.assert_allclose(
            np.exp(result.logits[0]) / np.exp(result.logits[0]).sum(), counts, atol=1e-4
        )
        # one constant column changes nothing, however it is rounded
        wide = np.concatenate([train, constant[:, :1]], 1)
        wide_test = np.concatenate([test, np.full_like(test[:, :1], 0.1)], 1)
        plain = skel_eval.linear_probe(train, labels, test, truth)
        np.testing.assert_allclose(
            skel_eval.linear_probe(wide, labels, wide_test, truth).logits, plain.logits, atol=1e-3
        )


@pytest.mark.parametrize("solver", [*SOLVERS])
def test_class_without_train_rows(task, solver):
    train, labels, test, truth, groups = task
    gap = np.where(labels >= 2, labels + 1, labels)  # no class 2
    probe = SOLVERS[solver]
    result = skel_eval.linear_probe(train, gap, test, truth, solver=probe, groups=groups)
    plain = skel_eval.linear_probe(train, labels, test, truth, solver=probe, groups=groups)
    assert (result.logits[:, 2] == -np.inf).all()
    np.testing.assert_allclose(result.logits[:, [0, 1, 3, 4]], plain.logits, rtol=1e-6, atol=1e-6)


def test_rows_of_more_than_one_axis_are_flattened(task):
    train, labels, test, truth, _ = task
    probe = LBFGS(strengths=(0.1,))
    flat = skel_eval.linear_probe(train, labels, test, truth, solver=probe)
    cube = skel_eval.linear_probe(
        train.reshape(-1, 5, 2), labels, test.reshape(-1, 5, 2), truth, solver=probe
    )
    np.testing.assert_array_equal(flat.logits, cube.logits)


def test_one_row_has_nothing_to_hold_out():
    result = skel_eval.linear_probe(np.ones((1, 2)), np.array([1]), np.zeros((2, 2)), np.array([1, 0]))
    assert result.held_out == ()
    assert result.strength == 1.0
    assert result.accuracy == 0.5


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (LBFGS, {"strengths": ()}, "strengths must be numbers above 0"),
        (LBFGS, {"strengths": (0.0,)}, "strengths must be numbers above 0"),
        (SGD, {"learning_rate": 0.0}, "learning_rate"),
        (SGD, {"batch_size": 0}, "batch_size"),
        (SGD, {"schedule": "cosine", "gamma": 0.5}, "gamma is not used with schedule 'cosine'"),
        (Adam, {"per_step": True}, "per_step is not used with schedule 'step'; got per_step=True"),
        (SGD, {"init": "xavier", "init_std": 0.01}, "init_std is not used with init 'xavier'"),
        (SGD, {"nesterov": True, "momentum": 0.0}, "nesterov needs a momentum"),
        (SGD, {"epochs": 5, "warmup_epochs": 5}, "warmup_epochs must be fewer than the 5 epochs"),
    ],
)
def test_settings_errors(kind, change, message):
    with pytest.raises(ValueError, match=message):
        kind(**change)


def test_array_errors(task):
    train, labels, test, truth, groups = task
    with pytest.raises(ValueError, match=r"groups must have shape \(120,\)"):
        skel_eval.linear_probe(train, labels, test, truth, groups=groups[:5])
    with pytest.raises(ValueError, match=r"test_y must have shape \(120,\)"):
        skel_eval.linear_probe(train, labels, test, truth[:5])
    with pytest.raises(ValueError, match="train_x must have shape"):
        skel_eval.linear_probe(train[0], labels, test, truth)


def test_too_few_iterations_are_told(task):
    train, labels, test, truth, _ = task
    with pytest.warns(RuntimeWarning, match=r"strength 0.001 ended with a gradient of .* 2 iterations"):
        skel_eval.linear_probe(train, labels, test, truth, solver=LBFGS(strengths=(0.001,), max_iter=2))


def test_two_classes_have_the_optimum_of_twice_the_c(task_of_seed):
    train, labels, test, truth, _ = task_of_seed(3, classes=2, spread=2.0)
    train, test = train.astype(np.float64), test.astype(np.float64)
    result = skel_eval.linear_probe(
        train, labels, test, truth, solver=LBFGS(strengths=(0.01,), tolerance=1e-8)
    )
    scaler = StandardScaler().fit(train)
    referee = LogisticRegression(C=2 / (0.01 * len(train)), tol=1e-9, max_iter=10_000)
    expected = referee.fit(scaler.transform(train), labels).decision_function(scaler.transform(test))
    np.testing.assert_allclose(result.logits[:, 1] - result.logits[:, 0], expected, rtol=1e-4, atol=1e-4)
