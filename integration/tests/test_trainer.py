import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file

from skel_data import get_split
from skel_encoders import list_encoders
from skel_recipes import Run, load_recipe, pretrain, recipe_names, resume
from skel_recipes.cli import main
from skel_recipes.train import trainer

NAMES = [
    "compact",
    "vicreg",
    "nnclr",
    "skeletonclr",
    "crossclr",
    "aimclr",
    "skeletonbyol",
    "cmal",
    "cmcs",
    "scdnet",
    "pstl",
    "usdrl",
    "cmd",
    "isc",
    "mamp",
    "after-amr",
    "crrl-motion",
    "after-jbf",
]


def weights(run):
    return load_file(run.path / "encoder.safetensors")


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_run_folder(name, store, tmp_path, tiny):
    run = pretrain(tiny(name), store, tmp_path / "run")
    assert run.finished
    assert Run.open(run.path).recipe == tiny(name)
    metrics = run.metrics()
    assert [line["epoch"] for line in metrics] == list(range(1, run.recipe.train.epochs + 1))
    assert {"loss", "lr", "clips_per_second"} <= metrics[0].keys()
    looks = {"instance_1nn", "feature_std", "effective_rank", "alignment", "uniformity"}
    if len(run.streams) > 1:
        looks = {f"{look}.{stream}" for look in looks for stream in run.streams}
    assert looks <= metrics[-1].keys()
    assert run.info["store"]["hash"] == store.hash
    assert not list(tmp_path.rglob("*.partial*"))


SMALL = {"data.pipeline.frames": 16, "train.batch_size": 8}
ENCODERS = {
    "agcn": {"base_channels": 4},
    "ctrgcn": {"base_channels": 8},
    "dste": {"hidden_dim": 8},
    "gru": {"hidden_dim": 8, "layers": 2},
    "hcn": {"channels": 4},
    "jbf": {"widths": [4, 8], "strides": [1, 2]},
    "scd": {"channels": 8, "hidden_dim": 8, "heads": 2},
    "slim": {"width": 8, "heads": 2, "layers": 1, "class_layers": 1},
    "stgcn": {"base_channels": 4, "feature_dim": 8},
    "tcn": {"widths": [8], "kernels": [3], "strides": [2]},
    "transformer": {"feature_dim": 8, "heads": 2, "layers": 1},
    "umurl": {"hidden_dim": 8},
}


@pytest.mark.parametrize("name", ENCODERS)
def test_any_encoder_is_trained_by_name(name, store, tmp_path):
    settings = {f"encoder.{key}": value for key, value in ENCODERS[name].items()}
    small = {**SMALL, "train.min_steps": 0, "optim.warmup_steps": 0, "train.epochs": 1}
    recipe = load_recipe("skeletonclr", {"encoder.name": name, **settings, **small})
    run = pretrain(recipe, store, tmp_path / "run")
    assert Run.open(run.path).recipe == recipe
    before = dict(run.encoder(trained=False).named_parameters())
    assert any(not torch.equal(before[key], value) for key, value in run.encoder().named_parameters())


def test_all_encoders_are_trained_here():
    assert set(list_encoders()) == ENCODERS.keys()


def test_small_sets_get_more_epochs(store, tmp_path, tiny):
    run = pretrain(tiny("compact", train__min_steps=5), store, tmp_path / "run")
    assert run.info["train_clips"] == 12  # one step of 8 clips an epoch
    assert len(run.metrics()) == 5
    assert run.metrics()[-1]["lr"] < run.metrics()[1]["lr"]


def test_training_changes_the_encoder_and_lowers_the_loss(store, tmp_path, tiny):
    run = pretrain(tiny("compact", train__epochs=30), store, tmp_path / "run")
    losses = [line["loss"] for line in run.metrics()]
    assert losses[-1] < 0.8 * losses[0]
    before, after = run.encoder(trained=False).state_dict(), run.encoder().state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_same_seed_same_run(store, tmp_path, tiny, run):
    again = pretrain(tiny("compact"), store, tmp_path / "again")
    other = pretrain(tiny("compact", train__seed=1), store, tmp_path / "other")
    assert_same(weights(run), weights(again))
    assert any(not torch.equal(weights(run)[key], weights(other)[key]) for key in weights(run))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_streamed_clips_give_the_same_run(dtype, store, tmp_path, tiny):
    """Kept on the device or read batch by batch: the same clips in the same order."""
    runs = [
        pretrain(tiny("compact", data__keep=keep, data__dtype=dtype), store, tmp_path / keep)
        for keep in ("device", "stream")
    ]
    assert_same(*(weights(run) for run in runs))


@pytest.mark.parametrize("name", ["compact", "aimclr"])
def test_resume_after_an_interruption_is_exact(name, store, tmp_path, tiny, monkeypatch):
    recipe = tiny(name, train__epochs=4, train__checkpoint_every=2)
    whole = pretrain(recipe, store, tmp_path / "whole")

    class PowerCutError(Exception):
        pass

    real = trainer._log

    def log_then_cut(run, line, events):
        real(run, line, events)
        if line["epoch"] == 3:
            raise PowerCutError

    monkeypatch.setattr(trainer, "_log", log_then_cut)
    with pytest.raises(PowerCutError):
        pretrain(recipe, store, tmp_path / "cut")
    monkeypatch.undo()
    assert not Run.open(tmp_path / "cut").finished
    cut = resume(tmp_path / "cut")
    assert_same(weights(whole), weights(cut))
    assert [line["loss"] for line in whole.metrics()] == [line["loss"] for line in cut.metrics()]


@pytest.mark.slow
def test_resume_after_kill_is_exact(store, tmp_path, tiny):
    """SIGKILL in the middle of training, by the command line."""
    flags = [
        "--train.epochs=12",
        "--train.min_steps=0",
        "--train.checkpoint_every=2",
        "--data.pipeline.frames=16",
        "--train.batch_size=8",
    ]
    begin = ["pretrain", "compact", str(store.path), *flags]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    assert main([*begin, "--out", str(tmp_path / "whole")]) == 0
    words = [sys.executable, "-m", "skel_recipes", *begin, "--out", str(tmp_path / "cut")]
    process = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL)
    metrics = tmp_path / "cut" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") >= 3):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut" / "encoder.safetensors").exists()
    assert main(["pretrain", "--resume", str(tmp_path / "cut")]) == 0
    assert_same(weights(Run.open(tmp_path / "whole")), weights(Run.open(tmp_path / "cut")))


def test_tensorboard_is_an_extra(store, tmp_path, tiny):
    recipe = tiny("compact", train__tensorboard=True)
    if find_spec("tensorboard") is None:
        with pytest.raises(ImportError, match=r"skel-recipes\[tensorboard\]"):
            pretrain(recipe, store, tmp_path / "run")
        assert not (tmp_path / "run").exists()
    else:
        assert list((pretrain(recipe, store, tmp_path / "run").path / "tensorboard").iterdir())


def test_finished_run_stays_as_it_is(run):
    before = weights(run)
    resume(run.path)
    assert_same(before, weights(run))


def test_errors(store, tmp_path, tiny, run):
    with pytest.raises(FileExistsError, match="--resume"):
        pretrain(tiny("compact"), store, run.path)
    with pytest.raises(ValueError, match="no split 'xsup'"):
        pretrain(tiny("compact"), store, tmp_path / "run", split="xsup")
    with pytest.raises(ValueError, match="no device 'tpu'"):
        pretrain(tiny("compact"), store, tmp_path / "device", device="tpu")
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError, match="no run at"):
        resume(tmp_path / "none")
    with pytest.raises(ValueError, match="is no run and no encoder"):
        resume(tmp_path)


def test_resume_refuses_another_store(store, tmp_path, tiny, run):
    info = json.loads((run.path / "run.json").read_text())
    info["store"]["hash"] = "another"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps(info))
    (tmp_path / "run" / "recipe.toml").write_text((run.path / "recipe.toml").read_text())
    with pytest.raises(ValueError, match="has changed since the run began"):
        resume(tmp_path / "run")


def test_loss_that_is_not_finite_stops_the_run(store, tmp_path, tiny):
    told = r"in epoch \d, step \d the losses were {'loss': nan}; its clips were A0\dS\d.*; .*checkpoint"
    with pytest.raises(FloatingPointError, match=told):
        pretrain(
            tiny("compact", optim__optimizer="sgd", optim__lr=1e12, optim__warmup_epochs=0),
            store,
            tmp_path / "run",
        )
    assert not (tmp_path / "run" / "encoder.safetensors").exists()


def test_bfloat16_trains_too(store, tmp_path, tiny):
    run = pretrain(tiny("aimclr", train__precision="bfloat16"), store, tmp_path / "run")
    assert all(value.dtype != torch.bfloat16 for value in weights(run).values())


def test_labels_are_not_read(store, tmp_path, tiny, run):
    """Pretraining on the same clips without labels gives the same encoder."""
    blind = type(store).open(store.path)
    blind.check()
    blind.columns["label"][get_split(store).train] = -1
    again = pretrain(tiny("compact"), blind, tmp_path / "blind")
    assert_same(weights(run), weights(again))


def test_gradient_checkpointing_gives_the_same_weights(store, tmp_path, tiny):
    runs = [
        pretrain(tiny("skeletonclr", train__checkpoint_blocks=flag), store, tmp_path / str(flag))
        for flag in (False, True)
    ]
    assert_same(*(weights(run) for run in runs))


def test_the_warm_up_has_at_least_so_many_steps(store, tiny, tmp_path):
    settings = {"optim__warmup_epochs": 0, "optim__warmup_steps": 1000, "optim__lr": 1.0, "train__epochs": 2}
    run = pretrain(tiny("compact", **settings), store, tmp_path / "run")
    steps = run.recipe.train.batches(run.info["train_clips"])[1]
    last = [(epoch * steps + steps - 1) / 1000 for epoch in range(2)]
    assert [line["lr"] for line in run.metrics()] == pytest.approx(last)


@pytest.mark.parametrize("clips", [100, 1000, 40_000])
def test_recipes_are_long_enough_for_what_they_begin(clips):
    for name in recipe_names():
        recipe = load_recipe(name)
        steps = recipe.train.batches(clips)[1]
        assert trainer.too_short(recipe, recipe.train.length(clips), steps) == [], name


def test_a_training_too_short_for_its_settings_is_warned_of(store, tiny, tmp_path, caplog):
    (mining,) = trainer.too_short(load_recipe("aimclr", {"train.epochs": 20}), 20, 10)
    assert mining == "method.mining_epoch is 20 and train.epochs 20: what begins there never does"
    assert not trainer.too_short(load_recipe("aimclr", {"train.epochs": 21}), 21, 10)
    stretched = load_recipe("aimclr", {"train.epochs": 20, "train.min_steps": 1000})
    assert trainer.too_short(stretched, 100, 10) == [mining]
    pretrain(tiny("compact", train__epochs=2), store, tmp_path / "run")
    (warning,) = caplog.messages
    assert warning.startswith("the warm-up takes 1 of 2 steps: lower optim.warmup_epochs or")
    caplog.clear()
    pretrain(tiny("compact"), store, tmp_path / "long")
    assert not caplog.messages
