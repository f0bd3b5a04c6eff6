"""Tuning of a finished run: its encoder and data, layer-wise rates, frozen layers."""

import pytest
import torch

from skel_encoders import layer_groups
from skel_recipes import MethodContext, Run, build_method, load_recipe, pretrain
from skel_recipes.cli import main
from skel_recipes.config.recipe import OptimSettings
from skel_recipes.methods.context import encoders_of
from skel_recipes.run.init import tuned_settings
from skel_recipes.train.optim import clip_tensors, parameter_groups

SHORT = {
    "train.epochs": 1,
    "train.min_steps": 0,
    "train.batch_size": 8,
    "optim.warmup_steps": 0,  # the only step would have a rate of 0
    "method.hidden_dim": 16,
}


def test_command_takes_encoder_and_data_of_the_run(run, store, tmp_path, capsys):
    words = [word for key, value in SHORT.items() for word in (f"--{key}", str(value))]
    command = ["pretrain", "nnclr", str(store.path), "--init", str(run.path), *words]
    status = main([*command, "--out", str(tmp_path / "tuned"), "--optim.frozen_layers", "1"])
    said = capsys.readouterr().err
    assert status == 0, said
    assert f"taken from {run.path}: encoder, data.pipeline" in said
    tuned = Run.open(tmp_path / "tuned")
    assert tuned.recipe.encoder == run.recipe.encoder
    assert tuned.recipe.data.pipeline == run.recipe.data.pipeline
    assert tuned.info["init"]["not_loaded"] == []
    before, after = run.encoder(), tuned.encoder()
    depths = {
        name: int(name.split(".")[1]) // 3 for name, _ in before.named_parameters()
    }  # a TCN's layers are of three modules
    for name, weight in before.named_parameters():
        assert torch.equal(weight, after.get_parameter(name)) == (depths[name] == 0), name


def test_settings_of_the_user_win(run):
    taken = tuned_settings(run.recipe, {})
    assert list(taken) == ["encoder", "data.pipeline", "data.stream", "data.frames", "data.crop"]
    assert load_recipe("nnclr", taken).encoder == run.recipe.encoder
    given = {"encoder.name": "stgcn", "data.stream": "bone"}
    taken = tuned_settings(run.recipe, given)
    assert load_recipe("nnclr", {**taken, **given}).data.stream == "bone"
    assert "encoder" not in taken


def test_view_comes_too_where_recordings_keep_their_length():
    published = load_recipe("paper/mamp")
    stars = load_recipe("paper/stars-ntu60-xsub-joint")
    assert "method.view" not in tuned_settings(published, {}, frames=stars.data.frames)  # STARS has its own
    recipe = load_recipe("nnclr", tuned_settings(published, {}))
    assert recipe.method.view == published.method.view
    assert (recipe.data.frames, recipe.encoder.name) == (120, "transformer")


def test_too_many_frozen_layers_leave_no_folder(store, tiny, tmp_path):
    with pytest.raises(ValueError, match="layers: at most . can be frozen, got 9"):
        pretrain(tiny("nnclr", optim__frozen_layers=9), store, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("decay_vectors", [True, False])
@pytest.mark.parametrize("streams", ["joint", "joint+bone"])
def test_layers_have_their_rates(decay_vectors, streams, tiny, run):
    recipe = tiny("nnclr", data__stream=streams)
    method = build_method(recipe, MethodContext(run.shape, streams, 40))
    optim = OptimSettings("adamw", 0.1, 0.05, decay_vectors=decay_vectors, layer_decay=0.5)
    groups = parameter_groups(method, recipe.data.streams, optim)
    members = [weight for group in groups for weight in group["params"]]
    assert len(members) == len(set(members))
    assert set(members) == set(method.parameters())
    scales = {weight: group.get("lr_scale", 1.0) for group in groups for weight in group["params"]}
    free = {weight for group in groups if group.get("weight_decay") == 0 for weight in group["params"]}
    for encoder in encoders_of(method, recipe.data.streams).values():
        for group in layer_groups(encoder, 1.0, 0.5):
            assert {scales.pop(weight) for weight in group["params"]} == {group["lr"]}
    assert set(scales.values()) == {1.0}
    assert bool(free) != decay_vectors
    assert all(weight.ndim < 2 for weight in free)
    torch.optim.AdamW(groups, 0.1).step()


def test_one_rate_is_one_group(tiny, run):
    method = build_method(tiny("nnclr"), MethodContext(run.shape, "joint", 40))
    assert parameter_groups(method, ("joint",), OptimSettings()) == list(method.parameters())


def test_gradients_are_clipped_tensor_by_tensor():
    layer = torch.nn.Linear(2, 2)
    layer.weight.grad, layer.bias.grad = torch.full((2, 2), 5.0), torch.tensor([0.6, 0.8])
    clip_tensors(layer, 3.0)
    assert float(layer.weight.grad.norm()) == pytest.approx(3.0, rel=1e-5)
    assert layer.bias.grad.tolist() == pytest.approx([0.6, 0.8])


def test_no_clip_is_its_own_neighbor(tiny, run):
    """Where the second view shows a partner, the partner's own projection is left out."""
    method = build_method(tiny("nnclr"), MethodContext(run.shape, "joint", 40))
    context, seen = method.context, []
    method._neighbor = lambda projection, ids, _: seen.append(ids) or projection
    shape = run.shape
    clips = torch.randn(4, shape.layout.channels, shape.frames, shape.layout.num_joints, shape.bodies)
    context.batch.ids = torch.tensor([3, 5, 7, 9])
    method(clips, epoch=0)
    assert [ids.tolist() for ids in seen] == [[3, 5, 7, 9]] * 2
    context.second.clips, context.second.ids = clips.flip(0), torch.tensor([9, 7, 5, 3])
    method(clips, epoch=0)
    assert [ids.tolist() for ids in seen[2:]] == [[9, 7, 5, 3], [3, 5, 7, 9]]
    assert method.queue.ids[:8].tolist() == [3, 5, 7, 9] * 2
