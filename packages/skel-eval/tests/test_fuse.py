import json
import os
from pathlib import Path

import numpy as np
import pytest

import skel_eval

FOLDER = Path(os.environ.get("SKEL_VECTORS") or Path(__file__).parent / "vectors")


def cases(kind):
    found = []
    for path in sorted(FOLDER.glob("*.npz")):
        with np.load(path) as case:
            config = json.loads(str(case["config"]))
            if config["kind"] == kind:
                found.append(pytest.param(config, dict(case), id=path.stem))
    return found


@pytest.mark.vectors
@pytest.mark.parametrize(("config", "case"), cases("ensemble"))
def test_golden_ensemble(config, case):
    fused = skel_eval.fuse(
        [case[f"in.{name}"] for name in config["weights"]], list(config["weights"].values())
    )
    for k in (1, 5):
        found = skel_eval.top_k_accuracy(fused, case["in.labels"], k)
        assert np.float32(found) == case[f"out.top{k}"]


@pytest.mark.vectors
@pytest.mark.parametrize(("config", "case"), cases("knn"))
def test_golden_knn(config, case):
    tested = [key for key in case if key.startswith("out.pred_k")]
    assert tested
    for key in tested:
        k = int(key.removeprefix("out.pred_k"))
        result = skel_eval.knn(
            case["in.train"], case["in.train_labels"], case["in.test"], k=k, temperature=config["temperature"]
        )
        np.testing.assert_array_equal(result.predictions, case[key])
        rate = skel_eval.accuracy(result.predictions, case["in.test_labels"])
        assert np.float32(rate) == case[f"out.acc_k{k}"]


def test_golden_vectors_exist():
    assert cases("ensemble")
    assert cases("knn")


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
