import attrs
import numpy as np
import pytest
import torch

import skel_eval
from skel_eval import LBFGS, MlpProbe

SHORT = MlpProbe(width=32, epochs=5, batch_size=32)


def test_learns_what_a_line_cannot():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    linear = skel_eval.linear_probe(x[:400], y[:400], x[400:], y[400:], solver=LBFGS(strengths=(0.01,)))
    mlp = skel_eval.mlp_probe(x[:400], y[:400], x[400:], y[400:], settings=MlpProbe(width=64, epochs=40))
    assert linear.accuracy < 0.65
    assert mlp.accuracy > 0.9
    assert mlp.train_accuracy > 0.9
    assert mlp.losses[-1] < mlp.losses[0]
    assert len(mlp.losses) == 40


@pytest.mark.parametrize("change", [{}, {"batch_norm": False}, {"dropout": 0.3}])
def test_shapes_and_seed(task, change):
    train, labels, test, truth, _ = task
    probe, random = attrs.evolve(SHORT, **change), torch.get_rng_state()
    result = skel_eval.mlp_probe(train, labels, test, truth, settings=probe)
    again = skel_eval.mlp_probe(train, labels, test, truth, settings=probe)
    other = skel_eval.mlp_probe(train, labels, test, truth, settings=attrs.evolve(probe, seed=1))
    assert result.logits.shape == (120, 4)
    assert result.accuracy == np.mean(result.predictions == truth)
    np.testing.assert_array_equal(result.predictions, result.logits.argmax(1))
    np.testing.assert_array_equal(result.logits, again.logits)
    assert (result.logits != other.logits).any()
    assert torch.equal(torch.get_rng_state(), random)


def test_size_of_columns_is_irrelevant(task):
    train, labels, test, truth, _ = task
    size = 2.0 ** np.arange(-5, 5)
    plain = skel_eval.mlp_probe(train, labels, test, truth, settings=SHORT)
    sized = skel_eval.mlp_probe(train * size + 1, labels, test * size + 1, truth, settings=SHORT)
    np.testing.assert_allclose(sized.logits, plain.logits, atol=1e-2)


def test_nothing_comes_from_the_test_rows(task):
    train, labels, test, truth, _ = task
    plain = skel_eval.mlp_probe(train, labels, test, truth, settings=SHORT)
    alone = skel_eval.mlp_probe(train, labels, test[:1], -truth[:1] - 1, settings=SHORT)
    np.testing.assert_allclose(alone.logits[0], plain.logits[0], rtol=1e-4, atol=1e-5)
    assert alone.losses == plain.losses


def test_unlabelled_rows_and_absent_class(task):
    train, labels, test, truth, _ = task
    hidden = np.where(labels == 2, -1, labels)
    result = skel_eval.mlp_probe(train, hidden, test, truth, settings=SHORT)
    part = skel_eval.mlp_probe(train[labels != 2], labels[labels != 2], test, truth, settings=SHORT)
    np.testing.assert_array_equal(result.logits, part.logits)
    assert (result.logits[:, 2] == -np.inf).all()


@pytest.mark.parametrize("rows", [1, 2, 33])
def test_few_rows(task, rows):
    train, labels, test, truth, _ = task
    result = skel_eval.mlp_probe(train[:rows], labels[:rows], test, truth, settings=SHORT)
    assert np.isfinite(result.losses).all()
    assert result.predictions.shape == (120,)


def test_settings_errors():
    for change in ({"width": 0}, {"dropout": 1.0}, {"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0.0}):
        with pytest.raises(ValueError, match=next(iter(change))):
            MlpProbe(**change)
