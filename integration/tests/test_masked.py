"""Masked prediction: MAMP, its MAE baseline, and the variant after AMR."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve

from skel_augment import View
from skel_data import ClipShape, SkeletonLayout, get_layout
from skel_encoders import Transformer, from_pretrained
from skel_eval import Finetune
from skel_recipes import MethodContext, build_method, load_recipe, pretrain
from skel_recipes.cli import main
from skel_recipes.evaluate.evaluate import evaluate
from skel_recipes.evaluate.finetune import FineTune
from skel_recipes.methods import METHODS

JOINTS = [str(number) for number in range(13)]
THIRTEEN = SkeletonLayout.from_dict({"joints": JOINTS, "bones": [[name, "0"] for name in JOINTS[1:]]})
Settings = METHODS.lookup("masked")


class Given(MethodContext):
    """A context whose uniform numbers are given."""

    numbers = torch.empty(0)

    def uniforms(self, clips, count, generator):  # noqa: ARG002
        assert self.numbers.shape == (len(clips), count)
        return self.numbers.to(clips)


def given(layout, frames, numbers, settings, encoder, bodies=2):
    context = Given(ClipShape(layout, frames, bodies), "joint", 10)
    type(context).numbers = numbers
    torch.manual_seed(0)
    return Settings(view=View(()), **settings).build(Transformer(layout, frames=frames, **encoder), context)


def small(frames=12, bodies=2, count=3, numbers=None, **settings):
    """A method for the layout of 13 joints, with tokens of 4 frames, and numbers for its masks."""
    tokens = 13 * -(-frames // 4)
    if numbers is None:
        numbers = torch.rand(count, bodies * tokens, generator=torch.Generator().manual_seed(1))
    narrow = {"decoder_dim": 8, "decoder_heads": 2, "decoder_layers": 1, "ratio": 0.6}
    encoder = {"feature_dim": 8, "heads": 2, "layers": 1}
    return given(THIRTEEN, frames, numbers, narrow | settings, encoder, bodies).double()


def draw(frames=12, bodies=2, count=3):
    torch.manual_seed(2)
    return torch.randn(count, 3, frames, 13, bodies, dtype=torch.double)


def loss(method, clips):
    return method(clips, epoch=0)["loss"]


def test_errors(tiny):
    with pytest.raises(ValueError, match="needs encoder transformer, of joint-time tokens, got TCN"):
        build_method(
            load_recipe("mamp", {"encoder.name": "tcn"}),
            MethodContext(ClipShape(get_layout("utd-20"), 64, 1), "joint", 10),
        )
    with pytest.raises(ValueError, match="data.positives must be clip"):
        tiny("mamp", data__positives="performance")
    for setting, value in (("ratio", 1.0), ("temperature", 0.0), ("mask", "cubes"), ("stride", 0)):
        with pytest.raises(ValueError, match=f"method.{setting}|{setting}"):
            tiny("mamp", **{f"method__{setting}": value})
    frames = tiny("mamp").data.pipeline.frames
    for name, setting, value in (("mamp", "stride", frames), ("after-amr", "windows", [])):
        with pytest.raises(
            ValueError, match=f"{setting} of method masked must be from 1 to {frames - 1} frames"
        ):
            build_method(
                tiny(name, **{f"method__{setting}": value}),
                MethodContext(ClipShape(get_layout("ntu-25"), frames, 1), "joint", 10),
            )
    without = SkeletonLayout.from_dict({"joints": ["a", "b"], "bones": [["b", "a"]]})
    with pytest.raises(ValueError, match="has no parts, of which mask tubes hides some"):
        build_method(
            tiny("mamp", method__mask="tubes"), MethodContext(ClipShape(without, frames, 1), "joint", 10)
        )


def test_defaults_are_the_papers():
    s = Settings()
    assert (s.mask, s.ratio, s.temperature, s.target, s.stride) == ("motion", 0.9, 0.8, "motion", 1)
    assert (s.decoder, s.decoder_dim, s.decoder_heads, s.decoder_layers) == ("self", 256, 8, 5)
    assert (s.rounding, s.absent_bodies) == ("nearest", False)  # deviations of the program are off
    assert load_recipe("paper/mamp-ntu120-xsub-joint").method.temperature == 0.75
    mae = load_recipe("paper/mae-ntu60-xsub-joint").method
    assert (mae.mask, mae.target, mae.normalize) == ("uniform", "coordinates", True)


@pytest.mark.parametrize(("rounding", "kept"), [("nearest", 75), ("down", 74)])
def test_kept_tokens_of_the_published_size(rounding, kept):
    recipe = load_recipe("paper/mamp-ntu60-xsub-joint", {"method.rounding": rounding})
    with torch.device("meta"):
        method = build_method(recipe, MethodContext(ClipShape(get_layout("ntu-25"), 120, 2), "joint", 10))
    assert method._kept(750) == kept
    assert method._kept(2) == 1
    assert round(sum(p.numel() for p in method.parameters()) / 1e6, 2) == 10.37


FOLDER = os.environ.get("SKEL_VECTORS")


@pytest.mark.skipif(FOLDER is None, reason="SKEL_VECTORS is not set")
def test_published_losses():
    """The whole method, from clips to loss, with the program's weights, uniform numbers and quirks."""
    for path in sorted(Path(FOLDER or "").glob("*.npz")):
        with np.load(path) as arrays:
            if "config" not in arrays.files or json.loads(str(arrays["config"])).get("kind") != "mamp":
                continue
            config = json.loads(str(arrays["config"]))
            found = {key: torch.from_numpy(arrays[key]) for key in arrays.files if key != "config"}
        joints, frames = config["joints"], config["frames"]
        layout = get_layout({17: "h36m-17", 25: "ntu-25"}[joints])
        settings = {
            "mask": "motion" if config["tau"] else "uniform",
            "temperature": config["tau"] or 0.8,
            "rounding": "down",
            "absent_bodies": True,
            "target": config["target"],
            "stride": config["motion_stride"] or 1,
            "normalize": config["normalised"],
            "decoder_dim": config["decoder_width"],
            "decoder_heads": config["heads"],
            "decoder_layers": config["decoder_depth"],
        }
        encoder = {"tubelet": config["tubelet"], "feature_dim": config["width"], "heads": config["heads"]}
        encoder |= {"layers": config["depth"], "mlp_ratio": config["mlp_ratio"]}
        numbers = found["in.u"].view(len(found["in.x"]), -1)
        method = given(layout, frames, numbers, settings, encoder)
        state = {key.removeprefix("state."): v for key, v in found.items() if key.startswith("state.")}
        method.encoder.load_state_dict(Transformer.rename_published(state))
        method.decoder.load_state_dict(
            {
                name: state[theirs].view(weight.shape)
                for name, weight in method.decoder.state_dict().items()
                for theirs in [_published(name)]
            }
        )
        value = loss(method, found["in.x"])
        torch.testing.assert_close(value.detach(), found["out.loss"], rtol=1e-5, atol=0)
        value.backward()
        for name, weight in method.decoder.named_parameters():
            theirs = found.get(f"grad.{_published(name)}")
            if theirs is not None:
                atol = 1e-5 * float(theirs.abs().max())
                torch.testing.assert_close(weight.grad, theirs.view(weight.shape), rtol=0, atol=atol)


def _published(name):
    names = {
        "mask_token": "mask_token",
        "joint_position": "decoder_pos_embed",
        "time_position": "decoder_temp_embed",
    }
    ours = name.replace("embedding.", "embed.").replace("prediction.", "pred.")
    return names.get(name, f"decoder_{ours}")


@pytest.mark.parametrize("options", [{}, {"decoder": "cross", "patch": 2, "weighting": "energy"}])
def test_absent_bodies_change_no_loss(options):
    clips = draw()
    clips[..., 1] = 0
    method = small(**options)
    both = method.context.numbers
    expected = loss(small(bodies=1, numbers=both[:, :39], **options), clips[..., :1])
    torch.testing.assert_close(loss(small(numbers=both, **options), clips), expected)
    counted = loss(small(numbers=both, absent_bodies=True, **options), clips)
    assert torch.isclose(counted, expected) == bool(options)  # what does not move has no weight


def test_a_batch_of_nobody_has_no_loss_and_no_gradient():
    for options in ({}, {"decoder": "cross"}):
        method = small(**options)
        value = loss(method, torch.zeros_like(draw()))
        value.backward()
        assert value == 0
        assert not any(weight.grad.any() for weight in method.parameters() if weight.grad is not None)


@pytest.mark.parametrize("options", [{}, {"decoder": "cross", "patch": 3}])
def test_last_frame_fills_the_last_token(options):
    clips = draw(frames=10)
    filled = torch.cat([clips, clips[:, :, -1:], clips[:, :, -1:]], 2)
    method = small(**options)
    torch.testing.assert_close(loss(method, clips), loss(method, filled))


def test_hidden_tokens_are_not_seen():
    """What stands in hidden tokens changes the target, but no prediction."""
    method, clips = small(absent_bodies=True, mask="uniform", target="coordinates", normalize=False), draw()
    predictions = []
    method.decoder.register_forward_hook(lambda _module, _inputs, output: predictions.append(output))
    first = loss(method, clips)
    ranks = method.context.numbers.view(6, 39).argsort(1).argsort(1)
    shown = (ranks < method._kept(39)).view(3, 2, 3, 1, 13).repeat_interleave(4, 2)  # (N, M, T, 1, V)
    other = torch.where(shown.permute(0, 3, 2, 4, 1), clips, 5.0)
    assert loss(method, other) > first
    torch.testing.assert_close(*predictions)


def test_confidence_is_seen_but_not_predicted():
    layout = evolve(THIRTEEN, dims=2, confidence=True)
    numbers = torch.rand(2, 39, generator=torch.Generator().manual_seed(1))
    narrow = {"decoder_dim": 8, "decoder_heads": 2, "decoder_layers": 1, "mask": "uniform"}
    method = given(layout, 12, numbers, narrow, {"feature_dim": 8, "heads": 2, "layers": 1}, bodies=1)
    assert method.decoder.prediction.out_features == 2 * 4
    assert loss(method, torch.rand(2, 3, 12, 13, 1)) > 0


def _parameters(recipe, store):
    method = build_method(recipe, MethodContext(ClipShape(store.layout, 16, 1), "joint", 10))
    return len(list(method.parameters()))


def test_optimiser_of_the_recipe(store, tmp_path, tiny):
    run = pretrain(
        tiny("mamp", train__epochs=1, optim__min_lr=1e-4, optim__schedule="cosine", optim__warmup_steps=0),
        store,
        tmp_path / "run",
    )
    groups = torch.load(run.path / "checkpoint.pt", weights_only=True)["optimizer"]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
    assert all(group["betas"] == (0.9, 0.95) for group in groups)
    assert all(group["lr"] >= 1e-4 for group in groups)
    assert sum(len(group["params"]) for group in groups) == _parameters(run.recipe, store)


@pytest.fixture(scope="module")
def masked_run(store, tmp_path_factory, tiny):
    return pretrain(tiny("mamp", train__epochs=1), store, tmp_path_factory.mktemp("masked") / "run")


def test_fine_tuning_preset(masked_run, store, tmp_path, capsys):
    kept = tmp_path / "tuned"
    words = ["finetune", str(masked_run.path), str(store.path), "--published", "mamp", "--epochs", "1"]
    words += ["--warmup-epochs", "0", "--hidden", "5", "--keep", str(kept), "--json"]
    main(["eval", *words])
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["drop_path"], settings["keep_joints"], settings["layer_decay"]) == (0.3, True, 0.8)
    assert (settings["hidden"], settings["dropout"], settings["learning_rate"]) == (5, 0.3, 3e-4)
    with np.load(kept / "head.npz") as head:
        assert head["hidden.linear.weight"].shape == (5, 16 * store.layout.num_joints)
        assert head["weight"].shape == (len(store.classes), 5)
    assert not from_pretrained(kept).drop_path


def test_fine_tuning_encoders_that_cannot(run, store):
    for options, message in (
        ({"keep_joints": True}, "keep_joints is for encoder transformer, got TCN"),
        ({"drop_path": 0.1}, "drop_path is for encoder transformer, got TCN"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(run, store, FineTune(Finetune(epochs=1, milestones=()), **options))
