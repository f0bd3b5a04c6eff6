"""Features of several layers and temporal bins, in all that takes frozen features."""

import json

import numpy as np
import pytest

from skel_encoders import IntermediateFeatures
from skel_eval import Method, Result, cells
from skel_recipes import embed, embed_recordings, evaluate, fit, load_model
from skel_recipes.cli import main


def test_results_of_other_features_stand_apart(run, store):
    other = run.with_features(layers=2, bins=2)
    own, result = evaluate(run, store, "knn"), evaluate(other, store, "knn")
    assert (own.features, own.title) == ("", "1-NN")
    assert (result.features, result.title) == ("last 2 layers, 2 bins", "1-NN, last 2 layers, 2 bins")
    assert {one.features for one in result.baselines} == {result.features}
    assert result.baseline("coordinates").metric == own.baseline("coordinates").metric
    kept = [Result.load(file) for file in (run.path / "eval").glob("*.json")]
    assert own in kept
    assert result in kept
    assert len(cells([Method("compact", {0: [own, result]})])) == 2


def test_features_are_those_of_the_encoder(run, store):
    other = run.with_features(layers=2, bins=2)
    assert isinstance(other.encoder(), IntermediateFeatures)
    own, features = embed(run, store).features, embed(other, store).features
    assert features.shape == (len(store), other.encoder().feature_dim)
    np.testing.assert_allclose(features[:, : own.shape[1]], own, rtol=1e-5, atol=1e-6)
    untrained = embed(other, store, "untrained").features
    assert untrained.shape == features.shape
    assert not np.allclose(untrained, features)
    again = embed_recordings(other, [store.clip(row) for row in range(3)])
    np.testing.assert_allclose(again, features[:3], rtol=1e-4, atol=1e-5)
    for kept in (run.with_features(bins=2), run.with_features(bins=4), run):  # from the cache, or not
        assert embed(kept, store).features.shape[1] == kept.encoder().feature_dim


def test_a_model_keeps_them(run, store, tmp_path):
    recordings = [store.clip(row) for row in range(4)]
    model = fit(run.with_features(layers=2, bins=2), store, head="knn")
    again = load_model(model.save(tmp_path / "model"))
    assert json.loads((tmp_path / "model" / "model.json").read_text())["version"] == 3
    np.testing.assert_array_equal(again.embed(recordings), model.embed(recordings))
    fit(run, store, head="knn").save(tmp_path / "own")
    assert json.loads((tmp_path / "own" / "model.json").read_text())["version"] == 2


def test_what_trains_the_encoder_takes_none(run, store):
    other = run.with_features(bins=2)
    with pytest.raises(
        ValueError, match="finetune is not one on frozen features: it takes no layers or bins"
    ):
        evaluate(other, store, "finetune")
    with pytest.raises(ValueError, match="head finetune trains the encoder"):
        fit(other, store, head="finetune")
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        evaluate(run.with_features(bins=0), store, "knn")


def test_commands(run, store, tmp_path, capsys):
    chosen = ["--layers", "2", "--bins", "2"]
    out = tmp_path / "result.json"
    assert main(["eval", "knn", str(run.path), str(store.path), *chosen, "--out", str(out)]) == 0
    assert Result.load(out).title == "1-NN, last 2 layers, 2 bins"
    features = tmp_path / "features.npz"
    assert main(["embed", str(run.path), str(store.path), str(features), *chosen]) == 0
    width = run.with_features(layers=2, bins=2).encoder().feature_dim
    assert np.load(features)["features"].shape == (len(store), width)
    assert main(["eval", "knn", str(features), *chosen]) == 1
    assert "it takes no --layers, --bins" in capsys.readouterr().err
