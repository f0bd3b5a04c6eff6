"""From poses of a 2-D estimator and three labels for each class to labels of new recordings, by every way."""

import csv
import json
import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from skel_data import Store, SynthSettings, synth_clips
from skel_recipes import SkeletonClassifier, load_model
from skel_recipes.cli import main

pytestmark = pytest.mark.slow

ACTIONS = (0, 4, 6, 8)  # wave, swing the arms, bow, squat
CLASSES, LABELS, FRAMES = len(ACTIONS), 3, 18_000  # frames of ten minutes at 30 frames per second
ABOUT = {"cameras": 1, "shortest": 40, "longest": 80, "layout": "coco-17"}


def scored(subjects, repetitions, seed):
    """Recordings as a pose estimator gives them: pixels and a score, and now and then a wrong joint."""
    rng = np.random.default_rng(seed)
    settings = SynthSettings(subjects=subjects, repetitions=repetitions, seed=seed, noise=0.004, **ABOUT)
    for clip in (clip for clip in synth_clips(settings) if clip.label in ACTIONS):
        points = clip.positions[..., :2]
        there = (points != 0).any(-1)
        wrong = there & (rng.random(there.shape) < 0.02)
        score = np.where(wrong, rng.uniform(0, 0.2, there.shape), rng.uniform(0.5, 1, there.shape)) * there
        moved = points + wrong[..., None] * rng.uniform(-300, 300, points.shape)
        yield np.concatenate([moved, score[..., None]], -1).astype(np.float32), ACTIONS.index(clip.label)


def skel(*words):
    assert main([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Sixty clips, twelve of them labelled; a model; 120 new clips as JSON; ten minutes as an array."""
    folder = tmp_path_factory.mktemp("deploy")
    known = list(scored(5, 3, seed=1))
    labels = np.full(len(known), -1)
    for one in range(CLASSES):
        rows = [row for row, (_, label) in enumerate(known) if label == one]
        labels[rows[:: len(rows) // LABELS]] = one  # of three people
    positions = np.concatenate([clip for clip, _ in known])
    np.savez(
        folder / "poses.npz",
        positions=positions,
        lengths=[len(clip) for clip, _ in known],
        labels=labels,
        class_names=["wave", "swing", "bow", "squat"],
    )
    store, run, model = folder / "poses.store", folder / "run", folder / "model"
    skel("data", "import", "npz", folder / "poses.npz", store, "--layout", "coco-17", "--min-score", "0.3")
    training = ["--train.epochs", "20", "--train.min_steps", "0", "--optim.warmup_epochs", "1"]
    skel("pretrain", "compact", store, "--out", run, "--split", "random", "--device", "cpu", *training)
    skel("fit", run, store, "--out", model, "--device", "cpu")
    new = list(scored(6, 5, seed=2))
    (folder / "new").mkdir()
    for number, (clip, _) in enumerate(new):
        people = [
            {"image_id": frame, "keypoints": body.reshape(-1).tolist()}
            for frame, bodies in enumerate(clip)
            for body in bodies
        ]
        (folder / "new" / f"{number:03}.json").write_text(json.dumps(people))
    stream = np.concatenate([clip for clip, _ in new] * 3)[:FRAMES]
    np.save(folder / "stream.npy", stream)
    return folder, new, stream


def test_it_is_what_an_engineer_has(world):
    folder, new, stream = world
    store = Store.open(folder / "poses.store")
    assert (len(store), len(new), len(stream)) == (60, 120, FRAMES)
    assert np.bincount(store.labels[store.labels >= 0]).tolist() == [LABELS] * CLASSES
    model = load_model(folder / "model")
    assert model.embedder.min_score == store.info.min_score == 0.3
    assert model.origin["labels"]["used"] == CLASSES * LABELS


def test_all_ways_agree_on_every_clip(world, monkeypatch, tmp_path):
    folder, new, _ = world
    model = load_model(folder / "model", device="cpu")
    out = tmp_path / "found.csv"
    skel("predict", folder / "model", folder / "new", "--format", "coco-keypoints", "--out", out)
    with out.open() as file:
        by_command = list(csv.DictReader(file))
    found = model.predict([clip for clip, _ in new])
    assert [row["class"] for row in by_command] == [found.name_of(label) for label in found.labels.tolist()]
    probabilities = [float(row["probability"]) for row in by_command]
    np.testing.assert_allclose(probabilities, found.probabilities.max(1), atol=1e-5)

    pickled = by_scikit_learn(folder, monkeypatch)
    monkeypatch.chdir(tmp_path)
    classifier = pickle.loads(pickled)  # noqa: S301 (its own)
    chances = classifier.predict_proba([clip for clip, _ in new])
    np.testing.assert_allclose(chances, found.probabilities, atol=1e-5)
    assert (classifier.predict([clip for clip, _ in new]) == found.best).all()

    if all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        labels, chances = by_onnx(folder, tmp_path, [clip for clip, _ in new])
        np.testing.assert_allclose(chances, found.probabilities, atol=1e-5)
        np.testing.assert_array_equal(labels, found.labels)

    truth = np.array([label for _, label in new])
    assert (found.best == truth).mean() > 2 / CLASSES
    kept = found.labels >= 0
    assert 0.5 < kept.mean() <= 1
    assert (found.labels[kept] == truth[kept]).mean() >= (found.best == truth).mean()


def by_onnx(folder, out, clips):
    """Labels and probabilities of clips from an exported file, in a process without torch."""
    skel("export", folder / "model", out / "model.onnx")
    np.savez(out / "clips.npz", *clips)
    script = (
        "import sys, numpy as np, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "clips = np.load(sys.argv[2])\n"
        "found = [session.run(None, {'recordings': clips[name][None]}) for name in clips.files]\n"
        "assert not {'torch', 'skel_data'} & set(sys.modules)\n"
        "np.savez(sys.argv[3], *map(np.concatenate, zip(*found)))\n"
    )
    files = [out / "model.onnx", out / "clips.npz", out / "found.npz"]
    subprocess.run([sys.executable, "-c", script, *map(str, files)], check=True)
    found = np.load(files[2])
    return found["arr_0"], found["arr_1"]


def by_scikit_learn(folder, monkeypatch):
    """A classifier that was fitted beside the run, named by a relative path."""
    store = Store.open(folder / "poses.store")
    rows = np.flatnonzero(store.labels >= 0)
    with monkeypatch.context() as there:
        there.chdir(folder)
        classifier = SkeletonClassifier("run", min_score=0.3, device="cpu")
        classifier.fit([store.clip(row) for row in rows], store.labels[rows])
        return pickle.dumps(classifier)


def test_all_ways_agree_on_ten_minutes(world, monkeypatch, tmp_path):
    folder, _, recording = world
    model, out = load_model(folder / "model", device="cpu"), tmp_path / "found.json"
    window, step = model.clip_frames, 15
    words = ["--window", window, "--step", step, "--out", out]
    skel("predict", folder / "model", folder / "stream.npy", *words)
    by_command = json.loads(out.read_text())
    found = model.predict(recording, window=window, step=step)
    assert len(found) == len(by_command) == int(np.ceil((FRAMES - window) / step)) + 1
    assert [row["class"] for row in by_command] == [found.name_of(label) for label in found.labels.tolist()]

    if all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        windows = [recording[a:b] for a, b in zip(found.starts, found.stops, strict=True)]
        labels, chances = by_onnx(folder, tmp_path, windows)
        np.testing.assert_allclose(chances, found.probabilities, atol=1e-5)
        np.testing.assert_array_equal(labels, found.labels)

    stream, by_stream = model.stream(window=window, step=1), {}
    stops = set(found.stops.tolist())
    first = sorted(stops)[:40]  # more would only take longer
    for number, frame in enumerate(recording[: first[-1]], 1):
        now = stream.push(frame, number / model.fps)
        if number in stops:
            by_stream[number] = now.probabilities
    streamed = [by_stream[stop] for stop in first]
    np.testing.assert_allclose(streamed, found.probabilities[: len(first)], atol=1e-5)

    classifier = pickle.loads(by_scikit_learn(folder, monkeypatch))  # noqa: S301 (its own)
    windows = [recording[a:b] for a, b in zip(found.starts, found.stops, strict=True)]
    np.testing.assert_allclose(classifier.predict_proba(windows), found.probabilities, atol=1e-5)
