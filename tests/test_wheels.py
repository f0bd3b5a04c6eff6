"""Smoke test of installed packages: data files, metadata, the command."""

import subprocess
import sysconfig
from importlib.metadata import requires, version
from importlib.resources import files
from pathlib import Path

import pytest
import torch

import skel_augment
import skel_data
import skel_encoders
import skel_eval
import skel_recipes
import skel_ssl_objectives

PACKAGES = (skel_data, skel_augment, skel_encoders, skel_ssl_objectives, skel_eval, skel_recipes)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_typed_and_versioned(package):
    assert (files(package) / "py.typed").is_file()
    distribution = package.__name__.replace("_", "-")
    assert package.__version__ == version(distribution)
    assert requires(distribution)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_there(package):
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_package_data():
    assert skel_data.get_layout("ntu-25").num_joints == 25
    assert skel_augment.preset("aimclr.extreme").steps
    assert {"compact", "paper/aimclr-ntu60-xsub-joint"} <= set(skel_recipes.recipe_names())


@pytest.mark.slow
def test_line(tmp_path):
    settings = skel_data.SynthSettings(classes=2, subjects=4, repetitions=1)
    store = skel_data.synth_store(tmp_path / "s.store", settings)
    torch.set_num_threads(1)
    run = skel_recipes.pretrain(
        skel_recipes.load_recipe("compact", {"train.epochs": 1, "train.min_steps": 0}),
        store,
        tmp_path / "run",
    )
    result = skel_recipes.evaluate(run, store, "knn")
    assert skel_recipes.report(run, store, result).stat().st_size > 10_000


def test_command():
    command = Path(sysconfig.get_path("scripts")) / "skel"
    result = subprocess.run([command, "recipe"], capture_output=True, text=True, check=True)
    assert "compact" in result.stdout
