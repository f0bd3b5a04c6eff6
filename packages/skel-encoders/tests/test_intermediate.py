import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skel_data import get_layout
from skel_encoders import STGCN, TCN, IntermediateFeatures

LAYOUT = get_layout("utd-20")


def depth(encoder):
    return min(len(encoder.get_submodule(path)) // size for path, size in stacks(encoder).items())


def stacks(encoder):
    return getattr(encoder, "stacks", {"blocks": 1})


def frames_before_pooling(encoder, clips):
    return min(encoder.forward_features(clips).shape[2], getattr(encoder, "frames", 16))


def test_every_encoder(encoder, clips):
    encoder.eval()
    layers, bins = depth(encoder), min(2, frames_before_pooling(encoder, clips))
    model = IntermediateFeatures(encoder, layers=layers, bins=bins)
    features = model(clips)
    assert features.shape == (4, model.feature_dim)
    assert (model.feature_dim > encoder.feature_dim) == (layers * bins > 1)
    torch.testing.assert_close(features[:, : encoder.feature_dim], encoder(clips))


def test_statistics_stay_and_weights_are_shared():
    encoder = TCN(LAYOUT, widths=(8, 8), kernels=(3, 3), strides=(2, 1))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    model = IntermediateFeatures(encoder, layers=2, bins=2)
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert set(model.parameters()) == set(encoder.parameters())


class Plain(nn.Module):
    """Somebody's own, without blocks."""

    feature_dim = 3

    def __init__(self, layout):
        super().__init__()
        self.layout = layout

    def forward_features(self, clips):
        return clips.permute(0, 4, 2, 3, 1)

    def pool(self, features):
        return features.mean((1, 2, 3))


@pytest.mark.parametrize(
    ("encoder", "arguments", "message"),
    [
        (TCN(LAYOUT), {"layers": 0}, "layers must be at least 1, got 0"),
        (TCN(LAYOUT), {"bins": 0}, "bins must be at least 1, got 0"),
        (TCN(LAYOUT), {"layers": 7}, "TCN has 6 layers to read out, got layers = 7"),
        (Plain(LAYOUT), {"layers": 2}, "Plain has no blocks and no stacks: only its last layer"),
        (nn.Linear(2, 2), {}, "need an encoder with layout, which Linear lacks"),
    ],
)
def test_errors(encoder, arguments, message):
    with pytest.raises(ValueError, match=message):
        IntermediateFeatures(encoder, **arguments)


def test_clips_too_short_for_the_bins():
    model = IntermediateFeatures(TCN(LAYOUT).eval(), bins=3)
    with pytest.raises(ValueError, match="TCN has 2 frames before pooling, too few for 3 bins"):
        model(torch.randn(2, 3, 8, 20, 1))


def test_bins_are_means_over_frames_joints_and_present_bodies():
    """Of an encoder of which the features before pooling are the clips."""
    clips = torch.randn(4, 3, 7, 20, 2)
    clips[1, ..., 1] = 0
    clips[2] = 0
    features = IntermediateFeatures(Plain(LAYOUT), bins=2)(clips)
    assert torch.equal(features[:, :3], clips.mean((2, 3, 4)))
    for place, part in enumerate((clips[:, :, :4], clips[:, :, 4:])):
        expected = part.mean((2, 3)).mean(2)
        expected[1] = part[1, ..., 0].mean((1, 2))
        torch.testing.assert_close(features[:, 3 + 3 * place :][:, :3], expected)


def test_earlier_layers_are_what_the_blocks_give():
    encoder = STGCN(LAYOUT, base_channels=4, feature_dim=16, skip_absent=False).eval()
    seen = []
    for block in encoder.blocks[-3:-1]:
        block.register_forward_hook(lambda _, __, output: seen.append(output))
    clips = torch.randn(2, 3, 16, 20, 1)
    encoder(clips)
    expected = torch.cat([output.mean((1, 2)) for output in reversed(seen)], dim=1)
    seen.clear()
    found = IntermediateFeatures(encoder, layers=3)(clips)
    torch.testing.assert_close(found[:, encoder.feature_dim :], expected)


@given(layers=st.integers(1, 6), bins=st.integers(1, 4))
@settings(max_examples=10)
def test_fewer_layers_are_the_first_columns(layers, bins):
    encoder = TCN(LAYOUT, widths=(4,) * 6).eval()
    clips = torch.randn(2, 3, 16, 20, 2)
    whole, fewer = (IntermediateFeatures(encoder, layers=n, bins=bins) for n in (6, layers))
    assert torch.equal(whole(clips)[:, : fewer.feature_dim], fewer(clips))


def test_gradients_reach_all_layers():
    encoder = TCN(LAYOUT, widths=(4, 4), kernels=(3, 3), strides=(2, 1))
    IntermediateFeatures(encoder, layers=2, bins=2)(torch.randn(4, 3, 16, 20, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_export_is_the_same():
    encoder = TCN(LAYOUT, widths=(4, 4), kernels=(3, 3), strides=(2, 1)).eval()
    model = IntermediateFeatures(encoder, layers=2, bins=2).eval()
    clips = torch.randn(3, 3, 16, 20, 2)
    program = torch.export.export(model, (clips,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    again = torch.randn(5, 3, 16, 20, 2)
    torch.testing.assert_close(program.module()(again), model(again))
