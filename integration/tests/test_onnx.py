"""ONNX files that take recordings as they are, without torch at run time."""

import json
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
import torch
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skel_data import Default, apply_pipeline, build_clips, drop_low_scores, get_layout, stream
from skel_encoders import STGCN, TCN, Transformer
from skel_recipes import Run, embed_recordings, fit, load_recipe
from skel_recipes.cli import main
from skel_recipes.config.recipe import DataSettings
from skel_recipes.model.calibration import Calibration
from skel_recipes.model.graph import DefaultSteps
from skel_recipes.model.onnx import export_onnx
from skel_recipes.run.folder import save_folder

ONNX = all(map(find_spec, ("onnx", "onnxscript", "onnxruntime")))
needs_onnx = pytest.mark.skipif(not ONNX, reason="needs skel-encoders[onnx]")


def recordings_of(layout, lengths, bodies, seed=0):
    """Recordings (T, M, V, C) with gaps, empty frames at the start, and a second body that leaves."""
    rng, made = np.random.default_rng(seed), []
    for length in lengths:
        one = rng.normal(size=(length, bodies, layout.num_joints, layout.channels)).cumsum(0)
        if layout.confidence:
            one[..., layout.dims] = rng.uniform(0, 1, one.shape[:3])
        one[rng.random(one.shape[:3]) < 0.2] = 0
        one[: length // 8] = 0
        one[length // 2 :, 1:] = 0
        made.append(one.astype(np.float32))
    return made


def padded(recordings):
    out = np.zeros((len(recordings), max(map(len, recordings)), *recordings[0].shape[1:]), np.float32)
    for row, one in enumerate(recordings):
        out[row, : len(one)] = one
    return out


@settings(max_examples=25)
@given(
    st.sampled_from(["ntu-25", "coco-17", "kinect-20"]),
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 2),
    st.integers(0, 5),
    st.booleans(),
)
def test_the_module_makes_the_clips_of_the_pipeline(name, lengths, bodies, seed, plain):
    layout = get_layout(name)
    recordings = recordings_of(layout, lengths, bodies, seed)
    pipeline = Default(frames=16, bodies=bodies, face=not plain, scale=not plain)
    score = 0.3 * layout.confidence
    expected = apply_pipeline(pipeline, layout, [drop_low_scores(one, layout, score) for one in recordings])
    found = DefaultSteps(pipeline, layout, score)(torch.from_numpy(padded(recordings))).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))


def test_empty_recordings_are_zeros():
    layout = get_layout("ntu-25")
    clips = DefaultSteps(Default(frames=8, bodies=2), layout)(torch.zeros(2, 5, 2, 25, 3))
    assert clips.shape == (2, 3, 8, 25, 2)
    assert not clips.any()


def encoder_folder(encoder, path, data, bodies):
    save_folder(encoder.eval(), path, data, name=path.name, bodies=bodies)
    return Run.open(path)


def in_use(encoder, clips):
    """An encoder whose BatchNorm has seen clips: its features are as large as those of a trained one."""
    for part in encoder.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.momentum = 1.0
    with torch.no_grad():
        encoder.train()(torch.from_numpy(clips))
    return encoder


class Own(nn.Module):
    """An encoder of a user: mean and deviation of each joint, then a layer."""

    def __init__(self, layout, *, feature_dim=12):
        super().__init__()
        self.layout, self.feature_dim = layout, feature_dim
        self.layer = nn.Linear(2 * layout.channels * layout.num_joints, feature_dim)

    def forward(self, clips):
        x = clips.mean(4).permute(0, 2, 1, 3).flatten(2)
        return self.layer(torch.cat([x.mean(1), x.std(1)], 1))


SMALL = {"widths": (8, 8), "kernels": (3, 3), "strides": (2, 1)}
ENCODERS = {
    "tcn": (lambda layout: TCN(layout, **SMALL), "linear"),
    "stgcn": (lambda layout: STGCN(layout, base_channels=4, feature_dim=16), "rbf"),
    "transformer": (lambda layout: Transformer(layout, frames=16, feature_dim=16, heads=2, layers=1), "knn"),
    "own": (Own, "mlp"),
}


@pytest.fixture(scope="module", params=ENCODERS)
def exported(request, store, tmp_path_factory):
    """A model with an encoder of this kind, of two streams for TCN, and its file."""
    folder, (make, head) = tmp_path_factory.mktemp(request.param), ENCODERS[request.param]
    torch.manual_seed(0)
    data, clips = DataSettings(pipeline=Default(frames=16)), build_clips(store, Default(frames=16))
    run = encoder_folder(in_use(make(store.layout), clips), folder / "encoder", data, bodies=2)
    model = fit(run, store, labels="train", head=head, device="cpu")
    if request.param == "tcn":
        one, first = model.embedder, model.heads[0]
        distances = stream(clips, "distance", store.layout)
        other = in_use(TCN(store.layout, in_channels=store.layout.num_joints, **SMALL), distances)
        two = evolve(
            one,
            streams=("joint", "distance"),
            weights=(1.0, 0.5),
            encoders=(*one.encoders, other.eval()),
        )
        second = evolve(first, weight=first.weight.roll(1, 1), bias=first.bias.clone())
        model = evolve(model, embedder=two, heads=(first, second))
    # The features of this ST-GCN are 8.8 +- 0.02: what float32 rounds moves logits by 1e-4
    temperature = 10.0 if request.param == "stgcn" else 1.0
    model = evolve(model, calibration=Calibration(temperature, threshold=0.45))
    model.save(folder / "model")
    assert main(["export", str(folder / "model"), str(folder / "it.onnx")]) == 0
    return model, folder / "it.onnx"


def widened(recording, bodies=2):
    out = np.zeros((len(recording), bodies, *recording.shape[2:]), np.float32)
    out[:, : recording.shape[1]] = recording[:, :bodies]
    return out


@needs_onnx
def test_files_predict_what_models_predict(exported, store, tmp_path):
    model, file = exported
    clips = [widened(store.clip(row)) for row in range(0, len(store), 3)]
    clips += [np.concatenate([a[:12, :1], b[:12, :1]], 1) for a, b in pairwise(clips)]
    clips += [clips[0][:1], np.concatenate(clips[:3]), np.zeros_like(clips[0])]
    expected = model.predict(clips)
    np.savez(tmp_path / "clips.npz", padded(clips), *clips)
    script = (
        "import sys, numpy as np, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "clips = np.load(sys.argv[2])\n"
        "together = session.run(['labels', 'probabilities'], {'recordings': clips['arr_0']})\n"
        "alone = [session.run(None, {'recordings': clips[name][None]}) for name in clips.files[1:]]\n"
        "many = session.run(['labels'], {'recordings': np.concatenate([clips['arr_0']] * 12)})[0]\n"
        "assert len(many) > 256 and (many == np.tile(together[0], 12)).all()\n"
        "assert not {'torch', 'skel_data'} & set(sys.modules)\n"
        "alone = [np.concatenate(part) for part in zip(*alone)]\n"
        "np.savez(sys.argv[3], *together, *alone)\n"
    )
    files = [file, tmp_path / "clips.npz", tmp_path / "found.npz"]
    subprocess.run([sys.executable, "-c", script, *map(str, files)], check=True)
    found = np.load(files[2])
    for labels, probabilities in (("arr_0", "arr_1"), ("arr_2", "arr_3")):
        np.testing.assert_allclose(found[probabilities], expected.probabilities, atol=1e-5)
        np.testing.assert_array_equal(found[labels], expected.labels)
    assert expected.labels[-1] == -1
    assert np.ptp(expected.probabilities[:-1], axis=0).max() > 0.1


@needs_onnx
def test_files_tell_what_they_take(exported):
    import onnxruntime

    model, file = exported
    session = onnxruntime.InferenceSession(file)
    (given,) = session.get_inputs()
    assert (given.name, given.shape) == ("recordings", ["batch", "frames", 2, 25, 3])
    assert [(one.name, one.shape) for one in session.get_outputs()] == [
        ("labels", ["batch"]),
        ("probabilities", ["batch", 3]),
    ]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["joints"]) == list(model.layout.joints)
    assert json.loads(told["classes"]) == list(model.classes)
    assert tuple(json.loads(told["streams"])) == model.embedder.streams
    assert float(told["threshold"]) == model.threshold
    names = ("layout", "frames", "bodies", "up", "units", "channels")
    assert [told[name] for name in names] == ["ntu-25", "16", "2", "y", "metres", '["x", "y", "z"]']


@needs_onnx
@pytest.mark.parametrize("pipeline", [True, False])
def test_runs_give_features(run, store, tmp_path, pipeline, capsys):
    import onnxruntime

    out = tmp_path / "it.onnx"
    assert main(["export", str(run.path), str(out), *([] if pipeline else ["--no-pipeline"])]) == 0
    assert str(out) in capsys.readouterr().out
    clips = [widened(store.clip(row), run.shape.bodies) for row in range(5)]
    expected = embed_recordings(run, clips)
    given = padded(clips) if pipeline else apply_pipeline(run.pipeline, store.layout, clips)
    session = onnxruntime.InferenceSession(out)
    name = "recordings" if pipeline else "clips"
    (features,) = session.run(["features"], {name: given})
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert session.get_modelmeta().custom_metadata_map["input"] == name


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"data.pipeline.ghosts": 0.1}, r"the step ghosts = 0.1 cannot be exported"),
        ({"data.pipeline.bodies_by": "track", "data.pipeline.bodies": 2}, "the step bodies_by = 'track'"),
        ({"data.crop": 0.9}, r"the step data.crop = 0.9"),
        ({"data.pipeline": {"name": "crossclr50"}}, "only default can"),
    ],
)
def test_steps_that_cannot_be_exported_are_named(store, tmp_path, overrides, message):
    data = load_recipe("compact", overrides).data
    encoder = TCN(store.layout, widths=(4,), kernels=(3,), strides=(1,))
    run = encoder_folder(encoder, tmp_path / "model", data, data.pipeline.bodies or 1)
    with pytest.raises(ValueError, match=message):
        export_onnx(run, tmp_path / "it.onnx")
    assert not (tmp_path / "it.onnx").exists()
