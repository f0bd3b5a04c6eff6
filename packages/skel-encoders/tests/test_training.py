import copy

import pytest
import torch
from torch import nn

from skel_data import get_layout
from skel_encoders import HCN, STGCN, TCN, SCDEncoder, checkpoint_blocks, freeze_layers, layer_groups


class Transformer(nn.Module):
    """Named as MAMP's."""

    def __init__(self, blocks):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 1, 4))
        self.joints_embed = nn.Linear(3, 4)
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(blocks))
        self.norm = nn.LayerNorm(4)


def rates(encoder, groups):
    """Learning rate of each parameter by name."""
    names = {parameter: name for name, parameter in encoder.named_parameters()}
    return {names[parameter]: group["lr"] for group in groups for parameter in group["params"]}


@pytest.mark.parametrize("weight_decay", [None, 0.05])
def test_every_parameter_is_in_one_group(encoder, weight_decay):
    groups = layer_groups(encoder, 0.1, 0.5, weight_decay=weight_decay)
    members = [parameter for group in groups for parameter in group["params"]]
    assert len(members) == len(set(members))
    assert set(members) == set(encoder.parameters())
    rates = [group["lr"] for group in groups]
    assert rates == sorted(rates)
    assert rates[-1] == 0.1
    assert len(set(rates)) > 1
    torch.optim.AdamW(groups).step()


def test_errors():
    encoder = TCN(get_layout("utd-20"))
    for decay in (0.0, 1.1):
        with pytest.raises(ValueError, match=rf"decay must lie in \(0, 1\], got {decay}"):
            layer_groups(encoder, 0.1, decay)
    with pytest.raises(ValueError, match="order of layers of Linear is not known"):
        layer_groups(nn.Linear(2, 2), 0.1, 0.5)
    with pytest.raises(ValueError, match="Linear has no blocks"):
        checkpoint_blocks(nn.Linear(2, 2))


def test_rates_of_each_layer():
    layout = get_layout("utd-20")
    encoder = STGCN(layout)
    for name, lr in rates(encoder, layer_groups(encoder, 1.0, 0.5)).items():
        part, index = name.split(".")[:2]
        assert lr == (0.5**10 if part == "input_norm" else 0.5 ** (9 - int(index)))
    encoder = TCN(layout)
    for name, lr in rates(encoder, layer_groups(encoder, 1.0, 0.5)).items():
        assert lr == 0.5 ** (5 - int(name.split(".")[1]) // 3)
    encoder = HCN(layout, frames=16, channels=4)  # nothing with weights behind the blocks
    assert {group["lr"] for group in layer_groups(encoder, 1.0, 0.5)} == {0.25, 0.5, 1.0}
    encoder = SCDEncoder(layout, frames=4, channels=4, hidden_dim=8)
    depth = {"input_norm": 0, "blocks.0": 1, "blocks.2": 3, "tokens.0": 4, "tokens.3": 4, "tokens.4": 5}
    found = rates(encoder, layer_groups(encoder, 1.0, 0.5))
    for part, place in depth.items():
        assert {lr for name, lr in found.items() if part in name} == {0.5 ** (5 - place)}


def test_frozen_layers_take_no_gradient():
    encoder = TCN(get_layout("utd-20"))
    freeze_layers(encoder, 0)
    assert all(p.requires_grad for p in encoder.parameters())
    freeze_layers(encoder, 2)
    depths = {name: int(name.split(".")[1]) // 3 for name, _ in encoder.named_parameters()}
    assert {n for n, p in encoder.named_parameters() if not p.requires_grad} == {
        name for name, depth in depths.items() if depth < 2
    }
    layers = max(depths.values()) + 1
    assert set(rates(encoder, layer_groups(encoder, 1.0, 0.5)).values()) == {
        0.5**depth for depth in range(layers - 2)
    }
    with pytest.raises(ValueError, match=f"TCN has {layers} layers: at most {layers - 1} can be frozen"):
        freeze_layers(encoder, layers)
    for encoder, layers in ((STGCN("utd-20"), 11), (HCN("utd-20", frames=16), 3)):  # an input norm, and none
        freeze_layers(encoder, 1)
        assert not all(p.requires_grad for p in encoder.parameters())
        freeze_layers(encoder, layers - 1)
        assert any(p.requires_grad for p in encoder.parameters())
        with pytest.raises(ValueError, match=f"has {layers} layers: at most {layers - 1} can be frozen"):
            freeze_layers(encoder, layers)
    encoder = Transformer(3)
    freeze_layers(encoder, 2)
    frozen = {name for name, p in encoder.named_parameters() if not p.requires_grad}
    assert frozen == {
        name for name, _ in encoder.named_parameters() if "embed" in name or name.startswith("blocks.0.")
    }


def test_scales_of_mamp():
    encoder = Transformer(3)
    groups = layer_groups(encoder, 1.0, 0.8, weight_decay=0.05)
    for name, lr in rates(encoder, groups).items():
        layer = 0 if "embed" in name else int(name.split(".")[1]) + 1 if "blocks" in name else 4
        assert lr == pytest.approx(0.8 ** (4 - layer))
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.0 if parameter.ndim == 1 else 0.05)


def test_frozen_parameters_are_left_out():
    encoder = Transformer(1)
    encoder.joints_embed.requires_grad_(False)
    groups = layer_groups(encoder, 1.0, 0.5)
    assert len(rates(encoder, groups)) == len(list(encoder.parameters())) - 2


def train(encoder, clips):
    """Output, gradients and buffers of one step."""
    torch.manual_seed(1)
    features = encoder.train()(clips)
    features.square().sum().backward()
    draw = torch.rand(1)
    return features, draw, [p.grad for p in encoder.parameters()], list(encoder.buffers())


def has_blocks(encoder):
    return any(name.rpartition(".")[2] == "blocks" for name, _ in encoder.named_modules())


def test_checkpointed_blocks_change_nothing(encoder, clips):
    if not has_blocks(encoder):
        pytest.skip("no blocks")
    again = copy.deepcopy(encoder)
    checkpoint_blocks(again)
    assert list(again.state_dict()) == list(encoder.state_dict())
    ours, theirs = train(again, clips), train(encoder, clips)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    torch.testing.assert_close(again.eval()(clips), encoder.eval()(clips), rtol=0, atol=0)


def test_checkpointed_blocks_keep_less(encoder, clips):
    if not has_blocks(encoder):
        pytest.skip("no blocks")

    def kept():
        sizes = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: sizes.__setitem__(t.untyped_storage().data_ptr(), t.untyped_storage().nbytes()) or t,
            lambda t: t,
        ):
            output = encoder(clips)
        weights = {p.untyped_storage().data_ptr() for p in encoder.parameters()}
        del output
        return sum(size for place, size in sizes.items() if place not in weights)

    whole = kept()
    checkpoint_blocks(encoder)
    assert kept() < 0.7 * whole


def test_checkpointed_blocks_compile():
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.Sequential(
                *(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)) for _ in range(2))
            )

        def forward(self, x):
            return self.blocks(x).tanh()

    torch.manual_seed(0)
    encoder = Small()
    again = copy.deepcopy(encoder)
    checkpoint_blocks(again)
    clips = torch.randn(4, 3)
    ours = train(torch.compile(again, fullgraph=True, backend="aot_eager"), clips)
    torch.testing.assert_close(ours, train(encoder, clips))


def test_a_copy_computes_its_own_blocks_again(clips):
    encoder = STGCN(get_layout("utd-20"), base_channels=4, feature_dim=8)
    checkpoint_blocks(encoder)
    checkpoint_blocks(encoder)  # once more is no more
    teacher = copy.deepcopy(encoder)
    teacher(clips).sum().backward()
    assert all(p.grad is not None for p in teacher.parameters())
    assert all(p.grad is None for p in encoder.parameters())
