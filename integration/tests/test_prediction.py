"""Pose prediction, and the recipe after CD-JBF-GCN."""

import json

import pytest
import torch
from attrs import evolve

from skel_augment import View
from skel_data import ClipShape, SkeletonLayout, get_split
from skel_encoders import create_encoder
from skel_recipes import MethodContext, pretrain
from skel_recipes.cli import main
from skel_recipes.methods import METHODS
from skel_recipes.methods.context import build_encoder

JOINTS = [str(number) for number in range(13)]
THIRTEEN = SkeletonLayout.from_dict({"joints": JOINTS, "bones": [[name, "0"] for name in JOINTS[1:]]})
Settings = METHODS.lookup("prediction")
SMALL = {"widths": (4, 6), "strides": (1, 2)}


def small(layout=THIRTEEN, frames=12, bodies=2, encoder="jbf", stream="joint", **settings):
    torch.manual_seed(0)
    context = MethodContext(ClipShape(layout, frames, bodies), stream, 10)
    network = build_encoder(encoder, context.shape, stream, **(SMALL if encoder == "jbf" else {}))
    return Settings(view=View(()), hidden_dim=8, **settings).build(network, context).double()


def draw(frames=12, bodies=2, count=3):
    torch.manual_seed(2)
    return torch.randn(count, 3, frames, 13, bodies, dtype=torch.double)


def loss(method, clips):
    return method(clips, epoch=0)["loss"]


@pytest.mark.parametrize("encoder", ["jbf", "stgcn", "tcn", "agcn", "ctrgcn"])
def test_any_encoder_that_takes_shorter_clips(encoder):
    method = small(encoder=encoder)
    assert method.encoder.training
    assert loss(method, draw()) > 0


@pytest.mark.parametrize(
    ("frames", "horizon", "seen"), [(12, 0.5, 6), (64, 0.25, 48), (2, 0.9, 1), (13, 0.01, 12), (64, 0.99, 1)]
)
def test_frames_that_are_seen(frames, horizon, seen):
    method = small(frames=frames, horizon=horizon)
    assert method.seen == seen
    assert method.decoder[-1].out_features == (frames - seen) * 13 * 3
    assert loss(method, draw(frames)) > 0


def test_errors(tiny):
    with pytest.raises(ValueError, match="needs clips of 2 frames or more, got 1"):
        small(frames=1)
    network = create_encoder("hcn", THIRTEEN, frames=16)
    with pytest.raises(ValueError, match="first 8 of 16 frames, and HCN does not take them: expected clips"):
        Settings().build(network, MethodContext(ClipShape(THIRTEEN, 16, 1), "joint", 10))
    with pytest.raises(ValueError, match="needs features of each body, which GRU has not"):
        small(encoder="gru")
    with pytest.raises(ValueError, match="data.positives must be clip"):
        tiny("after-jbf", data__positives="performance")
    for horizon in (0.0, 1.0):
        with pytest.raises(ValueError, match="horizon"):
            tiny("after-jbf", method__horizon=horizon)


def test_loss_is_the_mean_squared_error_of_the_displacements():
    method, clips = small(), draw()
    predictions = []
    method.decoder.register_forward_hook(lambda _module, _inputs, output: predictions.append(output))
    value = loss(method, clips)
    predicted = predictions[0].view(3, 2, 6, 13, 3).permute(0, 4, 2, 3, 1)  # (N, C, T, V, M)
    expected = (predicted - (clips[:, :, 6:] - clips[:, :, 5:6])).square().mean()
    torch.testing.assert_close(value, expected)


def test_the_future_is_not_seen():
    """Other last frames change the loss, but no prediction."""
    method, clips = small(), draw()
    predictions = []
    method.decoder.register_forward_hook(lambda _module, _inputs, output: predictions.append(output))
    first, other = loss(method, clips), clips.clone()
    other[:, :, 6:] += 5
    assert loss(method, other) > first
    torch.testing.assert_close(*predictions)


def test_a_pose_that_stays_is_learned_by_a_decoder_that_says_zero():
    method, clips = small(), draw()[:, :, :1].expand(-1, -1, 12, -1, -1)
    for weight in method.decoder[-1].parameters():
        torch.nn.init.zeros_(weight)
    assert loss(method, clips) == 0


def test_missing_joints_and_absent_bodies_count_for_nothing():
    method, clips = small(), draw()
    clips[..., 1] = 0
    torch.testing.assert_close(loss(method, clips), loss(small(bodies=1), clips[..., :1]))
    clips = draw()
    clips[:, :, 6:, 4] = 0  # later
    clips[:, :, 5, 7] = 0  # in the last pose that is seen
    before, other = loss(method, clips), clips.clone()
    other[:, :, 6:, 7] += 9
    torch.testing.assert_close(loss(method, other), before)
    value = loss(method, torch.zeros_like(clips))
    value.backward()
    assert value == 0
    assert not any(weight.grad.any() for weight in method.parameters() if weight.grad is not None)


def test_confidence_is_seen_but_not_predicted():
    method = small(evolve(THIRTEEN, dims=2, confidence=True))
    assert method.decoder[-1].out_features == 6 * 13 * 2
    distances = small(stream="distance")
    assert distances.decoder[-1].out_features == 6 * 13 * 13
    assert loss(distances, draw().abs()) > 0


def test_gradient_reaches_the_encoder():
    method = small()
    loss(method, draw()).backward()
    assert all(weight.grad.isfinite().all() for weight in method.parameters())
    assert all(weight.grad.any() for weight in method.encoder.input_norms.parameters())


def test_few_labels_from_a_run(store, tmp_path, tiny, capsys):
    run = pretrain(tiny("after-jbf", train__epochs=1), store, tmp_path / "run")
    words = ["semi", str(run.path), str(store.path), "--fraction", "0.4", "--repeats", "1", "--epochs", "1"]
    main(["eval", *words, "--milestones", "1", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["settings"]["fraction"] == 0.4
    assert result["counts"]["train"] < len(get_split(store).train)
    assert set(result["metrics"]) == {"accuracy"}
