"""Recordings at their own length: views crop them in training, evaluation takes the middle."""

import numpy as np
import pytest
import torch

from skel_data import build_clips, get_layout
from skel_data import stream as take_stream
from skel_recipes import EvaluationInputs, Run, embed_recordings, evaluate, load_recipe, pretrain
from skel_recipes.evaluate.inputs import encoder_refs
from skel_recipes.run.clips import centre_window, clips_of_store, masked_clips

SETTINGS = {
    "data.pipeline.name": "agcn300",
    "data.pipeline.frames": 24,
    "data.pipeline.repeat": False,
    "data.frames": 8,
    "data.crop": 0.95,
    "method.view": [
        {"name": "temporal_crop_resize", "min_ratio": 0.1, "min_frames": 4, "frames": 8, "padded": True},
        {"name": "shear"},
    ],
    "encoder.channels": 12,
    "encoder.hidden_dim": 8,
    "encoder.heads": 2,
    "train.batch_size": 8,
    "train.epochs": 1,
    "train.monitor_every": 1,
}


@pytest.fixture(scope="module")
def cropped(store, tmp_path_factory):
    """A run whose encoder, with weights for each frame, sees 8 of up to 24 frames."""
    return pretrain(load_recipe("scdnet", SETTINGS), store, tmp_path_factory.mktemp("seen") / "run")


def test_the_middle_of_a_recording_is_taken():
    clips = torch.zeros(2, 1, 20, 1, 1)
    clips[0, 0, :, 0, 0] = torch.arange(1.0, 21)
    clips[1, 0, :10, 0, 0] = torch.arange(1.0, 11)  # shorter, filled up with zeros
    seen = centre_window(clips, 5, 0.5)[:, 0, :, 0, 0]
    assert seen.shape == (2, 5)
    np.testing.assert_allclose(seen.mean(1), [10.5, 5.5], atol=0.6)
    # 10 of 20 frames, and 10 - 2 * int(2.5) of 10, in five steps
    np.testing.assert_allclose(seen.diff(), [[2.0] * 4, [1.2] * 4], rtol=1e-6)
    assert centre_window(clips, 20, 1.0) is clips


def test_published_windows():
    """The published centre crop: bias = int((1 - p) T / 2), then linear resizing of the rest."""
    rng = np.random.default_rng(0)
    for frames in (70, 101, 240):
        clips = torch.from_numpy(rng.normal(size=(1, 3, frames, 4, 2))).float()
        bias = int((1 - 0.95) * frames / 2)
        window = clips[:, :, bias : frames - bias].flatten(3)
        expected = torch.nn.functional.interpolate(window, (64, 8), mode="bilinear").view(1, 3, 64, 4, 2)
        seen = centre_window(clips, 64, 0.95)
        torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_training_and_evaluation_go_together(cropped, store):
    assert (cropped.shape.frames, cropped.recipe.data.pipeline.frames) == (8, 24)
    assert "instance_1nn" in cropped.metrics()[-1]
    clips = clips_of_store(cropped, store)
    assert clips.shape[2] == 8
    whole = build_clips(store, cropped.recipe.data.pipeline)
    np.testing.assert_array_equal(clips, centre_window(torch.from_numpy(whole), 8, 0.95).numpy())
    recordings = [store.clip(row) for row in range(len(store))]
    tracks = [store.tracks(row) for row in range(len(store))]
    features = embed_recordings(cropped, recordings, tracks=tracks)
    np.testing.assert_allclose(
        features, EvaluationInputs.of(encoder_refs([cropped]), store).embed().features, rtol=1e-4, atol=1e-5
    )
    corrupted = evaluate(cropped, store, "robustness")
    assert corrupted.metrics["accuracy"].value == evaluate(cropped, store, "linear").metric.value


def test_views_of_another_length_are_refused(store, tmp_path):
    recipe = load_recipe("scdnet", {**SETTINGS, "method.view": [{"name": "shear"}]})
    with pytest.raises(
        ValueError, match=r"method\.view makes 24 frames of the 24 of the pipeline, but the encoder sees 8"
    ):
        pretrain(recipe, store, tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("method", "name"), [("aimclr", "extreme"), ("pstl", "temporal"), ("pstl", "view")])
def test_every_view_of_a_method_must_fit(method, name, store, tmp_path, tiny):
    """The other views crop 24 frames to 8, this one does not."""
    crop = [{"name": "temporal_crop_resize", "frames": 8}]
    names = {"aimclr": ("view", "extreme"), "pstl": ("view", "temporal")}[method]
    views = {f"method__{other}": crop if other != name else [{"name": "shear"}] for other in names}
    recipe = tiny(method, data__frames=8, data__pipeline__frames=24, **views)
    with pytest.raises(ValueError, match=rf"method\.{name} makes 24 frames of the 24 .* sees 8"):
        pretrain(recipe, store, tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_view_of_another_length_than_the_pipeline_is_refused(store, tmp_path, tiny):
    recipe = tiny("compact", method__view=[{"name": "temporal_crop_resize", "frames": 8}])
    with pytest.raises(ValueError, match=r"method\.view makes 8 frames of the 16 .* sees 16"):
        pretrain(recipe, store, tmp_path / "run")


def test_earlier_runs_keep_the_first_frames_of_long_recordings(store, tmp_path):
    recipe = load_recipe("skeletonclr", {"data.pipeline.name": "crossclr50"})
    run = Run.create(tmp_path / "run", recipe, store, "xsub", len(store))
    assert Run.open(run.path).pipeline.keep == "middle"
    file = run.path / "recipe.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('keep = "middle"\n', ""), encoding="utf-8")  # as version 1 wrote it
    assert Run.open(run.path).pipeline.keep == "first"


def test_masked_clips_are_quiet_frames_of_the_same_clips():
    """Clips whose frames 10..18 move: those are left out, in any stream, and four tenths are kept."""
    layout, t = get_layout("ntu-25"), np.arange(30, dtype=np.float32)
    place = np.where((t >= 10) & (t < 19), 100 * (-1) ** t, 0) + t / 1000
    clips = np.broadcast_to(place[:, None, None], (2, 3, 30, 25, 1)).astype(np.float32)
    views = [np.concatenate(list(masked_clips(clips, layout, view))) for view in (0, 1, 0)]
    assert views[0].shape == (2, 3, 12, 25, 1)
    assert (np.abs(np.stack(views)) < 1).all()
    assert (np.diff(views[0], axis=2) > 0).all()  # in order of time
    assert not np.array_equal(views[0], views[1])
    np.testing.assert_array_equal(views[0], views[2])
    kept = np.searchsorted(t / 1000, views[0][0, 0, :, 0, 0])
    motion = next(masked_clips(clips, layout, 0, stream="motion"))
    whole = take_stream(torch.from_numpy(clips), "motion", layout).numpy()
    np.testing.assert_array_equal(motion, whole[:, :, kept])
    assert next(masked_clips(clips, layout, 0, frames=30)).shape == clips.shape
