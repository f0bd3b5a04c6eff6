"""Untrimmed recordings: intervals in clips and stores, from readers, tables and joined clips."""

import json

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import (
    BadFile,
    Clip,
    DatasetInfo,
    Store,
    SynthSettings,
    convert_store,
    get_layout,
    get_split,
    import_dataset,
    join_clips,
    label_store,
    merge_stores,
    summarise,
    synth_store,
    validate_store,
    write_store,
)
from skel_data._rate import at_rate
from skel_data.readers.datasets import _pku_mmd, _utkinect
from skel_data.store._store import UNTRIMMED, VERSION

LAYOUT = get_layout("ntu-25")
INFO = DatasetInfo(LAYOUT, ("sit", "walk", "wave"), "metres", "long", default_split="xsub")


def recording(name, frames, intervals, subject=1, seed=0):
    positions = np.random.default_rng(seed).normal(size=(frames, 25, 3))
    return Clip(positions, name, subject=subject, intervals=intervals)


@pytest.fixture
def long_store(tmp_path):
    clips = [
        recording("first", 40, [(1, 20, 30), (0, 5, 12)], seed=1),
        recording("second", 20, [], seed=2),
        recording("third", 30, [(2, 0, 30)], subject=2, seed=3),
    ]
    return write_store(tmp_path / "long.store", clips, INFO, source="test")


def test_intervals_are_kept_in_the_order_of_time(long_store):
    assert long_store.header["version"] == UNTRIMMED
    assert long_store.intervals(0).tolist() == [[0, 5, 12], [1, 20, 30]]
    assert long_store.intervals(1).shape == (0, 3)
    assert long_store.intervals(2).tolist() == [[2, 0, 30]]
    assert long_store.annotated.tolist() == [True, False, True]
    assert validate_store(long_store) == []
    found = summarise(long_store)
    assert found["intervals"] == {"sit": 1, "walk": 1, "wave": 1}
    assert found["in_intervals"] == round(47 / 90, 4)


def test_a_store_without_intervals_is_written_as_before(tmp_path):
    clip = Clip(np.ones((4, 25, 3)), "one", 0, 1)
    store = write_store(tmp_path / "some.store", [clip], INFO, source="test")
    assert store.header["version"] == VERSION == 2
    assert store.all_intervals.shape == (0, 4)
    with np.load(store.path / "clips.npz") as table:
        assert "intervals" not in table


def test_recordings_with_intervals_are_tested(long_store):
    split = get_split(long_store)
    assert (split.train.tolist(), split.test.tolist()) == ([0, 1], [2])
    random = get_split(long_store, "random")
    assert 1 not in random.test
    assert len(random.test) >= 1


@pytest.mark.parametrize("interval", [(0, 4, 4), (0, -1, 3), (0, 2, 11)])
def test_an_interval_lies_in_its_recording(interval):
    with pytest.raises(ValueError, match="an action from frame"):
        recording("bad", 10, [interval])


def test_an_action_of_no_class_makes_a_bad_file(tmp_path):
    clips = [recording("bad", 10, [(3, 0, 4)]), recording("good", 10, [(2, 0, 4)])]
    store = write_store(tmp_path / "some.store", clips, INFO, source="test")
    assert store.names.tolist() == ["good"]
    assert store.bad_files == (BadFile("bad", "an action of class 3, but there are 3 classes"),)


@pytest.mark.parametrize(
    ("change", "message"),
    [([0, 0, 5, 99], "does not lie in its recording"), ([0, 7, 5, 12], "intervals that are none")],
)
def test_damaged_intervals_are_refused(long_store, change, message):
    with np.load(long_store.path / "clips.npz") as table:
        columns = dict(table)
    columns["intervals"][0] = change
    np.savez(long_store.path / "clips.npz", **columns)
    with pytest.raises(ValueError, match=message):
        Store.open(long_store.path)


def test_changed_intervals_are_noticed(long_store):
    with np.load(long_store.path / "clips.npz") as table:
        columns = dict(table)
    columns["intervals"][0, 3] += 1
    np.savez(long_store.path / "clips.npz", **columns)
    with pytest.raises(ValueError, match="not those that were written"):
        Store.open(long_store.path).check()


def test_stores_that_are_made_of_others_keep_intervals(long_store, tmp_path):
    other = write_store(
        tmp_path / "other.store",
        [recording("fourth", 12, [(0, 2, 8)], seed=4)],
        evolve(INFO, classes=("jump",)),
        source="test",
    )
    merged = merge_stores([long_store, other], tmp_path / "merged.store")
    assert merged.classes == ("sit", "walk", "wave", "jump")
    assert merged.all_intervals.tolist() == [*long_store.all_intervals.tolist(), [3, 3, 2, 8]]
    converted = convert_store(long_store, tmp_path / "converted.store", "kinect-20")
    assert np.array_equal(converted.all_intervals, long_store.all_intervals)


TABLE = "name,class,subject,start,end\na,wave,ann,0,4\na,walk,ann,6,9\nb,walk,bob,2,5\nb,wave,bob,3,99\n"


@pytest.fixture
def arrays(tmp_path):
    folder = tmp_path / "arrays"
    folder.mkdir()
    for seed, name in enumerate("ab"):
        np.save(folder / f"{name}.npy", np.random.default_rng(seed).normal(size=(10, 25, 3)))
    return folder


def test_a_table_tells_intervals_of_any_format(arrays, tmp_path):
    (arrays / "labels.csv").write_text(TABLE)
    store = import_dataset("npy", arrays, tmp_path / "n.store", layout="ntu-25", untrimmed=True)
    assert (store.names.tolist(), store.classes) == (["a", "b"], ("walk", "wave"))
    assert store.labels.tolist() == [-1, -1]
    assert store.subjects.tolist() == [0, 1]
    assert [store.intervals(row).tolist() for row in (0, 1)] == [[[1, 0, 4], [0, 6, 9]], [[0, 2, 5]]]
    assert [bad.name for bad in store.bad_files] == ["b_3-99"]
    cut = import_dataset("npy", arrays, tmp_path / "cut.store", layout="ntu-25")
    assert cut.names.tolist() == ["a_0-4", "a_6-9", "b_2-5"]
    assert cut.hash != store.hash


def test_intervals_can_come_later(arrays, tmp_path):
    store = import_dataset("npy", arrays, tmp_path / "n.store", layout="ntu-25")
    (tmp_path / "table.csv").write_text(TABLE)
    whole = label_store(store, tmp_path / "table.csv", tmp_path / "whole.store", untrimmed=True)
    assert whole.all_intervals.tolist() == [[0, 1, 0, 4], [0, 0, 6, 9], [1, 0, 2, 5]]
    # cut after all: the pieces have labels, and no intervals
    cut = label_store(whole, tmp_path / "table.csv", tmp_path / "cut.store")
    assert (len(cut), len(cut.all_intervals)) == (3, 0)


def test_a_table_tells_recordings_without_any_action(arrays, tmp_path):
    store = import_dataset("npy", arrays, tmp_path / "n.store", layout="ntu-25")
    (tmp_path / "table.csv").write_text("name,class,subject,start,end\na,walk,one,0,4\nb,,two,,\n")
    whole = label_store(store, tmp_path / "table.csv", tmp_path / "whole.store", untrimmed=True)
    assert whole.labels.tolist() == [-1, -2]
    assert whole.annotated.all()
    assert validate_store(whole) == []
    assert summarise(whole)["without_action"] == 1
    assert not Store(tmp_path / "n.store").annotated.any()
    # without start and end in the table it tells no actions, and b is not annotated
    (tmp_path / "table.csv").write_text("name,class,subject\na,walk,one\nb,,two\n")
    label_store(store, tmp_path / "table.csv", tmp_path / "cut.store", untrimmed=True)
    assert Store(tmp_path / "cut.store").labels.tolist() == [0, -1]


def test_untrimmed_needs_intervals(arrays, tmp_path):
    with pytest.raises(ValueError, match=r"npy tells no intervals .* start and end"):
        import_dataset("npy", arrays, tmp_path / "n.store", layout="ntu-25", untrimmed=True)
    assert not (tmp_path / "n.store").exists()


def pku_text(frames=50):
    rows = np.random.default_rng(0).normal(size=(frames, 150)).round(5)
    return "\n".join(" ".join(map(str, row)) for row in rows).encode()


def test_pku_mmd_keeps_recordings_whole(tmp_path):
    for folder, data in (("data", pku_text()), ("labels", b"2,5,14,2\n51,20,99,2\n1,30,50,1\n")):
        (tmp_path / "set" / folder).mkdir(parents=True)
        (tmp_path / "set" / folder / "0002-L.txt").write_bytes(data)
    store = import_dataset("pku-mmd-1", tmp_path / "set", tmp_path / "p.store", untrimmed=True)
    assert (store.names.tolist(), store.lengths.tolist()) == (["0002-L"], [50])
    assert store.intervals(0).tolist() == [[1, 4, 14], [0, 29, 50]]
    assert [bad.name for bad in store.bad_files] == ["0002-L_02"]
    # the frames of an interval are those of the clip that the reader cuts
    clips = _pku_mmd.parse("0002-L", pku_text(), b"2,5,14,2")
    assert np.array_equal(store.clip(0)[4:14], clips[0].positions)


def test_an_interrupted_import_goes_on_with_its_intervals(tmp_path, monkeypatch):
    for name in ("0002-L", "0003-L"):
        for folder, data in (("data", pku_text(20)), ("labels", b"2,5,14,2\n")):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / folder / f"{name}.txt").write_bytes(data)

    def stop(count):
        if count == 1:
            raise KeyboardInterrupt

    how = {"untrimmed": True, "resume": True}
    with pytest.raises(KeyboardInterrupt):
        import_dataset("pku-mmd-1", tmp_path / "set", tmp_path / "p.store", progress=stop, **how)
    resumed = import_dataset("pku-mmd-1", tmp_path / "set", tmp_path / "p.store", **how)
    assert resumed.all_intervals.tolist() == [[0, 1, 4, 14], [1, 1, 4, 14]]
    assert import_dataset("pku-mmd-1", tmp_path / "set", tmp_path / "p.store", **how).hash == resumed.hash
    with pytest.raises(FileExistsError, match="another import"):
        import_dataset("pku-mmd-1", tmp_path / "set", tmp_path / "p.store", resume=True)


def test_utkinect_keeps_streams_whole():
    frames = [10, 12, 12, 16, 30]
    positions = np.random.default_rng(0).normal(size=(5, 60)).round(5)
    data = "\n".join(f"{n} " + " ".join(map(str, x)) for n, x in zip(frames, positions, strict=True)).encode()
    segments = [("walk", "10", "12"), ("carry", "NaN", "NaN"), ("push", "16", "30")]
    bad, whole = _utkinect.parse("s01_e02", data, segments, untrimmed=True)
    assert bad == BadFile("s01_e02_carry", "labelled from frame NaN to NaN, expected two frame numbers")
    assert (whole.name, len(whole.positions), whole.label, whole.subject) == ("s01_e02", 5, -1, 1)
    assert whole.intervals.tolist() == [[0, 0, 3], [6, 3, 5]]  # both rows of frame 12
    # frames of an action that are not together in the stream are no interval
    back = "\n".join(f"{n} " + " ".join(map(str, x)) for n, x in zip([1, 9, 2], positions, strict=False))
    bad, whole = _utkinect.parse("s01_e02", back.encode(), [("walk", "1", "2")], untrimmed=True)
    assert "do not lie together" in bad.reason
    assert len(whole.intervals) == 0


@settings(max_examples=50)
@given(st.integers(2, 40), st.sampled_from([5.0, 15.0, 30.0, 60.0]), st.data())
def test_intervals_go_with_the_frame_rate(frames, rate, data):
    start = data.draw(st.integers(0, frames - 1))
    stop = data.draw(st.integers(start + 1, frames))
    clip = evolve(recording("one", frames, [(1, start, stop)]), rate=30.0)
    ((label, first, last),) = at_rate(clip, rate, 3).intervals.tolist()
    new = len(at_rate(clip, rate, 3).positions)
    inside = [at for at in range(new) if start <= at * 30 / rate < stop]
    assert label == 1
    assert 0 <= first < last <= new
    if inside:
        assert (first, last) == (inside[0], inside[-1] + 1)


@pytest.fixture
def trimmed(tmp_path):
    made = SynthSettings(classes=3, subjects=3, cameras=1, shortest=12, longest=20)
    return synth_store(tmp_path / "trimmed.store", made)


def test_joined_clips_are_all_there_with_rest_between(trimmed, tmp_path):
    store = join_clips(trimmed, tmp_path / "joined.store", clips=4, rest=(3, 9))
    assert len(store.all_intervals) == len(trimmed)
    clips = {trimmed.clip(row).tobytes(): trimmed.labels[row] for row in range(len(trimmed))}
    for row in range(len(store)):
        positions, before = store.clip(row), 0
        for label, start, stop in store.intervals(row).tolist():
            assert clips.pop(positions[start:stop].tobytes()) == label
            assert 3 <= start - before <= 9
            before = stop
        assert 3 <= len(positions) - before <= 9
        # rest moves no more than clips do
        steps = np.abs(np.diff(positions, axis=0)).max((1, 2, 3))
        own = np.zeros(len(steps), bool)
        for _, start, stop in store.intervals(row).tolist():
            own[start : stop - 1] = True
        assert steps[~own].max() <= steps[own].max() * 4
    assert not clips
    assert "3 to 9 frames of rest, seed 0" in store.notes[-1]
    split = get_split(store)
    assert not set(store.subjects[split.train]) & set(store.subjects[split.test])
    again = join_clips(trimmed, tmp_path / "again.store", clips=4, rest=(3, 9))
    assert again.hash == store.hash
    assert join_clips(trimmed, tmp_path / "third.store", clips=4, rest=(3, 9), seed=1).hash != store.hash


def test_rest_of_other_bodies_and_short_clips(tmp_path):
    """A clip of one frame, and one of two people, whose second is there near its clip only."""
    two = np.random.default_rng(0).normal(size=(9, 2, 25, 3))
    clips = [
        Clip(np.ones((1, 25, 3)), "short", 0, 1),
        Clip(two, "two", 1, 1),
        Clip(two[:, :1], "none", -1, 1),
    ]
    store = join_clips(
        write_store(tmp_path / "a.store", clips, INFO, source="test"),
        tmp_path / "b.store",
        rest=(4, 4),
    )
    ((_, *short), (_, *pair)) = sorted(store.intervals(0).tolist())
    positions, there = store.clip(0), store.tracks(0)[:, 1] != 0
    assert len(positions) == 3 * 4 + 10
    assert there[slice(*pair)].all()
    assert not there[slice(*short)].any()
    assert there.sum() == 9 + 4 + 2
    assert "1 clips without a label" in store.notes[-1]


def test_errors_of_joining(trimmed, long_store, tmp_path):
    for options in ({"clips": 0}, {"rest": (0, 4)}, {"rest": (5, 4)}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            join_clips(trimmed, tmp_path / "no.store", **options)
    with pytest.raises(ValueError, match="untrimmed recordings already"):
        join_clips(long_store, tmp_path / "no.store")
    unlabelled = write_store(tmp_path / "u.store", [Clip(np.ones((4, 25, 3)), "a")], INFO, source="test")
    with pytest.raises(ValueError, match="no clip with a label"):
        join_clips(unlabelled, tmp_path / "no.store")
    assert not (tmp_path / "no.store").exists()


def test_a_header_of_version_3_needs_its_intervals(long_store):
    header = json.loads((long_store.path / "header.json").read_text())
    (long_store.path / "header.json").write_text(json.dumps({**header, "version": 2}))
    assert len(Store.open(long_store.path).all_intervals) == 0
    with pytest.raises(ValueError, match="not those that were written"):
        Store.open(long_store.path).check()
