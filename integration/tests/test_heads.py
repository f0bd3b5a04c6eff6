"""Classifier heads: numbers, folds, and the calibration on what is held out."""

import numpy as np
import pytest
import torch
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_eval import MlpProbe, RBFProbe, rbf_probe
from skel_recipes.model.calibration import KEPT, calibrate
from skel_recipes.model.folds import folds_of
from skel_recipes.model.heads import FITS, SHARPNESS

QUICK = {"mlp": MlpProbe(epochs=3, width=16)}


def test_the_threshold_follows_its_rule():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (400,), generator=generator)
    logits = torch.randn(400, 4, generator=generator) + 2 * torch.nn.functional.one_hot(labels, 4)
    found = calibrate(logits, labels)
    probability, predicted = (logits.double() / found.temperature).softmax(1).max(1)
    right = probability[predicted == labels]
    assert (right >= found.threshold).double().mean() == pytest.approx(KEPT, abs=1 / len(right))
    assert found.accuracy == pytest.approx(float((predicted == labels).double().mean()))


def test_the_temperature_is_that_of_the_logits():
    """Logits that are three times too sure are divided by three."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(20_000, 5, generator=generator) * 2
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    assert calibrate(3 * logits, labels).temperature == pytest.approx(3, rel=0.05)


def test_calibration_without_held_out_rows():
    assert calibrate(torch.full((2, 2), -torch.inf), torch.tensor([0, 1])).threshold == 0


@pytest.mark.parametrize(
    ("probe", "landmarks"), [(RBFProbe(), 90), (RBFProbe(exact_rows=50, landmarks=20), 20)]
)
def test_the_rbf_head_is_the_rbf_probe(probe, landmarks):
    """Exact, or by the Nyström method; a fit to some rows keeps the width and strength of the first fit."""
    generator = torch.Generator().manual_seed(0)
    y, groups = torch.arange(90) % 3, torch.arange(90) % 5
    x, test = torch.randn(90, 6, generator=generator) + y[:, None], torch.randn(9, 6, generator=generator)
    fit = FITS["rbf"](x, y, groups, probe)
    head, expected = (
        fit(torch.ones(90, dtype=torch.bool)),
        rbf_probe(x, y, test, y[:9], groups=groups, settings=probe),
    )
    assert len(head.vectors) == landmarks
    np.testing.assert_allclose(head(test).numpy(), SHARPNESS * expected.scores, rtol=1e-6, atol=1e-6)
    some = groups > 0
    chosen = evolve(probe, gammas=(expected.gamma,), strengths=(expected.strength,))
    expected = rbf_probe(x[some], y[some], test, y[:9], settings=chosen)
    np.testing.assert_allclose(fit(some)(test).numpy(), SHARPNESS * expected.scores, rtol=1e-6, atol=1e-6)


@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=40),
    groups=st.lists(st.integers(0, 4), min_size=40, max_size=40),
)
@settings(max_examples=40)
def test_folds_leave_every_class_of_two_groups_or_rows_something_to_learn(labels, groups):
    y, g = torch.tensor(labels), torch.tensor(groups[: len(labels)])
    fold = folds_of(y, g)
    for part in torch.unique(fold):
        left = y[fold != part]
        for label in torch.unique(y):
            rows = y == label
            if int(rows.sum()) > 1 and (fold[rows] == part).all():
                assert len(torch.unique(g)) > 1  # several groups in one fold may still hold a class out
        assert len(left) < len(y)


@pytest.mark.parametrize("head", FITS)
def test_a_class_without_rows_is_never_predicted(head):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(20, 5, generator=generator), torch.arange(20) % 2 * 2  # classes 0 and 2
    fitted = FITS[head](x, y, None, QUICK.get(head))(torch.ones(20, dtype=torch.bool))
    logits = fitted(x)
    assert logits.shape == (20, 3)
    assert (logits[:, 1] == -torch.inf).all()
    assert torch.isfinite(logits[:, [0, 2]]).all()
