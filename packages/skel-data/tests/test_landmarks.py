"""The forms that people write MediaPipe's landmarks in."""

import json
import re

import numpy as np
import pytest

from skel_data import get_layout, import_dataset
from skel_data.readers.keypoints._landmarks import frames_of


def marks(seed=0, count=33, channels=4):
    return np.random.default_rng(seed).uniform(0.1, 1, (count, channels)).round(4)


def named(values, **more):
    return [dict(zip(("x", "y", "z", "visibility"), mark, strict=False), **more) for mark in values.tolist()]


X = [marks(seed) for seed in range(5)]
FORMS = {
    "as documented": [[named(x)] for x in X],
    "presence too": [[named(x, presence=0.9)] for x in X],
    "one person": [named(x) for x in X],
    "frames with landmarks": [{"frame": t, "landmarks": named(x)} for t, x in enumerate(X)],
    "protocol buffers": [{"landmark": named(x)} for x in X],
    "result objects": {"frames": [{"pose_landmarks": {"landmark": named(x)}} for x in X]},
    "by number": {str(t): named(x) for t, x in enumerate(X)},
    "people as lists": [[x.tolist()] for x in X],
    "lists": [x.tolist() for x in X],
    "in a row": [x.reshape(-1).tolist() for x in X],
    "world landmarks beside others": [
        {"pose_landmarks": [named(x + 1)], "pose_world_landmarks": [named(x)]} for x in X
    ],
}


@pytest.fixture
def load(tmp_path):
    def run(content, **settings):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / "c.json").write_text(json.dumps(content))
        return import_dataset("mediapipe", tmp_path / "d", tmp_path / "a.store", overwrite=True, **settings)

    return run


@pytest.mark.parametrize("form", FORMS)
def test_forms_are_one(form):
    frames = frames_of(FORMS[form])
    assert list(frames) == [0, 1, 2, 3, 4]
    for found, expected in zip(frames.values(), X, strict=True):
        assert np.array_equal(found, [expected])


@pytest.mark.parametrize("form", FORMS)
def test_forms_are_imported(load, form):
    store = load(FORMS[form])
    assert store.layout == get_layout("mediapipe-33")
    assert store.clip(0).shape == (5, 1, 33, 4)


@pytest.mark.parametrize("nobody", [None, [], {}, {"frame": 1}, {"landmarks": None}, {"pose_landmarks": []}])
def test_frames_of_nobody(nobody):
    frames = frames_of([named(X[0]), nobody])
    assert list(map(len, frames.values())) == [1, 0]


def test_without_visibility(load):
    store = load([[named(x[:, :3])] for x in X])
    assert not store.layout.confidence
    assert store.clip(0).shape == (5, 1, 33, 3)


@pytest.mark.parametrize("visibility", [0, None, 0.9])
def test_hands_have_no_visibility(load, visibility):
    frames = [[named(marks(t, 21)), named(marks(t + 9, 21))] for t in range(4)]
    for mark in (mark for hands in frames for hand in hands for mark in hand):
        mark["visibility"] = visibility
    store = load(frames)
    assert (store.layout.name, store.layout.dims, store.layout.confidence) == ("hand-21", 3, False)
    assert store.clip(0).shape == (4, 2, 21, 3)
    assert np.allclose(store.clip(0)[0, 0], marks(0, 21)[:, :3] * (1, -1, -1))


def test_visibility_that_is_null(load):
    store = load([[{**mark, "visibility": None} for mark in named(x)] for x in X])
    assert store.clip(0).shape == (5, 1, 33, 3)


def test_numbers_of_frames_are_kept(load):
    store = load([{"frame": 10 * t, "landmarks": named(X[t])} for t in (0, 1, 3)])
    assert store.tracks(0).tolist() == [[1], [1], [0], [1]]


def test_frames_a_second(load):
    store = load({"fps": 25, "frames": [named(x) for x in X]})
    assert store.rates[0] == 25
    assert load({"fps": 25, **{str(t): named(x) for t, x in enumerate(X)}}).rates[0] == 25
    assert load([named(x) for x in X]).rates[0] == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ([named(marks(0, 20))], "frame 2: 20 landmarks of 4 numbers"),
        ("abc", "frame 2: a frame must be"),
        ([named(X[2], presence=1)[:5] + [{"x": 1}] * 28], "frame 2: a landmark must have"),
        ([named(marks(2, 33, 3))], r"frame 2: a body of shape \(33, 3\)"),
    ],
)
def test_what_cannot_be_read_costs_its_frame(load, bad, reason):
    frames = [[named(x)] for x in X]
    whole = load(frames).clip(0)
    store = load([*frames[:2], bad, *frames[3:]])
    assert np.array_equal(store.clip(0)[[0, 1, 3, 4]], whole[[0, 1, 3, 4]])
    assert not store.clip(0)[2].any()
    assert re.match(reason, store.bad_files[0].reason)
    two = load([*frames[:2], [named(X[2]), {"landmark": 3}], *frames[3:]])
    assert np.array_equal(two.clip(0), whole)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([None] * 3, "no person in any of 3 frames"),
        ([named(marks(0, 20))], "20 landmarks of 4 numbers"),
        ([[1.0] * 100], "a person of 100 numbers"),
        ([{"hello": 1}], "no landmarks in a frame, whose keys are hello"),
        ([{"frame": 0}, {"frame": 0}], "each once"),
        ([{"frame": "a"}], "must be whole"),
        (["abc"], "a frame must be"),
        ([[{"landmark": 3}]], "a person must be"),
        ([[{"x": 1}] * 33], "a landmark must have x, y, z"),
        ({"a": 1}, "no list of frames"),
    ],
)
def test_what_is_none(load, content, reason):
    with pytest.raises(ValueError, match=reason):
        load(content)
