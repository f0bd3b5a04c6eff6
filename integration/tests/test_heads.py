"""Classifier heads: numbers, folds, and the calibration on what is held out."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_eval import MlpProbe
from skel_recipes.model.calibration import KEPT, calibrate
from skel_recipes.model.folds import folds_of
from skel_recipes.model.heads import FITS
from skel_recipes.model.kernel_ridge import KernelRidge

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


def test_kernel_ridge_is_not_for_large_sets(monkeypatch):
    monkeypatch.setattr("skel_recipes.model.kernel_ridge.MOST_ROWS", 10)
    x, y = torch.randn(11, 2, generator=torch.Generator().manual_seed(0)), torch.arange(11) % 2
    with pytest.raises(ValueError, match="takes up to 10 labelled clips, there are 11"):
        FITS["rbf"](x, y, None, None)


def test_kernel_ridge_is_that_of_scikit_learn():
    from sklearn.kernel_ridge import KernelRidge as Reference

    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 6, generator=generator), torch.arange(40) % 3
    fitted = KernelRidge.fit(x, y, 1.0, 0.1)
    z = ((x.double() - fitted.mean) / fitted.scale).numpy()
    target = np.eye(3)[y.numpy()]
    distances = sorted(np.square(a - b).sum() for a, b in combinations(z, 2))
    median = distances[(len(distances) - 1) // 2]
    reference = Reference(alpha=0.1, kernel="rbf", gamma=1 / median).fit(z, target - target.mean(0))
    np.testing.assert_allclose(fitted(x).numpy(), reference.predict(z) + target.mean(0), atol=1e-9)


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
