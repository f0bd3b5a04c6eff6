import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skel_data import (
    BadFile,
    Clip,
    Store,
    SynthSettings,
    convert_store,
    get_layout,
    get_split,
    split_names,
    synth_store,
    validate_store,
)


def test_round_trip(make_store, make_clip):
    clips = [
        make_clip(0, subject=3, camera=2, setup=1, replication=4, split=1),
        make_clip(1, (4, 2, 5, 3), tracks=np.arange(1, 9).reshape(4, 2)),
        BadFile("c.txt", "empty"),
        make_clip(2, (1, 3, 5, 3), label=-1),
    ]
    store = make_store(clips, default_split="xsub", subject_names=["p", "q"], camera_names=["left"])
    for opened in (store, Store.open(store.path)):
        assert len(opened) == 3
        for index, clip in enumerate([clips[0], clips[1], clips[3]]):
            assert np.array_equal(opened.clip(index), clip.positions)
            assert not opened.clip(index).flags.writeable
            slots = np.tile(np.arange(1, clip.positions.shape[1] + 1), (len(clip.positions), 1))
            assert np.array_equal(opened.tracks(index), slots if clip.tracks is None else clip.tracks)
        assert opened.lengths.tolist() == [7, 4, 1]
        assert opened.bodies.tolist() == [1, 2, 3]
        assert opened.labels.tolist() == [0, 1, -1]
        facts = (opened.subjects, opened.cameras, opened.setups, opened.replications)
        assert [fact.tolist() for fact in facts] == [[3, -1, -1], [2, -1, -1], [1, -1, -1], [4, -1, -1]]
        assert opened.names.tolist() == ["clip 0", "clip 1", "clip 2"]
        assert opened.listed_split.tolist() == [[1], [0], [0]]
        assert opened.bad_files == (BadFile("c.txt", "empty"),)
        assert (opened.dataset, opened.classes, opened.units) == ("made-up", ("a", "b"), "metres")
        assert (opened.default_split, opened.header["source"]) == ("xsub", "nowhere")
        assert (opened.subject_names, opened.camera_names) == (("p", "q"), ("left",))
        assert opened.layout.joints[1] == "left hip"


def test_absent_bodies_have_no_track(make_store, make_clip):
    clip = make_clip(0, (3, 2, 5, 3))
    clip.positions[1, 1] = 0
    clip.positions[2, 0] = np.nan
    assert make_store([clip]).tracks(0).tolist() == [[1, 2], [1, 0], [0, 2]]


def test_frames_are_not_padded(make_store, make_clip):
    store = make_store([make_clip(0, (100, 1, 5, 3)), make_clip(1, (2, 2, 5, 3))])
    assert store.frames.shape == (104, 5, 3)
    assert (store.path / "frames.npy").stat().st_size == 128 + 104 * 5 * 3 * 4
    assert np.load(store.path / "frames.npy").shape == (104, 5, 3)


def test_digest_tells_copies(make_store, make_clip):
    store = make_store([make_clip(0), make_clip(1), make_clip(0, label=1), make_clip(0, (1, 7, 5, 3))])
    first, second, copy, other_shape = store.digests
    assert first == copy
    assert len({first, second, other_shape}) == 3
    assert all(len(digest) == 16 for digest in store.digests)


def test_hash_is_of_the_content(make_store, make_clip):
    def hashed(name, *clips, **settings):
        return make_store(clips, name, **settings).hash

    first = hashed("a", make_clip(0), make_clip(1))
    assert first == hashed("b", make_clip(0), BadFile("x", "y"), make_clip(1), source="elsewhere")
    others = [
        hashed("c", make_clip(1), make_clip(0)),
        hashed("d", make_clip(0), make_clip(1, subject=1)),
        hashed("e", make_clip(0), make_clip(1), classes=("a", "c")),
        hashed("f", make_clip(0), make_clip(1, tracks=np.full((7, 1), 9))),
    ]
    assert len({first, *others}) == 5


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (Clip(np.ones((2, 1, 4, 3)), "x"), r"\(4, 3\), layout chain-5 has \(5, 3\)"),
        (Clip(np.ones((2, 1, 5, 3)), "x", label=2), "label 2, but there are 2 classes"),
        (Clip(np.ones((2, 1, 5, 3)), "x", label=-3), "label -3"),
        (Clip(np.zeros((2, 1, 5, 3)), "x"), "no joint"),
        (Clip(np.full((2, 1, 5, 3), np.nan), "x"), "no joint"),
        (Clip(np.full((2, 1, 5, 3), np.inf), "x"), "coordinate of inf"),
        (Clip(np.full((2, 1, 5, 3), -1e12), "x"), r"coordinate of 1e\+12"),
        (Clip(np.ones((2, 1, 5, 3)), "x", split=4), "split"),
        (Clip(np.ones((2, 1, 5, 3)), "x", split=(1, 2)), "2 listed splits, the clips before have 1"),
    ],
)
def test_bad_clips_are_kept_out(make_store, make_clip, clip, reason, tmp_path):
    store = make_store([make_clip(0), clip, make_clip(1)])
    assert store.names.tolist() == ["clip 0", "clip 1"]
    assert [bad.name for bad in store.bad_files] == ["x"]
    with pytest.raises(ValueError, match=f"x: .*{reason}"):
        make_store([make_clip(0), clip], "strict.store", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["some.store"]


def test_no_good_clip_leaves_nothing(make_store, tmp_path):
    with pytest.raises(ValueError, match=r"(?s)no usable clip in nowhere.*a\.txt: empty"):
        make_store([BadFile("a.txt", "empty")])
    assert list(tmp_path.iterdir()) == []


def test_an_error_on_the_way_leaves_nothing(make_store, make_clip, tmp_path):
    def clips():
        yield make_clip(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_store(clips())
    assert list(tmp_path.iterdir()) == []


def test_existing_folders_are_safe(make_store, make_clip, tmp_path):
    first = make_store([make_clip(0)])
    with pytest.raises(FileExistsError, match="exists"):
        make_store([make_clip(1)])
    assert np.array_equal(first.clip(0), make_clip(0).positions)
    with pytest.raises(ValueError, match="no usable clip"):
        make_store([], overwrite=True)
    assert np.array_equal(Store.open(first.path).clip(0), make_clip(0).positions)
    store = make_store([make_clip(1)], overwrite=True)
    assert np.array_equal(store.clip(0), make_clip(1).positions)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not a store"):
        make_store([make_clip(1)], "notes", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "some.store"]


def test_open_errors(make_store, make_clip, tmp_path):
    with pytest.raises(FileNotFoundError, match="no store"):
        Store.open(tmp_path / "none")
    with pytest.raises(ValueError, match="is not a store"):
        Store.open(tmp_path)
    store = make_store([make_clip(0), make_clip(1)])
    header = store.header
    for text in ("[]", "{", json.dumps({**header, "format": "other"})):
        (store.path / "header.json").write_text(text)
        with pytest.raises(ValueError, match="is not a store"):
            Store.open(store.path)
    (store.path / "header.json").write_text(json.dumps({**header, "version": 4}))
    with pytest.raises(ValueError, match="version 4"):
        Store.open(store.path)
    (store.path / "header.json").write_text(json.dumps({**header, "counts": {"clips": 3, "rows": 14}}))
    with pytest.raises(ValueError, match=r"damaged.*clips and header\): found 2, expected 3"):
        Store.open(store.path)
    for change in ({"dataset": None}, {"bad_files": [{"name": "x"}]}, {"classes": 3}, {"units": None}):
        damaged = {name: value for name, value in (header | change).items() if value is not None}
        (store.path / "header.json").write_text(json.dumps(damaged))
        with pytest.raises(ValueError, match="damaged"):
            Store.open(store.path)
    (store.path / "header.json").write_text(json.dumps(header))
    for name in ("frames.npy", "tracks.npy", "clips.npz"):
        data = (store.path / name).read_bytes()
        (store.path / name).write_bytes(data[: len(data) - 20])
        with pytest.raises(ValueError, match="damaged"):
            Store.open(store.path)
        (store.path / name).unlink()
        with pytest.raises(ValueError, match="damaged"):
            Store.open(store.path)
        (store.path / name).write_bytes(data)
    assert len(Store.open(store.path)) == 2


WRITER = """
import sys, time
import numpy as np
from skel_data import Clip, DatasetInfo, get_layout, write_store
def clips():
    for i in range(1000):
        yield Clip(np.ones((50, 1, 20, 3)), str(i))
        if i == 20:
            print("ready", flush=True)
            time.sleep(60)
info = DatasetInfo(get_layout("kinect-20"), (), "m")
write_store(sys.argv[1], clips(), info, source="s", overwrite=True)
"""


@pytest.mark.parametrize("existing", [False, True])
def test_a_kill_leaves_no_store_and_the_next_write_cleans_up(make_store, make_clip, tmp_path, existing):
    if existing:
        make_store([make_clip(0)])
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "some.store")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline().strip() == "ready"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    left = [".some.store.lock", f".some.store.partial-{process.pid}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left + ["some.store"] * existing
    if existing:
        assert len(Store.open(tmp_path / "some.store")) == 1
    store = make_store([make_clip(0), make_clip(1)], overwrite=True)
    assert len(store) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["some.store"]


def test_a_living_writer_is_left_alone(make_store, make_clip, tmp_path):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        partial = tmp_path / f".some.store.partial-{sleeper.pid}"
        partial.mkdir()
        make_store([make_clip(0)])
        assert partial.exists()
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_store_lost_between_two_renames_comes_back(make_store, make_clip, tmp_path):
    store = make_store([make_clip(0)])
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    store.path.rename(tmp_path / f".some.store.replaced-{dead.pid}")
    with pytest.raises(ValueError, match="no usable clip"):
        make_store([])
    assert np.array_equal(Store.open(store.path).clip(0), make_clip(0).positions)


def test_a_store_is_a_fifth_of_the_published_arrays_or_less(tmp_path):
    """Those hold 300 frames of two bodies for every clip, once for each split; here for one split alone."""
    settings = SynthSettings(classes=4, subjects=2, repetitions=1, pairs=2)
    store = synth_store(tmp_path / "synth.store", settings)
    size = sum(file.stat().st_size for file in store.path.iterdir())
    assert size <= len(store) * 3 * 300 * 25 * 2 * 4 / 5


def test_stores_of_version_1_are_read(tmp_path):
    """Written by the version that called a camera view, and shoulders and hips across."""
    store = Store.open(Path(__file__).with_name("golden") / "store-version-1")
    assert validate_store(store) == []
    assert (store.cameras.tolist(), store.camera_names) == ([0, 1, 0, 1], ("left", "right"))
    assert store.layout == get_layout("h36m-17")
    assert parts(store, "view-left") == parts(store, "camera-left") == ([1, 3], [0, 2])
    assert get_split(store, "view-left").name == "camera-left"
    assert "camera-left" in split_names(store)
    again = convert_store(store, tmp_path / "again.store", store.layout)
    assert again.header["version"] == 2
    assert (again.info, again.digests.tolist()) == (store.info, store.digests.tolist())
    assert validate_store(again) == []


def parts(store, name):
    split = get_split(store, name)
    return split.train.tolist(), split.test.tolist()


def test_a_path_opens_the_store(make_store, make_clip):
    made = make_store([make_clip()])
    store = Store(str(made.path))
    assert store.hash == made.hash
    assert store.default_split == made.default_split
    np.testing.assert_array_equal(store.labels, made.labels)
    np.testing.assert_array_equal(store.clip(0), made.clip(0))
