import pytest
import torch

from skel_data import SynthSettings, synth_store
from skel_recipes import load_recipe, pretrain

TINY = {
    "compact": {
        "encoder.widths": [8, 8],
        "encoder.kernels": [3, 3],
        "encoder.strides": [2, 1],
        "data.pipeline.frames": 16,
        "train.batch_size": 8,
        "train.epochs": 3,
        "train.min_steps": 0,
        "train.checkpoint_every": 1,
        "optim.warmup_epochs": 1,
    },
    "aimclr": {
        "encoder.base_channels": 4,
        "encoder.feature_dim": 16,
        "data.pipeline.frames": 16,
        "method.mining_epoch": 1,
        "train.batch_size": 8,
        "train.epochs": 2,
        "train.precision": "float32",
    },
}
TINY["skeletonclr"] = {key: value for key, value in TINY["aimclr"].items() if key != "method.mining_epoch"}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """The same sums in the same order on every machine, and quicker on tensors this small."""
    torch.set_num_threads(1)


@pytest.fixture
def tiny():
    """A recipe of this name that trains in a second."""

    def load(name, **overrides):
        return load_recipe(
            name, TINY[name] | {key.replace("__", "."): value for key, value in overrides.items()}
        )

    return load


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    settings = SynthSettings(classes=3, subjects=4, views=2, repetitions=2, shortest=12, longest=24)
    return synth_store(tmp_path_factory.mktemp("data") / "tiny.store", settings)


@pytest.fixture(scope="session")
def run(store, tmp_path_factory):
    return pretrain(load_recipe("compact", TINY["compact"]), store, tmp_path_factory.mktemp("runs") / "run")
