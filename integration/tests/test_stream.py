"""Streams of frames: the label of now is that of the last frames as a recording."""

import io
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import SynthSettings, get_layout, synth_store
from skel_recipes import fit, pretrain
from skel_recipes.model.stream import at_times


@pytest.fixture(scope="module")
def model(run, store):
    return fit(run, store, device="cpu")


@pytest.fixture(scope="module")
def recording(store):
    """All recordings one after another, (T, 1, V, C)."""
    return np.concatenate([store.clip(row) for row in range(8)])


def test_smoke(model, recording):
    stream = model.stream(window=12, step=3)
    found = [stream.push(frame) for frame in recording]
    first = next(number for number, one in enumerate(found) if one is not None)
    assert first == 5  # half a window
    assert [one.age for one in found[first : first + 7]] == [0, 1, 2, 0, 1, 2, 0]
    assert {one.name for one in found[first:]} <= {*model.classes, "none of these"}
    assert all(one.seconds is None and 0 < one.probability <= 1 for one in found[first:])


@pytest.mark.parametrize("stamped", [False, True])
@pytest.mark.parametrize("portion", [1, 4])
def test_a_label_is_that_of_the_window_as_a_recording(model, recording, stamped, portion):
    stream = model.stream(window=12, step=1)
    for start in range(0, 40, portion):
        times = np.arange(start, start + portion) / model.fps if stamped else None
        found = stream.push(recording[start : start + portion], times)
    expected = model.predict(recording[28:40])
    np.testing.assert_allclose(found.probabilities, expected.probabilities[0], atol=1e-5)
    assert found.label == expected.labels[0]


def test_one_body_needs_no_axis_of_its_own(model, recording):
    found = []
    for shape in ((25, 3), (1, 25, 3), (1, 1, 25, 3)):
        stream = model.stream(window=8)
        found.append([stream.push(frame.reshape(shape)) for frame in recording[:8]][-1])
    assert len({one.probability for one in found}) == 1


def test_another_frame_rate_gives_the_same(model, recording):
    """Frames at twice the rate, half-way between which a joint moves on a straight line."""
    between = (recording[:39] + recording[1:40]) / 2
    double = np.stack([recording[:39], between], 1).reshape(-1, *recording.shape[1:])
    stream = model.stream(window=12, step=1)
    for number, frame in enumerate(double[:77]):  # ends with frame 38
        found = stream.push(frame, number / (2 * model.fps))
    expected = model.predict(recording[27:39]).probabilities[0]
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)
    assert found.seconds == 0


def test_age_in_seconds(model, recording):
    stream = model.stream(window=12, step=5)
    for number, frame in enumerate(recording[:14]):
        found = stream.push(frame, number / 30)
    assert found.age == 3  # after frames 5 and 10
    assert found.seconds == pytest.approx(3 / 30)


def test_people_may_come_in_any_order(model, recording):
    pair = np.concatenate([recording[:20], recording[40:60]], 1)
    straight, mixed = model.stream(window=10), model.stream(window=10)
    for number, frame in enumerate(pair):
        order = [0, 1] if number % 3 else [1, 0]
        ids = np.array([7, 9])
        expected = straight.push(frame, tracks=ids)
        found = mixed.push(frame[order], tracks=ids[order])
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_people_may_come_and_go(model, recording):
    stream = model.stream(window=10)
    for number, frame in enumerate(recording[:30]):
        found = stream.push(np.concatenate([frame, frame + 1]) if number % 4 else frame[0])
    assert found is not None
    assert stream.push(recording[0][:0]) is not None  # an estimator that found nobody


def test_nobody_is_none_of_these(model, recording):
    stream = model.stream(window=8, step=1)
    for frame in recording[:8]:
        stream.push(frame)
    for _ in range(8):
        found = stream.push(None)
    assert (found.label, found.name, found.probability) == (-1, "none of these", 0)
    stream.clear()
    assert stream.push(recording[0]) is None


def test_frames_are_copied(model, recording):
    """A camera's program may write the next frame to the same array."""
    expected, stream, frame = model.stream(window=8), model.stream(window=8), np.empty_like(recording[0])
    for one in recording[:8]:
        frame[:] = one
        found, wanted = stream.push(frame), expected.push(one)
    np.testing.assert_array_equal(found.probabilities, wanted.probabilities)


def test_a_recording_at_its_own_moments_is_itself(model):
    layout = get_layout("coco-17")
    layout = layout if layout.confidence else evolve(layout, confidence=True)
    frames = np.random.default_rng(0).uniform(0.1, 1, (5, 1, 17, 3)).astype(np.float32)
    found = at_times(frames, np.arange(5.0), np.arange(5.0), layout)
    np.testing.assert_array_equal(found, frames)


@pytest.mark.slow
def test_the_script_prints_labels_of_mediapipe_frames(tiny, tmp_path, monkeypatch, capsys):
    """Landmarks and lists of numbers are the same joints; a label is printed when it begins."""
    settings = SynthSettings(
        classes=2, subjects=4, cameras=1, repetitions=2, shortest=12, longest=20, layout="mediapipe-33"
    )
    store = synth_store(tmp_path / "store", settings)
    model = fit(pretrain(tiny("compact"), store, tmp_path / "run"), store, device="cpu")
    model.save(tmp_path / "model")
    recording = np.concatenate([store.clip(row) for row in (0, 8, 1)])
    keys = ("x", "y", "z", "visibility")
    lines = {"landmarks": [], "numbers": []}
    for number, bodies in enumerate(recording.tolist()):
        marks = [[dict(zip(keys, (x, -y, -z, v), strict=True)) for x, y, z, v in body] for body in bodies]
        lines["landmarks"].append({"time": number / 30, "people": marks})
        lines["numbers"].append({"time": number / 30, "people": bodies})
    script = runpy.run_path(str(Path(__file__).parents[2] / "docs/examples/stream_labels.py"))
    printed = []
    for kind in ("landmarks", "numbers"):
        text = "".join(json.dumps(line) + "\n" for line in lines[kind])
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        script["main"](str(tmp_path / "model"))
        printed.append(capsys.readouterr().out.splitlines())
    stream, expected, last = model.stream(), [], ""
    for number, frame in enumerate(recording):
        now = stream.push(frame, number / 30)
        if now is not None and now.name != last:
            last = now.name
            expected.append(f"{last} {now.probability:.2f}")
    assert printed == [expected, expected]
    assert expected


def test_errors(model, recording):
    with pytest.raises(ValueError, match="window of 2 frames or more"):
        model.stream(window=1)
    with pytest.raises(ValueError, match="step of 1 or more"):
        model.stream(step=0)
    with pytest.raises(ValueError, match="fps above 0"):
        model.stream(fps=-1)
    stream = model.stream(window=8)
    with pytest.raises(
        ValueError, match=r"\(V, C\) = \(25, 3\), the joints of ntu-25; got float64 \(17, 3\)"
    ):
        stream.push(np.zeros((17, 3)))
    stream.push(recording[0], 0.5)
    with pytest.raises(ValueError, match=r"each above the one before, got \[0.5\] after 0.5"):
        stream.push(recording[1], 0.5)
    with pytest.raises(ValueError, match="expected 2 time stamps"):
        stream.push(recording[:2], 0.6)
    with pytest.raises(ValueError, match="had time stamps"):
        stream.push(recording[1])
    with pytest.raises(ValueError, match=r"tracks must be \(1, 1\)"):
        stream.push(recording[1], 0.6, tracks=np.array([1, 2]))
    stream.clear()
    stream.push(recording[0])
    with pytest.raises(ValueError, match="had no time stamps"):
        stream.push(recording[1], 0.5)


def test_what_was_refused_leaves_the_stream_as_it_was(model, recording):
    stream, other = model.stream(window=6, step=1), model.stream(window=6, step=1)
    for number, frame in enumerate(recording[:6]):
        with pytest.raises(ValueError, match="tracks must be"):
            stream.push(frame, number / 30, tracks=np.array([1, 2]))
        found, expected = stream.push(frame, number / 30), other.push(frame, number / 30)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 12),
    wanted=st.lists(st.floats(-1, 5), min_size=1, max_size=8).map(sorted),
)
@settings(max_examples=40)
def test_a_straight_path_stays_straight_at_any_moment(seed, count, wanted):
    rng = np.random.default_rng(seed)
    layout = get_layout("coco-17")
    times = np.cumsum(rng.uniform(0.1, 0.5, count))
    path = (times[:, None, None, None] + rng.uniform(1, 2, (1, 2, 17, layout.channels))).astype(np.float32)
    path[..., layout.dims :] = 1
    found = at_times(path, times, np.array(wanted), layout)
    held = np.clip(wanted, times[0], times[-1])[:, None, None, None]
    expected = path[:1] + held - times[0]
    expected[..., layout.dims :] = 1
    np.testing.assert_allclose(found, expected, atol=1e-4)
