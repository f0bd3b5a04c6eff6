"""Every encoder of the package, small; and SCD-Net's as its paper and program state it."""

import importlib
import json
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from skel_data import get_layout
from skel_encoders import ENCODERS, adjacency
from skel_encoders.registry import BUILT_IN

# A new encoder needs an entry here: arguments that make it small and differ from the defaults.
SMALL = {
    "agcn": {"base_channels": 4, "part_attention": True},
    "ctrgcn": {"base_channels": 4, "part_attention": True},
    "gru": {
        "hidden_dim": 6,
        "layers": 2,
        "direction": "bidirectional",
        "input_norm": False,
        "pooling": "mean",
        "dropout": 0.2,
        "init": "uniform",
        "packed": True,
    },
    "hcn": {"frames": 16, "channels": 4, "hidden_dim": 6, "learned_slopes": True, "dropout": 0.2},
    "dste": {
        "frames": 16,
        "hidden_dim": 12,
        "heads": 2,
        "layers": 1,
        "convolution": 0.4,
        "gap": 3,
        "drop_path": 0.2,
    },
    "umurl": {"frames": 16, "modalities": ("joint", "bone"), "hidden_dim": 12, "heads": 2, "layers": 2},
    "scd": {"frames": 16, "channels": 8, "hidden_dim": 12, "heads": 2, "layers": 2, "dropout": 0.2},
    "stgcn": {
        "base_channels": 4,
        "feature_dim": 16,
        "dropout": 0.2,
        "edge_weights": False,
        "strategy": "uniform",
        "init_std": None,
        "skip_absent": False,
        "part_attention": True,
    },
    "transformer": {
        "frames": 17,
        "tubelet": 3,
        "feature_dim": 12,
        "heads": 2,
        "layers": 3,
        "mlp_ratio": 2.0,
        "drop_path": 0.1,
        "skip_absent": False,
    },
    "slim": {
        "tubelet": 3,
        "width": 12,
        "heads": 2,
        "layers": 3,
        "registers": 2,
        "class_layers": 2,
        "rope_base": 100.0,
    },
    "jbf": {"widths": (6, 8, 8), "strides": (1, 2, 1), "fusion": "concatenation", "dropout": 0.2},
    "tcn": {"widths": (8, 12, 8), "kernels": (3, 5, 3), "strides": (1, 2, 1)},
}
OWN = """
from __future__ import annotations
from torch import nn

class Mean(nn.Module):
    def __init__(self, layout, *, bodies: int = 2, width: int = 4, scales: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        self.layout, self.bodies, self.width, self.scales = layout, bodies, width, scales
        self.feature_dim = width
        self.blocks = nn.ModuleList([nn.Linear(layout.channels, width)])

    def forward(self, clips):
        return self.blocks[0](clips.mean((2, 3, 4)))
"""


@pytest.fixture(params=BUILT_IN)
def encoder_kind(request):
    """The class of each encoder, and arguments that make it small."""
    return ENCODERS[request.param], SMALL[request.param]


@pytest.fixture(params=BUILT_IN)
def encoder(request):
    """Each encoder, for the layout utd-20, with no parameter or statistic where training starts."""
    torch.manual_seed(0)
    encoder = ENCODERS[request.param](get_layout("utd-20"), **SMALL[request.param])
    with torch.no_grad():
        for name, value in encoder.state_dict().items():
            if value.is_floating_point():
                value += 0.1 * torch.rand_like(value) if "var" in name else 0.1 * torch.randn_like(value)
    return encoder


@pytest.fixture
def clips():
    """Four clips that fit each of them, one with an absent body."""
    clips = torch.randn(4, 3, 16, 20, 2, generator=torch.Generator().manual_seed(0))
    clips[1, ..., 1] = 0
    return clips


@pytest.fixture
def own(monkeypatch, tmp_path_factory):
    """A module `own_encoders` of somebody else's that has been imported, with an encoder `Mean`."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_encoders.py").write_text(OWN)
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module("own_encoders")
    sys.modules.pop("own_encoders", None)


@pytest.fixture
def published_case():
    """A class: a published case by its file and the class of the encoder."""
    return Case


class Case:
    """Settings and arrays of a published case; its weights and gradients go by our names."""

    def __init__(self, path, kind):
        with np.load(path, allow_pickle=False) as file:
            self.config = json.loads(str(file["config"]))
            self.arrays = {key: torch.from_numpy(file[key]) for key in file.files if key != "config"}
        self.kind = kind

    def renamed(self, group, prefix=""):
        found = {
            prefix + key.removeprefix(group): x for key, x in self.arrays.items() if key.startswith(group)
        }
        return self.kind.rename_published(found)

    def check_gradients(self, encoder):
        gradients = self.renamed("grad.")
        assert gradients.keys() == dict(encoder.named_parameters()).keys()
        for name, parameter in encoder.named_parameters():
            torch.testing.assert_close(
                parameter.grad,
                gradients[name],
                rtol=1e-7,
                atol=1e-10,
                msg=lambda m, name=name: f"{name}: {m}",
            )


@pytest.fixture
def published_scd():
    """A class: random weights under the published names in ``state``; a call computes the feature."""
    return Published


def random(*shape):
    return (0.3 * torch.randn(*shape, dtype=torch.float64)).requires_grad_()


class Published:
    """The published formulae, one by one: each subset, branch and head on its own, x as (N, C, T, V)."""

    def __init__(self, layout, *, frames, channels, hidden_dim, heads):
        self.heads = heads
        self.state = {}
        bodies = 2
        graph = torch.from_numpy(adjacency(layout, "directed")).double().transpose(1, 2)
        for path, size in (("t", bodies * layout.num_joints * channels), ("s", frames * channels)):
            self.norm(f"gcn_{path}.data_bn", bodies * layout.num_joints * layout.channels)
            widths = (layout.channels, channels, 4 * channels, channels)
            for block in range(3):
                self.block(f"gcn_{path}.l{block + 1}", widths[block], widths[block + 1], graph, block > 0)
            self.affine(f"channel_{path}.0", hidden_dim, size)
            self.norm(f"channel_{path}.1", hidden_dim)
            self.affine(f"channel_{path}.3", hidden_dim, hidden_dim)
            layer = f"{path}_encoder.layers.0"
            for name in ("self_attn.out_proj", "linear1", "linear2"):
                self.affine(f"{layer}.{name}", hidden_dim, hidden_dim)
            self.state[f"{layer}.self_attn.in_proj_weight"] = random(3 * hidden_dim, hidden_dim)
            self.state[f"{layer}.self_attn.in_proj_bias"] = random(3 * hidden_dim)
            self.norm(f"{layer}.norm1", hidden_dim)
            self.norm(f"{layer}.norm2", hidden_dim)

    def affine(self, name, *shape):
        self.state[f"{name}.weight"], self.state[f"{name}.bias"] = random(*shape), random(shape[0])

    def norm(self, name, width):
        self.state[f"{name}.weight"] = (1 + 0.1 * random(width).detach()).requires_grad_()
        self.state[f"{name}.bias"] = random(width)

    def block(self, name, inputs, outputs, graph, residual):
        self.state[f"{name}.gcn1.PA"] = (graph + 0.1 * torch.randn_like(graph)).requires_grad_()
        self.state[f"{name}.gcn1.alpha"] = random(1)
        relations = max(8, inputs // 8)
        for k in range(3):
            for conv, shape in (
                ("conv1", (relations, inputs)),
                ("conv2", (relations, inputs)),
                ("conv3", (outputs, inputs)),
                ("conv4", (outputs, relations)),
            ):
                self.affine(f"{name}.gcn1.convs.{k}.{conv}", *shape, 1, 1)
        self.norm(f"{name}.gcn1.bn", outputs)
        for conv, norm in [("gcn1.down.0", "gcn1.down.1")] + [("residual.conv", "residual.bn")] * residual:
            if inputs != outputs:
                self.affine(f"{name}.{conv}", outputs, inputs, 1, 1)
                self.norm(f"{name}.{norm}", outputs)
        for branch in range(4):
            self.affine(f"{name}.tcn1.branches.{branch}.0", outputs // 4, outputs, 1, 1)
            self.norm(f"{name}.tcn1.branches.{branch}.1", outputs // 4)
        for branch in range(2):
            self.affine(f"{name}.tcn1.branches.{branch}.3.conv", outputs // 4, outputs // 4, 5, 1)
            self.norm(f"{name}.tcn1.branches.{branch}.3.bn", outputs // 4)
        self.norm(f"{name}.tcn1.branches.2.4", outputs // 4)

    def get(self, name):
        return self.state[f"{name}.weight"], self.state[f"{name}.bias"]

    def conv(self, name, x, **settings):
        return functional.conv2d(x, *self.get(name), **settings)

    def batch_norm(self, name, x):
        return functional.batch_norm(x, None, None, *self.get(name), training=True)

    def graph_conv(self, name, x):
        y = 0
        for k in range(3):
            conv = f"{name}.convs.{k}.conv"
            to, of = self.conv(f"{conv}1", x).mean(2), self.conv(f"{conv}2", x).mean(2)
            pairs = torch.tanh(to[:, :, :, None] - of[:, :, None, :])
            topology = (
                self.conv(f"{conv}4", pairs) * self.state[f"{name}.alpha"] + self.state[f"{name}.PA"][k]
            )
            y = y + torch.einsum("ncuv,nctv->nctu", topology, self.conv(f"{conv}3", x))
        down = self.batch_norm(f"{name}.down.1", self.conv(f"{name}.down.0", x))
        return torch.relu(self.batch_norm(f"{name}.bn", y) + down)

    def temporal_conv(self, name, x):
        outputs = []
        for branch in range(4):
            y = self.batch_norm(f"{name}.branches.{branch}.1", self.conv(f"{name}.branches.{branch}.0", x))
            if branch < 2:
                settings = {"padding": (2 * branch + 2, 0), "dilation": (branch + 1, 1)}
                y = self.conv(f"{name}.branches.{branch}.3.conv", torch.relu(y), **settings)
                y = self.batch_norm(f"{name}.branches.{branch}.3.bn", y)
            elif branch == 2:
                y = functional.max_pool2d(torch.relu(y), (3, 1), stride=1, padding=(1, 0))
                y = self.batch_norm(f"{name}.branches.2.4", y)
            outputs.append(y)
        return torch.cat(outputs, dim=1)

    def graph_network(self, name, clips):
        n, c, t, v, m = clips.shape
        x = self.batch_norm(f"{name}.data_bn", clips.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
        x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(n * m, c, t, v)
        for block in ("l1", "l2", "l3"):
            y = self.temporal_conv(f"{name}.{block}.tcn1", self.graph_conv(f"{name}.{block}.gcn1", x))
            if block != "l1":
                y = y + self.batch_norm(
                    f"{name}.{block}.residual.bn", self.conv(f"{name}.{block}.residual.conv", x)
                )
            x = torch.relu(y)
        return x.view(n, m, *x.shape[1:])  # (N, M, C, T, V)

    def half(self, path, x):
        def linear(name, x):
            return functional.linear(x, *self.get(name))

        def layer_norm(name, x):
            return functional.layer_norm(x, x.shape[-1:], *self.get(name))

        x = torch.relu(layer_norm(f"channel_{path}.1", linear(f"channel_{path}.0", x)))
        x = linear(f"channel_{path}.3", x)
        layer = f"{path}_encoder.layers.0"
        weights = self.state[f"{layer}.self_attn.in_proj_weight"]
        qkv = functional.linear(x, weights, self.state[f"{layer}.self_attn.in_proj_bias"]).chunk(3, -1)
        heads = []
        for q, k, v in zip(*(part.chunk(self.heads, -1) for part in qkv), strict=True):
            heads.append(torch.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, dim=-1) @ v)
        attended = linear(f"{layer}.self_attn.out_proj", torch.cat(heads, dim=-1))
        x = layer_norm(f"{layer}.norm1", x + attended)
        forward = linear(f"{layer}.linear2", torch.relu(linear(f"{layer}.linear1", x)))
        return layer_norm(f"{layer}.norm2", x + forward).amax(1)

    def __call__(self, clips):
        t, s = self.graph_network("gcn_t", clips), self.graph_network("gcn_s", clips)
        frames = t.permute(0, 3, 1, 4, 2).flatten(2)
        joints = s.permute(0, 1, 4, 3, 2).flatten(3).flatten(1, 2)
        return torch.cat([self.half("t", frames), self.half("s", joints)], dim=1)
