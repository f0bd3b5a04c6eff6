"""Features for other programs: files, scikit-learn, windows of long recordings."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from skel_data import convert_store, get_layout
from skel_eval import FeatureSet, evaluate_features
from skel_recipes import (
    EvaluationInputs,
    SkeletonFeatures,
    classify_windows,
    embed_recordings,
    embed_windows,
    evaluate,
)
from skel_recipes import embed as embed_store
from skel_recipes.cli import main
from skel_recipes.evaluate.inputs import encoder_refs
from skel_recipes.run.embedding import embed


def skel(capsys, *words):
    status = main([str(word) for word in words])
    return status, capsys.readouterr()


@pytest.fixture
def recordings(store):
    return [store.clip(row) for row in range(len(store))]


def test_features_of_recordings_are_those_of_the_store(run, store, recordings):
    features = embed_recordings(run, recordings, tracks=[store.tracks(row) for row in range(len(store))])
    expected = EvaluationInputs.of(encoder_refs([run]), store).embed().features
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_a_file_of_features_gives_the_result_of_the_run(run, store, tmp_path, capsys):
    file = tmp_path / "features.npz"
    assert skel(capsys, "embed", run.path, store.path, file)[0] == 0
    for protocol in ("linear", "knn", "retrieval"):
        result = evaluate(run, store, protocol)
        assert evaluate_features(FeatureSet.load(file), protocol).metrics == result.metrics
        status, output = skel(capsys, "eval", protocol, file, "--json")
        assert status == 0
        assert json.loads(output.out)["metrics"][result.main]["value"] == result.metric.value
    status, output = skel(capsys, "eval", "knn", file, store.path)
    assert (status, "takes no store" in output.err) == (1, True)
    status, output = skel(capsys, "eval", "knn", run.path)
    assert (status, "expected: skel eval PROTOCOL RUN STORE" in output.err) == (1, True)


def test_options_of_a_run_are_refused_with_a_file_of_features(run, store, tmp_path, capsys):
    file = tmp_path / "features.npz"
    assert skel(capsys, "embed", run.path, store.path, file)[0] == 0
    status, output = skel(capsys, "eval", "knn", file, "--split", "xview", "--convert")
    assert (status, "it takes no --split, --convert" in output.err) == (1, True), output.err


def test_embedding_leaves_the_mode_of_every_part():
    encoder = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)).train()
    encoder[0].eval()
    embed(encoder, torch.ones(4, 3))
    assert [part.training for part in encoder.modules()] == [True, False, True]


def test_windows_of_other_joints_are_refused(run, store, tmp_path):
    other = convert_store(store, tmp_path / "other.store", get_layout("kinect-20"))
    with pytest.raises(ValueError, match="trained on layout"):
        embed_windows(run, other, length=10, step=4)


def test_windows_cover_every_recording(run, store):
    windows = embed_windows(run, store, length=10, step=4)
    assert windows.features.shape == (len(windows.clips), run.encoder().feature_dim)
    for row, frames in enumerate(store.lengths.tolist()):
        mine = windows.clips == row
        starts, stops = windows.starts[mine], windows.stops[mine]
        assert (starts[0], stops[-1]) == (0, frames)
        assert (np.diff(starts) <= 4).all()
        assert (stops - starts == min(10, frames)).all()
    whole = embed_windows(run, store, length=1000, step=1)
    np.testing.assert_allclose(
        whole.features,
        EvaluationInputs.of(encoder_refs([run]), store).embed().features,
        rtol=1e-5,
        atol=1e-6,
    )


def test_windows_are_told_apart_by_a_probe(run, store):
    windows = embed_windows(run, store, length=1000, step=1)
    classes, probabilities = classify_windows(run, store, windows)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(probabilities.argmax(1), classes)
    found = evaluate(run, store, "linear").predictions
    np.testing.assert_array_equal(classes[found.clips], found.classes)


def test_window_file(run, store, tmp_path, capsys):
    out = tmp_path / "windows.npz"
    words = ("--window", "12", "--step", "6", "--labelled", store.path)
    assert skel(capsys, "embed", run.path, store.path, out, *words)[0] == 0
    with np.load(out) as file:
        assert set(file) == {"name", "start", "stop", "class", "probability", "features"}
        assert set(file["class"]) <= set(store.classes)
        assert len(file["name"]) == len(file["features"])


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="the extra parquet is installed")
def test_parquet_is_an_extra(run, store, tmp_path, capsys):
    status, output = skel(capsys, "embed", run.path, store.path, tmp_path / "features.parquet")
    assert (status, "skel-recipes[parquet]" in output.err) == (1, True)
    assert not list(tmp_path.iterdir())


def test_parquet(run, store, tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "features.parquet"
    assert skel(capsys, "embed", run.path, store.path, file)[0] == 0
    table = parquet.read_table(file)
    assert table.column("name").to_pylist() == store.names.tolist()
    features = np.array(table.column("features").to_pylist(), np.float32)
    np.testing.assert_array_equal(features, EvaluationInputs.of(encoder_refs([run]), store).embed().features)


def test_step_of_a_scikit_learn_pipeline(run, store, recordings):
    linear_model = pytest.importorskip("sklearn.linear_model")
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline

    features = SkeletonFeatures(run.path)
    assert clone(features).get_params() == {
        "run": run.path,
        "stream": None,
        "min_score": 0.0,
        "device": "auto",
    }
    model = make_pipeline(features, linear_model.RidgeClassifier())
    train = store.subjects % 2 == 0
    model.fit([x for x, kept in zip(recordings, train, strict=True) if kept], store.labels[train])
    np.testing.assert_array_equal(model[:-1].transform(recordings), embed_recordings(run, recordings))
    assert set(model.predict(recordings)) <= set(store.labels.tolist())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["features.csv"], ".npz or .parquet"),
        (["no/features.npz"], "there is no folder no"),
        (["features.npz", "--step", "3"], "are for windows"),
        (["features.npz", "--window", "-1"], "1 or more frames"),
        (["features.npz", "--window", "9", "--split", "xsub"], "give --labelled too"),
        (["features.npz", "--stream", "bone"], "has no stream 'bone'"),
    ],
)
def test_errors(run, store, tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, output = skel(capsys, "embed", run.path, store.path, *words)
    assert (status, message in output.err) == (1, True), output.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", ["trained", "untrained", "coordinates", "distances"])
def test_features_with_labels_and_split(run, store, source):
    features = embed_store(run, store, source)
    protocol = evaluate_features(features, "knn")
    found = evaluate(run, store, "knn")
    names = {"untrained": "untrained encoder"}
    expected = found if source == "trained" else found.baseline(names.get(source, source))
    assert features.features.shape[0] == len(store)
    assert protocol.metrics == expected.metrics
