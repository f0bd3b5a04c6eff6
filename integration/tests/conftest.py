import pytest
import torch

from skel_data import SynthSettings, synth_store
from skel_recipes import load_recipe, pretrain

SMALL = {"data.pipeline.frames": 16, "train.batch_size": 8, "train.epochs": 2, "train.precision": "float32"}
STGCN = {
    **SMALL,
    "encoder.name": "stgcn",
    "encoder.base_channels": 4,
    "encoder.feature_dim": 16,
    "encoder.dropout": 0.0,
    "optim.warmup_epochs": 4,
    "optim.warmup_steps": 0,
    "train.min_steps": 0,
}
BYOL = {**STGCN, "method.hidden_dim": 16, "method.projection_dim": 8}
SCD = {"encoder.channels": 12, "encoder.hidden_dim": 8, "encoder.heads": 2}
GRU = {**SMALL, "encoder.hidden_dim": 8, "train.min_steps": 0}
TCN = {
    **SMALL,
    "encoder.widths": [8, 8],
    "encoder.kernels": [3, 3],
    "encoder.strides": [2, 1],
    "train.min_steps": 0,
}
MASKED = {
    **SMALL,
    "encoder.feature_dim": 16,
    "encoder.heads": 2,
    "encoder.layers": 2,
    "method.decoder_dim": 8,
    "method.decoder_heads": 2,
    "method.decoder_layers": 1,
    "train.min_steps": 0,
}
TINY = {
    "compact": {
        **TCN,
        "train.epochs": 3,
        "train.checkpoint_every": 1,
        "optim.warmup_epochs": 1,
    },
    "vicreg": {**TCN, "method.projection_dim": 16},
    "nnclr": {**TCN, "method.projection_dim": 12, "method.hidden_dim": 16},
    "skeletonclr": STGCN,
    "crossclr": {**STGCN, "method.cross_epoch": 1},
    "aimclr": {**STGCN, "method.mining_epoch": 1},
    "hiclr": {**STGCN, "method.mining_epoch": 1},
    "skeletonbyol": BYOL,
    "cmal": BYOL,
    "cmcs": {**BYOL, "method.cross_epoch": 1},
    "cmd": {
        **SMALL,
        "encoder.name": "gru",
        "encoder.hidden_dim": 8,
        "method.neighbors": 8,
        "method.queue_size": 16,
        "train.min_steps": 0,
    },
    "pcm3": {**SMALL, "encoder.hidden_dim": 8, "method.decoder_dim": 8, "method.queue_size": 16},
    "isc": {
        **SMALL,
        "encoder.hidden_dim": 8,
        "method.partner_settings.base_channels": 4,
        "method.queue_size": 16,
    },
    "crrl-motion": GRU,
    "crrl": GRU,
    "scdnet": {**SMALL, **SCD},
    "usdrl": {
        **SMALL,
        "encoder.hidden_dim": 8,
        "encoder.heads": 2,
        "encoder.drop_path": 0.0,
        "method.projection_dim": 8,
        "train.min_steps": 0,
    },
    "umurl": {
        **SMALL,
        "encoder.hidden_dim": 8,
        "encoder.heads": 2,
        "method.projection_dim": 8,
        "train.min_steps": 0,
    },
    "slim": {
        **SMALL,
        "encoder.width": 8,
        "encoder.heads": 2,
        "encoder.layers": 1,
        "encoder.class_layers": 1,
        "encoder.tubelet": 5,
        "method.prototypes": 6,
        "method.hidden_dim": 8,
        "method.bottleneck_dim": 8,
        "train.min_steps": 0,
    },
    "pstl": {**STGCN, "method.projection_dim": 16},
    "mamp": MASKED,
    "mae": MASKED,
    "after-amr": MASKED,
    "after-jbf": {**SMALL, "encoder.widths": [4, 8], "encoder.strides": [1, 2], "train.min_steps": 0},
    "cubism": TCN,
}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """The same sums in the same order on every machine, and quicker on tensors this small."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recipes():
    """Names of the recipes that `tiny` knows."""
    return list(TINY)


@pytest.fixture(scope="session")
def tiny():
    """A recipe of this name that trains in a second."""

    def load(name, **overrides):
        return load_recipe(
            name, TINY[name] | {key.replace("__", "."): value for key, value in overrides.items()}
        )

    return load


@pytest.fixture(params=TINY)
def recipe_name(request):
    """The name of each recipe that `tiny` knows."""
    return request.param


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    settings = SynthSettings(classes=3, subjects=4, cameras=2, repetitions=2, shortest=12, longest=24)
    return synth_store(tmp_path_factory.mktemp("data") / "tiny.store", settings)


@pytest.fixture(scope="session")
def run(store, tmp_path_factory):
    return pretrain(load_recipe("compact", TINY["compact"]), store, tmp_path_factory.mktemp("runs") / "run")
