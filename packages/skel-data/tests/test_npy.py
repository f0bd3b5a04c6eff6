import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from skel_data import get_layout, import_dataset


def array(seed=0, shape=(6, 20, 3)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def save(path, value, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **(value if isinstance(value, dict) else {"arr_0": value}))
    else:
        np.save(path, value, **more)


@pytest.fixture
def load(tmp_path):
    def run(source=tmp_path / "d", layout="kinect-20", **settings):
        return import_dataset("npy", source, tmp_path / "a.store", layout=layout, overwrite=True, **settings)

    return run


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_one_file_a_clip(tmp_path, load, suffix):
    for label, name in enumerate(("clap", "wave")):
        for k in range(2):
            save(tmp_path / "d" / name / f"{k}.{suffix}", array(2 * label + k, (6 + k, 20, 3)))
    store = load()
    assert (store.classes, store.labels.tolist()) == (("clap", "wave"), [0, 0, 1, 1])
    assert store.lengths.tolist() == [6, 7, 6, 7]
    assert np.array_equal(store.clip(3)[:, 0], array(3, (7, 20, 3)))


@pytest.mark.parametrize("shape", [(20, 3), (60,)])
def test_one_file_a_frame(tmp_path, load, shape):
    for clip, numbers in (("a", (1, 2, 4)), ("b", (0, 2, 4, 6))):
        for number in numbers:
            save(tmp_path / "d" / clip / f"{number}.npy", array(number, (20, 3)).reshape(shape))
    store = load()
    assert (store.names.tolist(), store.lengths.tolist()) == (["a", "b"], [4, 4])
    assert np.array_equal(store.clip(0)[3, 0], array(4, (20, 3)))
    assert not store.clip(0)[2].any()
    assert np.array_equal(store.clip(1)[1, 0], array(2, (20, 3)))


def test_frames_in_a_tar_archive_and_a_bad_one(tmp_path, load):
    for number in range(4):
        save(tmp_path / "d" / "x" / f"f_{number}.npy", array(number, (20, 3)))
    (tmp_path / "d" / "x" / "f_2.npy").write_bytes(b"")
    with tarfile.open(tmp_path / "d.tar", "w") as archive:
        archive.add(tmp_path / "d", "d")
    for source in (tmp_path / "d", tmp_path / "d.tar"):
        store = load(source)
        assert (store.names.tolist(), store.lengths.tolist()) == (["f"], [4])
        assert len(store.bad_files) == 1
        assert not store.clip(0)[2].any()


def test_confidence_and_mediapipe(tmp_path, load):
    save(tmp_path / "d" / "c.npy", array(0, (30, 33, 4)))
    store = load(layout=None)
    assert (store.layout, store.clip(0).shape) == (get_layout("mediapipe-33"), (30, 1, 33, 4))
    assert np.array_equal(store.clip(0)[:, 0], array(0, (30, 33, 4)) * np.float32([1, -1, -1, 1]))
    assert store.info.up == "-y"  # told, as y points down in MediaPipe's
    save(tmp_path / "d" / "c.npy", array(0, (30, 17, 2)))
    assert not load(layout="coco-17").layout.confidence


def test_named_arrays_and_names_of_ntu(tmp_path, load):
    name = "S003C002P005R001A007"
    save(tmp_path / "d" / f"{name}.npz", {"joints": array(), "label": np.array(3)})
    store = load()
    assert (store.subjects[0], store.cameras[0], store.setups[0]) == (5, 2, 3)


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_files_that_are_bad(tmp_path, load, capsys):
    save(tmp_path / "d" / "a.npy", array())
    save(tmp_path / "d" / "objects.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    save(tmp_path / "d" / "other.npy", array(0, (6, 19, 3)))
    save(tmp_path / "d" / "two.npz", {"a": array(), "b": array()})
    save(tmp_path / "d" / "text.npy", np.array(["a"]))
    (tmp_path / "d" / "cut.npy").write_bytes((tmp_path / "d" / "a.npy").read_bytes()[:-5])
    (tmp_path / "d" / "pickle.npy").write_bytes(pickle.dumps(3))
    store = load()
    reasons = {bad.name: bad.reason for bad in store.bad_files}
    assert "refused" in reasons["objects.npy"]
    assert "does not fit" in reasons["other.npy"]
    assert "which array is the clip" in reasons["two.npz"]
    assert "expected numbers" in reasons["text.npy"]
    assert "bytes for an array" in reasons["cut.npy"]
    assert "not a numpy array" in reasons["pickle.npy"]
    assert capsys.readouterr().out == ""


def test_a_zip_bomb_is_not_read(tmp_path, load, monkeypatch):
    save(tmp_path / "d" / "a.npy", array())
    with zipfile.ZipFile(tmp_path / "d" / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(2_000_000))
    monkeypatch.setattr("skel_data.readers.arrays._numpy.MAX_BYTES", 1_000_000)
    assert "2000000 bytes, more than the limit" in load().bad_files[0].reason


@pytest.mark.parametrize(
    ("layout", "reason"), [(None, "so a layout must be given"), ("ntu-25", "neither clip nor frame")]
)
def test_layouts_that_do_not_fit(tmp_path, load, layout, reason):
    save(tmp_path / "d" / "a.npy", array())
    with pytest.raises(ValueError, match=reason):
        load(layout=layout)
