from importlib.util import find_spec

import pytest
import torch

from skel_encoders import export_encoder

ONNX = all(map(find_spec, ("onnx", "onnxscript", "onnxruntime")))


def batches(clips):
    """One clip, as many as the export has seen, and more."""
    return clips[:1], clips, torch.cat([clips.flip(0), clips * 2, torch.zeros_like(clips[:1])])


@pytest.fixture
def exported(encoder):
    """Each encoder in eval mode; those that can skip absent bodies do, which a fixed graph cannot."""
    encoder.skip_absent = True
    return encoder.eval()


@pytest.mark.slow
def test_every_encoder_can_be_exported(exported, clips):
    program = torch.export.export(exported, (clips,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for batch in batches(clips):
        torch.testing.assert_close(program.module()(batch), exported(batch))


@pytest.mark.skipif(not ONNX, reason="needs skel-encoders[onnx]")
@pytest.mark.filterwarnings("ignore")  # PyTorch 2.15 warns of its own way to take a GRU apart
@pytest.mark.slow
def test_onnx(exported, clips, tmp_path):
    import onnxruntime

    export_encoder(exported, clips, tmp_path / "it.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["it.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "it.onnx")
    for batch in batches(clips):
        (features,) = session.run(["features"], {"clips": batch.numpy()})
        torch.testing.assert_close(torch.from_numpy(features), exported(batch).detach(), rtol=1e-4, atol=1e-5)


def test_errors(encoder, clips, tmp_path, monkeypatch):
    monkeypatch.setattr("skel_encoders.export.find_spec", lambda _: True)
    with pytest.raises(ValueError, match="eval mode"):
        export_encoder(encoder.train(), clips, tmp_path / "it.onnx")
    with pytest.raises(ValueError, match="two clips or more .* got 1"):
        export_encoder(encoder.eval(), clips[:1], tmp_path / "it.onnx")
    monkeypatch.setattr("skel_encoders.export.find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"pip install 'skel-encoders\[onnx\]'"):
        export_encoder(encoder, clips, tmp_path / "it.onnx")
    assert not list(tmp_path.iterdir())
