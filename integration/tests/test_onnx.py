"""ONNX files that take recordings as they are, without torch at run time."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skel_data import Default, apply_pipeline, get_layout
from skel_encoders import STGCN, TCN, Transformer
from skel_recipes import Run, embed_recordings, load_recipe
from skel_recipes.cli import main
from skel_recipes.config.recipe import DataSettings
from skel_recipes.run.folder import save_folder
from skel_recipes.run.graph import DefaultSteps
from skel_recipes.run.onnx import export_onnx

ONNX = all(map(find_spec, ("onnx", "onnxscript", "onnxruntime")))
needs_onnx = pytest.mark.skipif(not ONNX, reason="needs skel-encoders[onnx]")


def recordings_of(layout, lengths, bodies, seed=0):
    """Recordings (T, M, V, C) with gaps, empty frames at the start, and a second body that leaves."""
    rng, made = np.random.default_rng(seed), []
    for length in lengths:
        one = rng.normal(size=(length, bodies, layout.num_joints, layout.channels)).cumsum(0)
        if layout.confidence:
            one[..., layout.dims] = rng.uniform(0.1, 1, one.shape[:3])
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


@settings(max_examples=25, deadline=None)
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
    expected = apply_pipeline(pipeline, layout, recordings)
    found = DefaultSteps(pipeline, layout)(torch.from_numpy(padded(recordings))).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))


def test_empty_recordings_are_zeros():
    layout = get_layout("ntu-25")
    clips = DefaultSteps(Default(frames=8, bodies=2), layout)(torch.zeros(2, 5, 2, 25, 3))
    assert clips.shape == (2, 3, 8, 25, 2)
    assert not clips.any()


ENCODERS = {
    "tcn": lambda layout: TCN(layout, widths=(8, 8), kernels=(3, 3), strides=(2, 1)),
    "stgcn": lambda layout: STGCN(layout, base_channels=4, feature_dim=16),
    "transformer": lambda layout: Transformer(layout, 16, embed_dim=16, depth=1, heads=2),
}


@needs_onnx
@pytest.mark.parametrize("name", ENCODERS)
def test_files_give_what_python_gives(name, store, tmp_path):
    import onnxruntime

    torch.manual_seed(0)
    data = DataSettings(pipeline=Default(frames=16), stream="bone" if name == "tcn" else "joint")
    save_folder(ENCODERS[name](store.layout).eval(), tmp_path / "model", data, name=name, bodies=1)
    run = Run.open(tmp_path / "model")
    export_onnx(run, tmp_path / "it.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "it.onnx")
    (given,) = session.get_inputs()
    assert (given.name, given.shape) == ("recordings", ["batch", "frames", 1, 25, 3])
    clips = [store.clip(row) for row in range(len(store)) if store.bodies[row] == 1][:6]
    expected = embed_recordings(run, clips)
    (together,) = session.run(["features"], {"recordings": padded(clips)})
    np.testing.assert_allclose(together, expected, rtol=1e-3, atol=1e-4)
    for one, wanted in zip(clips, expected, strict=True):
        (alone,) = session.run(["features"], {"recordings": one[None]})
        np.testing.assert_allclose(alone[0], wanted, rtol=1e-3, atol=1e-4)
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["joints"]) == list(store.layout.joints)
    assert (told["layout"], told["stream"], told["frames"], told["up"]) == ("ntu-25", data.stream, "16", "y")


@needs_onnx
def test_a_file_runs_without_torch(run, store, tmp_path, capsys):
    out = tmp_path / "it.onnx"
    assert main(["export", str(run.path), str(out)]) == 0
    np.save(tmp_path / "clip.npy", store.clip(0)[None])
    script = (
        "import sys, numpy as np, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "(x,) = session.run(None, {'recordings': np.load(sys.argv[2])})\n"
        "assert 'torch' not in sys.modules\n"
        "np.save(sys.argv[3], x)\n"
    )
    files = [out, tmp_path / "clip.npy", tmp_path / "features.npy"]
    subprocess.run([sys.executable, "-c", script, *map(str, files)], check=True)
    np.testing.assert_allclose(
        np.load(files[2]), embed_recordings(run, [store.clip(0)]), rtol=1e-3, atol=1e-4
    )
    assert str(out) in capsys.readouterr().out


@needs_onnx
def test_a_classifier_is_inside(run, store, tmp_path):
    import onnxruntime

    head = nn.Linear(run.encoder().feature_dim, 3)
    export_onnx(run, tmp_path / "it.onnx", head=head, classes=store.classes)
    session = onnxruntime.InferenceSession(tmp_path / "it.onnx")
    (logits,) = session.run(["logits"], {"recordings": store.clip(0)[None]})
    with torch.no_grad():
        expected = head(torch.from_numpy(embed_recordings(run, [store.clip(0)])))
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == list(store.classes)


@needs_onnx
def test_without_the_pipeline_a_file_takes_clips(run, tmp_path):
    import onnxruntime

    export_onnx(run, tmp_path / "it.onnx", pipeline=False)
    session = onnxruntime.InferenceSession(tmp_path / "it.onnx")
    shape = run.shape
    assert session.get_inputs()[0].shape[1:] == [3, shape.frames, 25, shape.bodies]
    assert session.get_modelmeta().custom_metadata_map["input"] == "clips"


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
    save_folder(encoder, tmp_path / "model", data, name="x", bodies=data.pipeline.bodies or 1)
    with pytest.raises(ValueError, match=message):
        export_onnx(Run.open(tmp_path / "model"), tmp_path / "it.onnx")
    assert not (tmp_path / "it.onnx").exists()
