"""Recordings in other units than those that a run was trained on."""

import numpy as np
import pytest
from attrs import evolve

from skel_data import write_store
from skel_data.store._derive import clips_of
from skel_recipes import evaluate, fit, pretrain
from skel_recipes.run.joints import in_joints_of


@pytest.fixture(scope="module")
def kept_scale(store, tiny, tmp_path_factory):
    """A run of the pipeline without its scaling of bones."""
    recipe = tiny("compact", data__pipeline__scale=False, train__epochs=1)
    return pretrain(recipe, store, tmp_path_factory.mktemp("units") / "run", device="cpu")


@pytest.fixture
def in_units(store, tmp_path):
    """The recordings with other words for their units, multiplied by a factor."""

    def write(units, factor=1.0):
        clips = (evolve(clip, positions=clip.positions * np.float32(factor)) for clip in clips_of(store))
        return write_store(tmp_path / units, clips, evolve(store.info, units=units), source="made")

    return write


@pytest.mark.parametrize(("units", "factor"), [("centimetres", 100), ("millimetres", 1000)])
def test_recordings_are_scaled_to_the_units_of_the_run(kept_scale, store, in_units, caplog, units, factor):
    other = in_units(units, factor)
    result = evaluate(kept_scale, other, "knn", device="cpu")
    said = f"{other.path} is in {units}, {kept_scale.path} was trained in metres: the coordinates are scaled"
    assert said in caplog.messages
    own = evaluate(kept_scale, store, "knn", device="cpu")
    np.testing.assert_array_equal(result.predictions.classes, own.predictions.classes)
    assert result.counts["seen_in_pretraining"] is not None  # its joints are as they were
    taken = in_joints_of(kept_scale, other)
    assert taken.units == "metres"
    np.testing.assert_allclose(taken.clip(0), store.clip(0), rtol=1e-5)
    assert in_joints_of(kept_scale, taken) is taken
    assert in_joints_of(kept_scale, other).path == taken.path  # the one that was kept


def test_a_model_scales_recordings_of_a_store(kept_scale, store, in_units, caplog):
    model, other = fit(kept_scale, store, head="knn", device="cpu"), in_units("millimetres", 1000)
    expected = model.predict(store).probabilities
    np.testing.assert_allclose(model.predict(other).probabilities, expected, atol=1e-5)
    assert "recordings are in millimetres, the model takes metres: they are scaled" in caplog.messages
    np.testing.assert_allclose(model.embed(other), model.embed(store), rtol=1e-4, atol=1e-5)
    scaled = fit(kept_scale, other, head="knn", device="cpu")  # fitted to recordings that were scaled
    assert scaled.units == "metres"
    np.testing.assert_allclose(scaled.predict(store).probabilities, expected, atol=1e-4)


def test_units_that_cannot_be_compared_are_refused(kept_scale, in_units):
    with pytest.raises(ValueError, match="is in pixels, .* was trained in metres: these cannot be compared"):
        evaluate(kept_scale, in_units("pixels"), "knn", device="cpu")
    assert not list(kept_scale.path.glob("converted/*pixels*"))


def test_unknown_units_are_taken_as_they_are(kept_scale, run, in_units):
    unknown, other = in_units("unknown"), in_units("millimetres")
    assert in_joints_of(kept_scale, unknown) is unknown
    untold = {key: value for key, value in kept_scale.info["store"].items() if key != "units"}
    earlier = evolve(kept_scale, info={**kept_scale.info, "store": untold})
    assert in_joints_of(earlier, other) is other
    assert in_joints_of(run, other) is other  # its pipeline scales bones


def test_runs_in_other_units_are_not_fused(kept_scale, store, tmp_path):
    told = {**kept_scale.info["store"], "units": "millimetres"}
    second = evolve(kept_scale, path=tmp_path, info={**kept_scale.info, "store": told})
    with pytest.raises(ValueError, match="trained in metres and millimetres and cannot be fused"):
        evaluate([kept_scale, second], store, "knn", device="cpu")
