import numpy as np
import pytest

from skel_eval import FeatureSet, evaluate_features

GOOD = {
    "features": np.ones((4, 2), np.float32),
    "labels": np.array([0, 1, 0, -1]),
    "train": np.array([0, 1]),
    "test": np.array([2, 3]),
}


def test_a_file_holds_all_of_it(tmp_path):
    one = FeatureSet(
        **GOOD,
        groups=np.array([1, 2, 3, 4]),
        copies=np.array([3]),
        names=["a", "b", "c", "d"],
        class_names=["nod", "wave"],
    )
    file = one.save(tmp_path / "features.npz", more=np.arange(3))
    again = FeatureSet.load(file)
    for name in ("features", "labels", "train", "test", "groups", "copies", "names", "class_names"):
        np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
    assert [path.name for path in tmp_path.iterdir()] == ["features.npz"]
    np.testing.assert_array_equal(again.train_groups, [1, 2])


def test_the_least_that_is_needed(tmp_path):
    np.savez(tmp_path / "features.npz", **GOOD)
    again = FeatureSet.load(tmp_path / "features.npz")
    assert again.groups is None
    assert again.train_groups is None
    assert len(again.copies) == 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"features": np.full((4, 2), np.nan)}, ValueError, "not finite"),
        ({"labels": np.array([0, 1])}, ValueError, r"labels must have shape \(4,\)"),
        ({"labels": np.ones(4)}, TypeError, "labels must hold integers"),
        ({"train": np.array([0, 2])}, ValueError, "share rows"),
        ({"train": np.array([0, 4])}, ValueError, r"train must lie in 0..3, got 0..4"),
        ({"train": np.array([0, 0])}, ValueError, "train holds a row twice"),
        ({"test": np.array([True, False])}, TypeError, "test must hold row numbers"),
        ({"copies": np.array([0])}, ValueError, "copies must be rows of test"),
        ({"groups": np.arange(3)}, ValueError, r"groups must have shape \(4,\), .* got \(3,\)"),
        ({"groups": np.array(3)}, ValueError, r"groups must have shape \(4,\), .* got \(\)"),
        ({"class_names": np.array("nod")}, ValueError, r"class_names must have shape \(K,\), got \(\)"),
        ({"class_names": ["nod"]}, ValueError, "label 1, but class_names has 1 name"),
    ],
)
def test_errors(changes, error, message):
    with pytest.raises(error, match=message):
        FeatureSet(**GOOD | changes)


def test_without_labels_it_is_for_no_protocol():
    unlabelled = FeatureSet(**GOOD | {"labels": np.full(4, -1)})
    with pytest.raises(ValueError, match="none of 2 training rows has a label"):
        evaluate_features(unlabelled, "knn")


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no features at"):
        FeatureSet.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("features")
    with pytest.raises(ValueError, match="is not an .npz file"):
        FeatureSet.load(tmp_path / "text.npz")
    whole = FeatureSet(**GOOD).save(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is not an .npz file"):
        FeatureSet.load(tmp_path / "half.npz")
    np.savez(tmp_path / "part.npz", features=GOOD["features"], train=GOOD["train"])
    with pytest.raises(ValueError, match="has no labels, test; needed are features, labels, train, test"):
        FeatureSet.load(tmp_path / "part.npz")
    np.savez(tmp_path / "nan.npz", **GOOD | {"features": np.full((4, 2), np.nan)})
    with pytest.raises(ValueError, match="nan.npz: features holds values that are not finite"):
        FeatureSet.load(tmp_path / "nan.npz")
    np.savez(tmp_path / "pickle.npz", **GOOD | {"names": np.array([{}], object)})
    with pytest.raises(ValueError, match="plain arrays"):
        FeatureSet.load(tmp_path / "pickle.npz")
