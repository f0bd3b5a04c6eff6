import numpy as np
import pytest

import skel_eval


@pytest.mark.vectors("ensemble")
def test_published_numbers(vector):
    weights = vector.config["weights"]
    fused = skel_eval.fuse([vector[f"in.{name}"] for name in weights], list(weights.values()))
    labels = vector["in.labels"]
    for k in (1, 5):
        found = (fused.argsort(1)[:, -k:] == labels[:, None]).any(1).mean()
        assert np.float32(found) == vector[f"out.top{k}"]


def test_fuse_weights():
    a, b = np.array([[1.0, 0.0]]), np.array([[0.0, 4.0]])
    np.testing.assert_allclose(skel_eval.fuse([a, b]), [[1, 4]])
    np.testing.assert_allclose(skel_eval.fuse([a, b], [0.6, 0.1]), [[0.6, 0.4]])
    never_seen = np.array([[1.0, -np.inf]])
    np.testing.assert_array_equal(skel_eval.fuse([a, never_seen], [1, 0]), a)
    np.testing.assert_array_equal(skel_eval.fuse([a, never_seen]), [[2, -np.inf]])


def test_fuse_errors():
    a = np.zeros((2, 3))
    with pytest.raises(ValueError, match="same shape"):
        skel_eval.fuse([a, a[:1]])
    with pytest.raises(ValueError, match="same shape"):
        skel_eval.fuse([])
    for weights in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="2 streams need as many weights"):
            skel_eval.fuse([a, a], weights)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_logit_is_refused(bad):
    a = np.zeros((2, 3))
    with pytest.raises(ValueError, match="logits must be numbers or -inf"):
        skel_eval.fuse([a, np.full((2, 3), bad)])
    with pytest.raises(ValueError, match="2 streams need as many weights"):
        skel_eval.fuse([a, a], [1, bad])
