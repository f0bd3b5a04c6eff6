"""One process and two with the same global batch: the same losses, gradients, queues and teachers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from skel_recipes import dump_recipe, load_recipe, recipe_names

NAMES = [name for name in recipe_names() if "/" not in name and name != "compact-2s"]
NO_TEACHER = (
    "compact",
    "vicreg",
    "nnclr",
    "pstl",
    "usdrl",
    "umurl",
    "mamp",
    "mae",
    "after-amr",
    "crrl",
    "after-jbf",
    "cubism",
)
EXACT = {
    "train__precision": "float64",
    "train__epochs": 2,
    "train__min_steps": 0,
    "train__batch_size": 6,  # two steps an epoch of the 12 training clips
    "train__checkpoint_every": 1,
    "optim__optimizer": "sgd",  # whose momentum in the checkpoint is a sum of gradients
    "optim__lr": 0.05,
    "optim__warmup_epochs": 0,
}
# SCD-Net begins with graph convolutions that weigh a millionth, and its masks leave exact zeros beside
# them: there rounding decides on which side of a ReLU's kink a value lies, in one process as in two.
NO_TIES = {"method__view": [{"name": "shear"}, {"name": "gaussian_noise", "std": 0.05}]}
ALONE = {"method__distillation": 0.0, "method__decoder_dropout": 0.0}
"""CRRL without a run to begin with."""


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory, tiny):
    """Folders of runs of every method, of one process and of two."""
    folder = tmp_path_factory.mktemp("world")
    recipes = []
    for name in NAMES:
        drops = "dropout" in tiny(name).encoder.settings
        dropout = {"encoder__dropout": 0.0} if drops else {}
        own = {"scdnet": NO_TIES, "crrl": ALONE}.get(name, {})
        recipe = tiny(name, **EXACT, **dropout, **own)
        recipes.append(folder / f"{name}.toml")
        recipes[-1].write_text(dump_recipe(recipe))
    other = {"data__positives": "performance", "data__split": "xsub"}
    recipes.append(folder / "partners.toml")
    recipes[-1].write_text(dump_recipe(tiny("vicreg", **EXACT, **other)))
    script = Path(__file__).with_name("train_by_recipes.py")
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    for out, launcher in ((folder / "one", [sys.executable]), (folder / "two", torchrun)):
        command = [*launcher, str(script), str(store.path), str(out), *map(str, recipes)]
        result = subprocess.run(command, env=env, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-3000:]
    return folder


def checkpoint(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)


def test_all_are_compared(recipes):
    assert set(NAMES) == set(recipes)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "partners"])
def test_losses_agree(trained, name):
    one, two = (
        [json.loads(line) for line in (trained / number / name / "metrics.jsonl").read_text().splitlines()]
        for number in ("one", "two")
    )
    assert len(one) == len(two) == 2
    for ours, theirs in zip(one, two, strict=True):
        assert ours.keys() == theirs.keys()
        for key in ours.keys() - {"seconds", "clips_per_second"}:
            assert ours[key] == pytest.approx(theirs[key], rel=1e-7, abs=1e-9), key


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_weights_queues_and_teachers_agree(trained, name):
    one, two = (checkpoint(trained / number / name)["method"] for number in ("one", "two"))
    assert one.keys() == two.keys()
    if name not in NO_TEACHER:
        assert any("teacher" in key for key in one)
    for key in one:
        torch.testing.assert_close(
            one[key], two[key], rtol=1e-8, atol=1e-10, msg=lambda m, key=key: f"{key}: {m}"
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree(trained, name):
    one, two = (checkpoint(trained / number / name)["optimizer"]["state"] for number in ("one", "two"))
    assert one.keys() == two.keys()
    assert one
    for key in one:
        torch.testing.assert_close(
            one[key]["momentum_buffer"], two[key]["momentum_buffer"], rtol=1e-7, atol=1e-9
        )


@pytest.mark.slow
def test_command_under_torchrun(store, tmp_path, tiny):
    """As a user types it; an error is raised in all processes instead of leaving some waiting."""
    (tmp_path / "tiny.toml").write_text(dump_recipe(tiny("aimclr")))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m"]
    command += ["skel_recipes", "pretrain", str(tmp_path / "tiny.toml"), str(store.path)]
    command += ["--out", str(tmp_path / "run")]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=env, check=True, capture_output=True)
    assert (tmp_path / "run" / "encoder.safetensors").exists()
    again = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert again.returncode != 0
    assert "exists already" in again.stderr


def test_batch_must_be_enough_for_all():
    train = load_recipe("compact", {"train.batch_size": 7}).train
    assert train.batches(20, 2) == (6, 3)
    with pytest.raises(ValueError, match="4 processes need batches of 8 clips or more"):
        train.batches(20, 4)
