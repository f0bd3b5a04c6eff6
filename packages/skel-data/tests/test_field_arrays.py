"""Readers ``agcn`` and ``ctrgcn``."""

import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_data import get_layout, get_split, import_dataset, split_names
from skel_data.readers.arrays._axes import frames_without_padding, to_clip

FRAMES = (5, 9, 12, 7)


def padded(lengths=FRAMES, total=12, joints=25, bodies=2, seed=0):
    """(N, C, T, V, M), of which the second body is in the second clip only."""
    x = np.zeros((len(lengths), 3, total, joints, bodies), np.float32)
    rng = np.random.default_rng(seed)
    for i, frames in enumerate(lengths):
        x[i, :, :frames, :, : 1 + (i == 1)] = rng.normal(size=(3, frames, joints, 1 + (i == 1)))
    return x


def write_agcn(folder, part="train", name="data_joint", names=None, labels=None, frames=None, x=None):
    folder.mkdir(parents=True, exist_ok=True)
    x = padded() if x is None else x
    subject = 1 if part == "train" else 3
    labels = [i % 3 for i in range(len(x))] if labels is None else labels
    if names is None:
        names = [f"S002C003P{subject:03}R001A{c + 1:03}.skeleton" for c in labels]
    prefix = f"{part}_" if part else ""
    np.save(folder / f"{prefix}{name}.npy", x)
    (folder / f"{prefix}label.pkl").write_bytes(pickle.dumps((names, labels)))
    if frames is not None:
        np.save(folder / f"{prefix}num_frame.npy", frames)
    return x


@pytest.fixture
def load(tmp_path):
    def run(kind, source, **settings):
        return import_dataset(kind, source, tmp_path / "a.store", overwrite=True, **settings)

    return run


@pytest.mark.parametrize("frames", [None, FRAMES])
def test_agcn(tmp_path, load, frames):
    x = write_agcn(tmp_path / "xsub", frames=frames)
    write_agcn(tmp_path / "xsub", "val")
    np.save(tmp_path / "xsub" / "train_data_bone.npy", x)
    store = load("agcn", tmp_path / "xsub")
    assert (len(store), store.layout, store.dataset) == (8, get_layout("ntu-25"), "ntu60")
    assert store.lengths.tolist() == [*FRAMES, *FRAMES]
    assert store.names[0] == "S002C003P001R001A001"
    assert (store.setups[0], store.cameras[0], store.subjects[0], store.replications[0]) == (2, 3, 1, 1)
    assert store.classes[1] == "eat meal/snack"
    assert np.array_equal(store.clip(1), x[1].transpose(1, 3, 2, 0)[:9])
    assert store.clip(0).shape == (5, 1, 25, 3)
    assert {"listed", "xsub"} <= set(split_names(store))
    for name in ("listed", "xsub"):
        assert get_split(store, name).train.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["data", "position", "joint"])
def test_agcn_other_names(tmp_path, load, name):
    write_agcn(tmp_path / "d", "train", name)
    write_agcn(tmp_path / "d", "test", name)
    assert len(load("agcn", tmp_path / "d")) == 8


def test_agcn_parts_in_folders_and_one_file_alone(tmp_path, load):
    write_agcn(tmp_path / "d" / "train", "")
    write_agcn(tmp_path / "d" / "val", "")
    assert get_split(load("agcn", tmp_path / "d"), "listed").test.tolist() == [4, 5, 6, 7]
    assert len(load("agcn", tmp_path / "d" / "val" / "data_joint.npy")) == 4


def test_agcn_in_a_zip_archive(tmp_path, load):
    x = write_agcn(tmp_path / "d")
    with zipfile.ZipFile(tmp_path / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (tmp_path / "d").iterdir():
            archive.write(path, f"d/{path.name}")
    assert np.array_equal(load("agcn", tmp_path / "d.zip").clip(2)[:, 0], x[2, ..., 0].transpose(1, 2, 0))
    data = bytearray((tmp_path / "d.zip").read_bytes())
    with zipfile.ZipFile(tmp_path / "d.zip") as archive:
        array = archive.getinfo("d/train_data_joint.npy")
    start = array.header_offset + array.compress_size * 3 // 4
    data[start : start + 40] = b"\xff" * 40
    (tmp_path / "d.zip").write_bytes(data)
    store = load("agcn", tmp_path / "d.zip")
    assert 0 < len(store) < 4
    assert "cannot be read after" in store.bad_files[0].reason


def test_agcn_own_names_and_joints(tmp_path, load):
    x = padded(joints=7)
    write_agcn(tmp_path / "d", x=x, names=list("abcd"), labels=[0, 1, 4, 1])
    with pytest.raises(ValueError, match="7 joints of 3 numbers, so a layout must be given"):
        load("agcn", tmp_path / "d")
    write_agcn(tmp_path / "d", x=padded(joints=18), names=list("abcd"), labels=[0, 1, 4, 1])
    store = load("agcn", tmp_path / "d")
    assert (store.layout.name, store.layout.confidence, store.dataset) == ("openpose-18", True, "d")
    assert store.classes == ("0", "1", "2", "3", "4")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"names": ["a"], "labels": [0]}, "label file has 1 clip"),
        ({"frames": [1, 2]}, "num_frame has 2"),
        ({"x": np.zeros((4, 3, 25, 2))}, r"expected \(N, C, T, V, M\)"),
        ({"names": "abc"}, "as many whole numbers"),
        ({"names": list("abcd"), "labels": [0, 1, 2, 2**40]}, "more than 10000 classes"),
        ({"frames": [1.5, 2, 3, 4]}, "num_frame.npy: expected whole numbers, got float64"),
    ],
)
def test_agcn_that_does_not_fit(tmp_path, load, change, reason):
    write_agcn(tmp_path / "d", **change)
    with pytest.raises(ValueError, match=reason):
        load("agcn", tmp_path / "d")


def test_agcn_without_label_file_cut_off_or_with_a_link_outside(tmp_path, load):
    write_agcn(tmp_path / "d")
    array, label = tmp_path / "d" / "train_data_joint.npy", tmp_path / "d" / "train_label.pkl"
    array.write_bytes(array.read_bytes()[:-10_000])
    store = load("agcn", tmp_path / "d")
    assert (len(store), store.bad_files[0].reason) == (2, "cut off after 2 of 4 rows")
    (tmp_path / "outside.pkl").write_bytes(label.read_bytes())
    label.unlink()
    with pytest.raises(ValueError, match=r"no train_label.pkl with names and labels beside it"):
        load("agcn", tmp_path / "d")
    label.symlink_to(tmp_path / "outside.pkl")
    with pytest.raises(ValueError, match="leads out of the source"):
        load("agcn", tmp_path / "d")


def test_agcn_frames_beyond_the_array(tmp_path, load):
    write_agcn(tmp_path / "d", frames=[5, 9, 13, 0])
    store = load("agcn", tmp_path / "d")
    assert [bad.reason.partition(",")[0] for bad in store.bad_files] == ["num_frame is 13", "num_frame is 0"]


def test_repetition_is_padding_but_standing_still_is_not():
    x = np.random.default_rng(0).normal(size=(7, 1, 5, 3))
    looped = np.concatenate([x, x, x])[:17]
    assert frames_without_padding(looped) == 7
    assert frames_without_padding(x) == 7
    assert frames_without_padding(np.ones((6, 1, 5, 3))) == 6
    assert frames_without_padding(np.concatenate([looped, np.zeros((2, 1, 5, 3))])) == 17


def write_ctrgcn(path, y=None, x=None):
    x = padded().transpose(0, 2, 4, 3, 1).reshape(4, 12, -1) if x is None else x
    y = np.eye(60)[[0, 2, 1, 59]] if y is None else y
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    return x


def test_ctrgcn(tmp_path, load):
    write_ctrgcn(tmp_path / "NTU60_CS.npz")
    store = load("ctrgcn", tmp_path / "NTU60_CS.npz")
    assert (len(store), store.layout, len(store.classes)) == (6, get_layout("ntu-25"), 60)
    assert store.classes[0] == "drink water"
    assert store.labels.tolist() == [0, 2, 1, 59, 0, 2]
    assert store.lengths.tolist() == [5, 9, 12, 7, 5, 9]
    assert np.array_equal(store.clip(1), padded()[1].transpose(1, 3, 2, 0)[:9])
    assert get_split(store).name == "xsub"
    assert get_split(store).test.tolist() == [4, 5]
    assert store.names[4] == "test_0"


@pytest.mark.parametrize("suffix", ["npy", "pkl"])
def test_ctrgcn_files_of_one_array_each(tmp_path, load, suffix):
    clips = [np.random.default_rng(t).normal(size=(t, 20, 3)) for t in (4, 6, 5)]
    for part, count in (("train", 3), ("val", 2)):
        x = np.array(clips[:count], dtype=object) if suffix == "npy" else clips[:count]
        y = np.arange(count) if suffix == "npy" else list(range(count))
        for name, value in (("x", x), ("y", y)):
            path = tmp_path / f"{name}_{part}.{suffix}"
            if suffix == "npy":
                np.save(path, value, allow_pickle=True)
            else:
                path.write_bytes(pickle.dumps(value))
    store = load("ctrgcn", tmp_path, layout="kinect-20")
    assert store.lengths.tolist() == [4, 6, 5, 4, 6]
    assert np.array_equal(store.clip(2)[:, 0], clips[2].astype(np.float32))
    assert get_split(store, "listed").test.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x": np.zeros((4, 12, 51))}, "a layout must be given"),
        ({"y": np.ones((4, 3))}, "without a single one"),
        ({"y": np.full(4, 0.5)}, "whole numbers"),
        ({"y": np.full(4, 10**6)}, "more than 10000 classes"),
        ({"y": np.array([0, 1, np.nan, 1])}, "whole numbers"),
        ({"y": np.array([0, 1, np.inf, 1])}, "whole numbers"),
    ],
)
def test_ctrgcn_that_does_not_fit(tmp_path, load, change, reason):
    write_ctrgcn(tmp_path / "a.npz", **change)
    with pytest.raises(ValueError, match=reason):
        load("ctrgcn", tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        (3, [1], "x_train.pkl: expected an array of clips or a list of them, got int"),
        ([[[1.0], [1.0, 2.0]]], [1], "x_train.pkl: lists of several lengths"),
        ([[[1.0]]], [1, [2]], "y_train: lists of several lengths"),
    ],
)
def test_ctrgcn_files_that_do_not_fit(tmp_path, load, x, y, reason):
    for part, value in (("x", x), ("y", y)):
        (tmp_path / f"{part}_train.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(ValueError, match=reason):
        load("ctrgcn", tmp_path)


def test_a_header_that_is_too_long_is_told_on_one_line(tmp_path, load):
    (tmp_path / "y_train.pkl").write_bytes(pickle.dumps([1]))
    wide = np.zeros(2, [(f"f{number}", "f4") for number in range(900)])
    np.save(tmp_path / "x_train.npy", wide)
    with pytest.raises(ValueError, match="not a numpy array: Header info length") as raised:
        load("ctrgcn", tmp_path)
    assert "\n" not in str(raised.value)


def test_ctrgcn_labels_for_other_clips(tmp_path, load):
    write_ctrgcn(tmp_path / "a.npz", y=np.zeros(7, int))
    assert load("ctrgcn", tmp_path / "a.npz").bad_files[0].reason == "7 labels for 4 clips"


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((9, 25, 3), "tvc"),
        ((9, 2, 25, 3), "tmvc"),
        ((2, 9, 25, 3), "mtvc"),
        ((3, 9, 25, 2), "ctvm"),
        ((3, 9, 25), "ctv"),
        ((9, 150), "t(mvc)"),
    ],
)
def test_axes(shape, order):
    array = np.arange(np.prod(shape)).reshape(shape)
    clip = to_clip(array, 25, (3,))
    expected = {
        "tvc": lambda: array[:, None],
        "tmvc": lambda: array,
        "mtvc": lambda: array.transpose(1, 0, 2, 3),
        "ctvm": lambda: array.transpose(1, 3, 2, 0),
        "ctv": lambda: array.transpose(1, 2, 0)[:, None],
        "t(mvc)": lambda: array.reshape(9, 2, 25, 3),
    }[order]()
    assert np.array_equal(clip, expected)


SHAPES = st.lists(st.integers(0, 30), min_size=1, max_size=5).map(tuple)


@given(SHAPES.filter(lambda shape: np.prod(shape) < 1e5))
def test_axes_refuse_or_keep_every_number(shape):
    array = np.arange(1, np.prod(shape) + 1).reshape(shape)
    try:
        clip = to_clip(array, 5, (2, 3))
    except ValueError:
        return
    assert clip.shape[2] == 5
    assert clip.shape[3] in (2, 3)
    assert sorted(clip.reshape(-1)) == sorted(array.reshape(-1))


@pytest.mark.parametrize("shape", [(9, 24, 3), (40, 75, 1), (0, 25, 3), (75,)])
def test_axes_that_do_not_fit(shape):
    with pytest.raises(ValueError, match="shape|expected numbers"):
        to_clip(np.zeros(shape), 25, (3,))


def test_damage_takes_no_memory_and_is_told_in_a_sentence(tmp_path):
    """A file of a few bytes is read into a few bytes, and the name in a damaged archive is no message."""
    for name in ("x_train", "y_train"):
        (tmp_path / f"{name}.pkl").write_bytes(b"no pickle")
    tracemalloc.start()
    with pytest.raises(ValueError, match="y_train.pkl"):
        import_dataset("ctrgcn", tmp_path, tmp_path / "a.store")
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()
    np.savez(tmp_path / "a.npz", x_train=np.zeros((1, 2, 150)), y_train=np.eye(60)[:1])
    data = (tmp_path / "a.npz").read_bytes()
    at = data.rindex(b"PK\x03\x04") + 26  # the length of the name of the last array
    (tmp_path / "a.npz").write_bytes(data[:at] + b"\xf0\x00" + data[at + 2 :])
    with pytest.raises(ValueError, match="cannot be read") as raised:
        import_dataset("ctrgcn", tmp_path / "a.npz", tmp_path / "a.store")
    assert len(str(raised.value)) < 300
