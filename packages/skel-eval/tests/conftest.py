"""Made-up features for the tests."""

import numpy as np
import pytest


def make_task(seed, rows=120, width=10, classes=4, subjects=5, spread=1.0):
    """Features, labels and subjects of overlapping classes: train rows, then as many test rows."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width))
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 2 * rows - classes)])
    features = centres[labels] + spread * rng.normal(size=(2 * rows, width))
    # columns of very different size, as real features have
    features = (features * np.logspace(-1, 2, width) + rng.normal(size=width)).astype(np.float32)
    groups = rng.integers(0, subjects, rows)
    return features[:rows], labels[:rows], features[rows:], labels[rows:], groups


@pytest.fixture
def task():
    return make_task(0)


@pytest.fixture
def task_of_seed():
    return make_task
