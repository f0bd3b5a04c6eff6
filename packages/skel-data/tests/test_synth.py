import io
import time

import numpy as np
import pytest

from skel_data import (
    Default,
    SynthSettings,
    build_clips,
    get_layout,
    get_split,
    stream,
    synth_clips,
    synth_store,
    write_ntu_skeleton,
)
from skel_data.synth._actions import ACTIONS
from skel_data.synth._body import ANGLES, BONES, pose

SMALL = SynthSettings(classes=4, subjects=3, views=2, repetitions=1, noise=0.0, hidden=0.0)


def test_same_seed_same_recordings():
    first, again = list(synth_clips(SMALL)), list(synth_clips(SMALL))
    assert len(first) == 4 * 3 * 2
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(first, again, strict=True))
    other = next(synth_clips(SynthSettings(classes=4, seed=1)))
    assert other.positions.shape != first[0].positions.shape or (other.positions != first[0].positions).any()


def test_bones_keep_their_length_and_belong_to_the_subject():
    layout = get_layout("ntu-25")
    by_subject = {}
    for clip in synth_clips(SMALL):
        bones = np.linalg.norm(stream(clip.positions.transpose(3, 0, 2, 1), "bone", layout), axis=0)[..., 0]
        rigid = [
            joint for joint in range(25) if joint not in (21, 23)
        ]  # hand tip and thumb are siblings here
        np.testing.assert_allclose(bones[:, rigid], np.tile(bones[:1, rigid], (len(bones), 1)), atol=1e-4)
        by_subject.setdefault(clip.subject, []).append(bones[0, rigid])
    for bones in by_subject.values():
        np.testing.assert_allclose(bones, np.tile(bones[0], (len(bones), 1)), atol=1e-4)
    means = [bones[0].mean() for bones in by_subject.values()]
    assert len({round(mean, 4) for mean in means}) == 3


def test_body_stands_upright_and_faces_the_camera():
    layout = get_layout("ntu-25")
    joints = pose({}, np.ones((1, 25)), np.zeros((1, 1, 3)))[0, 0]
    place = dict(zip(layout.joints, joints, strict=True))
    assert sorted({0, *(joint for joint, _, _ in BONES)}) == list(range(25))
    assert place["head"][1] > place["spine base"][1] > place["left knee"][1] > place["left ankle"][1]
    assert place["right shoulder"][0] > 0 > place["left shoulder"][0]
    assert place["left foot"][2] < place["left ankle"][2]  # toes towards the camera
    np.testing.assert_allclose(joints[list(layout.mirror)] * [-1, 1, 1], joints, atol=1e-12)


@pytest.mark.parametrize(
    ("angle", "joint", "axis", "sign"),
    [
        ("right raise", "right wrist", 2, -1),
        ("left raise", "left wrist", 2, -1),
        ("right spread", "right wrist", 0, 1),
        ("left spread", "left wrist", 0, -1),
        ("right elbow", "right wrist", 2, -1),
        ("left knee", "left ankle", 2, 1),
        ("left thigh", "left knee", 2, -1),
        ("bend", "head", 2, -1),
        ("nod", "head", 2, -1),
    ],
)
def test_angles_turn_the_right_way(angle, joint, axis, sign):
    layout = get_layout("ntu-25")
    moved = pose({angle: np.full((1, 1), 0.5)}, np.ones((1, 25)), np.zeros((1, 1, 3)))
    still = pose({}, np.ones((1, 25)), np.zeros((1, 1, 3)))
    way = (moved - still)[0, 0, layout.joints.index(joint), axis]
    assert angle in ANGLES
    assert way * sign > 0.01


def test_default_is_a_hard_but_fair_benchmark(tmp_path):
    start = time.perf_counter()
    store = synth_store(tmp_path / "store")
    assert time.perf_counter() - start < 10
    assert len(store) == 12 * 10 * 3 * 2
    assert store.classes == tuple(ACTIONS)
    assert store.lengths.min() >= 30
    assert store.lengths.max() <= 120
    assert np.bincount(store.labels).tolist() == [60] * 12
    split = get_split(store)
    assert (split.name, len(split.train), len(split.test)) == ("listed", 240, 120)
    assert not set(store.subjects[split.train]) & set(store.subjects[split.test])
    assert not set(store.views[split.train]) & set(store.views[split.test])
    missing = [(store.clip(i) == 0).all(-1).any() for i in range(len(store))]
    assert 0.2 < np.mean(missing) < 0.5
    # Ridge regression on coordinates: the poses are not enough, and not nothing
    clips = build_clips(store, Default(), cache=False).reshape(len(store), -1).astype(np.float64)
    train, test = clips[split.train], clips[split.test]
    mean, spread = train.mean(0), train.std(0) + 1e-6
    train, test = (train - mean) / spread, (test - mean) / spread
    targets = np.eye(12)[store.labels[split.train]] - 1 / 12
    weights = np.linalg.solve(train @ train.T + 1000 * np.eye(len(train)), targets)
    accuracy = ((test @ train.T @ weights).argmax(1) == store.labels[split.test]).mean()
    assert 0.4 < accuracy < 0.75


@pytest.mark.parametrize("settings", [{"classes": 13}, {"subjects": 1}, {"hidden": 2.0}, {"longest": 10}])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        SynthSettings(**settings)


def test_one_view_and_one_frame(tmp_path):
    store = synth_store(tmp_path / "store", SynthSettings(views=1, subjects=2, shortest=1, longest=1))
    assert set(store.lengths) == {1}
    split = get_split(store)
    assert len(split.train) == len(split.test) == 24


def test_writer_errors():
    good = np.ones((2, 1, 25, 3))
    for positions, tracks, reason in (
        (np.ones((2, 1, 24, 3)), None, "24, 3"),
        (good, np.ones((1, 1), int), "tracks"),
        (good, np.full((2, 1), -1), "negative"),
        (good * np.nan, None, "finite"),
    ):
        with pytest.raises(ValueError, match=reason):
            write_ntu_skeleton(io.BytesIO(), positions, tracks)
