import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import skel_eval


def test_feature_health_extremes():
    constant = skel_eval.feature_health(np.full((50, 8), 0.3, np.float32))
    assert constant["std"] == pytest.approx(0, abs=1e-9)
    assert constant["effective_rank"] == pytest.approx(1, abs=1e-6)
    orthogonal = skel_eval.feature_health(np.eye(8)[np.arange(48) % 8])
    assert orthogonal["effective_rank"] == pytest.approx(8, abs=1e-9)
    sphere = skel_eval.feature_health(np.random.default_rng(0).normal(size=(5000, 64)))
    assert sphere["std"] == pytest.approx(1 / 8, rel=0.01)
    assert skel_eval.feature_health(np.zeros((5, 3), np.float32)) == {"std": 0.0, "effective_rank": 1.0}


def test_feature_health_numbers():
    x = np.random.default_rng(1).normal(size=(30, 6)) * np.arange(1, 7)
    share = np.linalg.svd(x, compute_uv=False)
    share /= share.sum()
    expected = math.exp(-(share * np.log(share)).sum())
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = skel_eval.feature_health(x)
    assert found["effective_rank"] == pytest.approx(expected, rel=1e-10)
    assert found["std"] == pytest.approx(unit.std(0).mean(), rel=1e-10)


def test_instance_retrieval():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(40, 6))
    assert skel_eval.instance_retrieval(a, 2 * a, chunk=7) == 1.0
    assert skel_eval.instance_retrieval(a, np.roll(a, 1, 0)) == 0.0
    half = np.concatenate([a[:20], a[20:][::-1]])
    assert skel_eval.instance_retrieval(a, half) == 0.5


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(2, 30), st.integers(1, 40))
def test_law_alignment_and_uniformity_are_the_published_formulas(seed, rows, chunk):
    rng = np.random.default_rng(seed)
    a, b = (torch.from_numpy(rng.normal(size=(rows, 5))) for _ in range(2))
    unit_a, unit_b = (x / x.norm(dim=1, keepdim=True) for x in (a, b))
    expected = float((unit_a - unit_b).norm(dim=1).pow(2).mean())
    assert skel_eval.alignment(a, b) == pytest.approx(expected, rel=1e-10)
    expected = float(torch.pdist(unit_a).pow(2).mul(-2).exp().mean().log())
    assert skel_eval.uniformity(a, chunk=chunk) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_health_errors():
    a = np.zeros((4, 3))
    with pytest.raises(ValueError, match="same rows, got 4 and 3"):
        skel_eval.instance_retrieval(a, a[:3])
    with pytest.raises(ValueError, match="same width, got 3 and 2"):
        skel_eval.alignment(a, a[:, :2])
    with pytest.raises(ValueError, match="at least two rows"):
        skel_eval.uniformity(a[:1])
