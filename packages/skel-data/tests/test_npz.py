import numpy as np
import pytest

from skel_data import import_dataset, missing_joints

LENGTHS = np.array([3, 2, 4])
TREE = {"joint_names": np.array(["root", "left arm", "right arm"]), "parents": np.array([-1, 0, 0])}


@pytest.fixture
def load(tmp_path):
    """Import arrays; `with_layout` adds names and parents."""

    def run(layout=None, with_layout=True, **arrays):
        positions = np.random.default_rng(0).normal(size=(9, 3, 3)).astype(np.float32)
        everything = {"positions": positions, "lengths": LENGTHS, **(TREE if with_layout else {}), **arrays}
        path = tmp_path / "my.npz"
        np.savez(path, **{key: value for key, value in everything.items() if value is not None})
        return import_dataset("npz", path, tmp_path / "my.store", layout=layout, overwrite=True)

    return run


def test_least(load):
    store = load()
    assert (store.dataset, store.classes, store.units) == ("my", (), "unknown")
    assert store.labels.tolist() == [-1] * 3
    assert store.names.tolist() == ["0", "1", "2"]
    assert store.layout.joints == ("root", "left arm", "right arm")
    assert store.layout.parents == (0, 0, 0)
    assert store.layout.mirror == (0, 2, 1)
    positions = np.random.default_rng(0).normal(size=(9, 3, 3)).astype(np.float32)
    assert np.array_equal(store.clip(1)[:, 0], positions[3:5])


def test_cameras_were_called_views(load):
    store = load(positions=np.ones((4, 3, 3)), lengths=np.array([2, 2]), views=np.array(["left", "right"]))
    assert (store.cameras.tolist(), store.camera_names) == ([0, 1], ("left", "right"))


def test_labels_below_minus_one_are_none(load):
    store = load(positions=np.ones((4, 3, 3)), lengths=np.array([2, 2]), labels=np.array([0, -2]))
    (bad,) = store.bad_files
    assert (store.labels.tolist(), bad.reason) == (
        [0],
        "label -2, expected a class, or -1 where it is unknown",
    )


def test_everything(load):
    store = load(
        positions=np.random.default_rng(1).normal(size=(9, 2, 3, 3)),
        labels=np.array([1, 0, -1]),
        class_names=np.array(["sit", "stand"]),
        subjects=np.array(["tr", "bd", "tr"]),
        cameras=np.array([4, 2, 4]),
        setups=np.array([1, 2, 3]),
        replications=np.array([0, 1, 0]),
        names=np.array(["x", "y", "z"]),
        split=np.array([[1, 2], [2, 1], [1, 0]]),
        tracks=np.arange(1, 19).reshape(9, 2),
    )
    assert store.labels.tolist() == [1, 0, -1]
    assert store.classes == ("sit", "stand")
    assert store.subjects.tolist() == [1, 0, 1]
    assert store.subject_names == ("bd", "tr")
    assert store.cameras.tolist() == [4, 2, 4]
    assert store.camera_names == ()
    assert store.setups.tolist() == [1, 2, 3]
    assert store.replications.tolist() == [0, 1, 0]
    assert store.names.tolist() == ["x", "y", "z"]
    assert store.listed_split.tolist() == [[1, 2], [2, 1], [1, 0]]
    assert store.tracks(2).tolist() == np.arange(11, 19).reshape(4, 2).tolist()


def test_own_root_and_two_dimensions(load):
    store = load(parents=np.array([0, 0, 0]), positions=np.ones((9, 3, 2)), split=np.array([1, 2, 0]))
    assert (store.layout.dims, store.layout.confidence) == (2, False)
    assert store.listed_split.tolist() == [[1], [2], [0]]


def test_preset_with_and_without_confidence(load):
    for channels, confidence in ((2, False), (3, True)):
        store = load(layout="coco-17", with_layout=False, positions=np.ones((9, 17, channels)))
        assert (store.layout.dims, store.layout.confidence) == (2, confidence)
        assert store.layout.name == "coco-17"


def test_bad_clips_cost_no_good_one(load):
    positions = np.ones((9, 3, 3))
    positions[3:5] = np.nan
    positions[5, 0, 0] = np.nan  # one gap is no reason
    store = load(positions=positions)
    assert store.names.tolist() == ["0", "2"]
    assert [(bad.name, bad.reason) for bad in store.bad_files] == [
        ("1", "no joint in any frame (all missing, NaN or zero)")
    ]
    store = load(lengths=np.array([0, 9]))
    assert [bad.name for bad in store.bad_files] == ["0"]


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"lengths": None}, "no array lengths"),
        (
            {"positions": np.ones((3, 4, 3, 3)), "lengths": np.array([3, 2, 5])},
            "padded, need as many lengths",
        ),
        ({"positions": np.ones((2, 4, 1, 3, 3))}, "padded, need as many lengths"),
        ({"labels": np.eye(4)[:3] * 2}, "must have one 1 in each row"),
        ({"labels": np.array([0.5, 1, 2])}, "labels must be whole numbers"),
        (
            {"labels": np.array(["a", "b", "c"]), "class_names": np.array(["a", "b"])},
            "label 'c' is not among",
        ),
        ({"split": np.array(["train", "test", "other"])}, "split as text must be train, val or test"),
        (
            {"split": np.array([True, False, True])},
            "split is true or false; write 1 for train",
        ),
        ({"names": np.array(["a", "b", "c"], object)}, "save text as np.array"),
        ({"positions": None, "lengths": None}, "no array lengths, positions"),
        ({"lengths": np.array([3, 2, 5])}, "add up to 10, but positions has 9"),
        ({"lengths": np.array([3.0, 2, 4])}, "whole numbers"),
        ({"lengths": np.array([-1, 10])}, "whole numbers"),
        ({"positions": np.ones((9, 9))}, r"positions must be numbers .* got float64 \(9, 9\)"),
        ({"labels": np.array([1, 0])}, "labels must be whole numbers with 3 rows"),
        ({"subjects": np.array([1.5, 0, 1])}, "subjects must be whole numbers or text"),
        ({"names": np.array([1, 2, 3])}, "names must be text"),
        ({"positions": np.array([None] * 9)}, "pickled"),
        ({"parents": np.array([-1, 0])}, "3 joint_names and 2 parents"),
        ({"joint_names": np.array("a")}, "1 joint_name and 3 parents"),
        ({"parents": np.array(-1.0)}, "3 joint_names and 1 parent"),
        ({"parents": np.array([-1, 0, 7])}, "no joint 7"),
        ({"labels": np.array([3, 3, 3]), "class_names": np.array(["a"])}, "label 3, but there are 1 class"),
        ({"split": np.array([3, 3, 3])}, "expected 0 .unknown., 1"),
    ],
)
def test_reasons(load, arrays, reason):
    with pytest.raises(ValueError, match=reason):
        load(**arrays)


def test_layout_must_be_known_and_fit(load):
    with pytest.raises(ValueError, match="a layout must be given"):
        load(with_layout=False)
    with pytest.raises(ValueError, match=r"\(25, 3\)"):
        load(layout="ntu-25")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not really", b"\x93NUMPY"])
def test_not_a_npz(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.npz"):
        import_dataset("npz", tmp_path / "a.npz", tmp_path / "store")


@pytest.mark.parametrize("kind", ["u1", "u4", "u8", "i2"])
def test_any_whole_numbers(load, kind):
    labels, tracks = np.array([1, 0, 1], kind), np.ones((9, 1), kind)
    store = load(labels=labels, subjects=labels, split=labels, tracks=tracks, lengths=LENGTHS.astype(kind))
    assert (store.labels.tolist(), store.classes) == ([1, 0, 1], ("0", "1"))
    assert store.subjects.tolist() == [1, 0, 1]
    assert store.lengths.tolist() == LENGTHS.tolist()


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("subjects", np.array([2**63, 0, 1], "u8"), "subjects holds 9223372036854775808, more than 64 bits"),
        (
            "labels",
            np.array([10**9, 0, 1]),
            "a label is 1000000000; more than 10000 classes need an array class_names",
        ),
    ],
)
def test_absurd_numbers(load, key, array, message):
    with pytest.raises(ValueError, match=message):
        load(**{key: array})


def test_a_file_given_by_itself_is_of_any_size(load, tmp_path, monkeypatch):
    monkeypatch.setattr("skel_data.readers._npz._MAX_BYTES", 100)
    assert len(load()) == 3
    (tmp_path / "raw").mkdir()
    (tmp_path / "my.npz").rename(tmp_path / "raw" / "my.npz")
    with pytest.raises(ValueError, match="more than the limit of 100"):
        import_dataset("npz", tmp_path / "raw", tmp_path / "a.store")


def test_one_file_is_expected(tmp_path):
    with pytest.raises(ValueError, match="found none"):
        import_dataset("npz", tmp_path, tmp_path / "store")
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz")
    with pytest.raises(ValueError, match=r"found a\.npz, b\.npz"):
        import_dataset("npz", tmp_path, tmp_path / "store")


def test_padded_arrays(load):
    x = np.random.default_rng(0).normal(size=(3, 5, 3, 3)).astype(np.float32)
    lengths = np.array([5, 2, 4])
    packed = load(positions=np.concatenate([x[i, :n] for i, n in enumerate(lengths)]), lengths=lengths)
    for i, n in enumerate(lengths):
        x[i, n:] = 0
    for arrays in (
        {"positions": x, "lengths": lengths},
        {"positions": x[:, :, None], "lengths": lengths},
        {"positions": x, "lengths": None},
        {"positions": np.where(x == 0, np.nan, x), "lengths": None},
    ):
        assert load(**arrays).digests.tolist() == packed.digests.tolist()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array(["walk", "run", "walk"]), ("run", "walk")),
        (np.array([1.0, 0.0, 1.0]), ("0", "1")),
        (np.eye(2)[[1, 0, 1]], ("0", "1")),
        (np.eye(2, dtype=bool)[[1, 0, 1]], ("0", "1")),
    ],
)
def test_labels_in_other_forms(load, labels, classes):
    store = load(labels=labels)
    assert (store.labels.tolist(), store.classes) == ([1, 0, 1], classes)


def test_split_as_text(load):
    assert load(split=np.array(["train", "val", ""])).listed_split.tolist() == [[1], [2], [0]]


def test_a_joint_at_the_origin_is_there(load):
    positions = np.ones((9, 3, 3))
    positions[4, 1] = 0
    positions[5] = 0
    store = load(positions=positions)
    assert (store.clip(1)[1, 0, 1] == [np.float32(1e-30), 0, 0]).all()
    assert missing_joints(store).tolist() == [0, 0, 0]
    assert store.tracks(2).tolist() == [[0], [1], [1], [1]]  # a body that is all zero is absent
    plane = load(positions=positions[..., :2])
    assert missing_joints(plane)[1] == 1 / 8  # in two dimensions zero is what estimators give


def test_a_file_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("skel_data.readers._npz._MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", positions=np.zeros((9999, 3, 3)), lengths=np.array([9999]))
    with pytest.raises(ValueError, match="bytes packed in"):
        import_dataset("npz", tmp_path / "a.npz", tmp_path / "a.store")


def test_other_joints_are_refused_as_such_where_up_is_looked_for(tmp_path):
    np.savez(tmp_path / "a.npz", positions=np.ones((4, 3, 3)), lengths=np.array([2, 2]))
    with pytest.raises(ValueError, match=r"joints x coordinates are \(3, 3\), layout ntu-25 has"):
        import_dataset("npz", tmp_path / "a.npz", tmp_path / "a.store", layout="ntu-25", up="auto")
