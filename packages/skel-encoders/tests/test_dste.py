from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skel_data import SkeletonLayout, get_layout
from skel_encoders import DSTE

HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle", "ring"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"], ["ring", "wrist"]],
    }
)
SMALL = {"frames": 6, "hidden_dim": 12, "heads": 2}
PUBLISHED = Path(__file__).parent / "vectors" / "encoder.dste.npz"


def small(layout=HAND, **changes):
    torch.manual_seed(0)
    return DSTE(layout, **SMALL | changes)


def test_default_size():
    with torch.device("meta"):
        encoder = DSTE(get_layout("ntu-25"))
    assert encoder.feature_dim == 2048
    assert round(sum(p.numel() for p in encoder.parameters()) / 1e6, 1) == 57.1  # as the program has


@pytest.mark.parametrize("layout", [get_layout("ntu-25"), get_layout("jhmdb-15"), HAND])
@pytest.mark.parametrize(("frames", "bodies", "layers"), [(6, 1, 1), (5, 3, 2)])
def test_shapes(layout, frames, bodies, layers):
    encoder = small(layout, frames=frames, bodies=bodies, layers=layers)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    assert encoder.forward_features(clips).shape == (3, 1, frames + bodies * layout.num_joints, 1, 12)
    assert encoder(clips).shape == (3, encoder.feature_dim) == (3, 24)


def test_errors():
    for changes, message in (
        ({"hidden_dim": 9, "heads": 3}, "hidden_dim must be even and a multiple of heads, got 9 and 3"),
        ({"heads": 5}, "got 12 and 5 heads"),
        ({"gap": 0}, "gap must be at least 1"),
        ({"convolution": 1.1}, r"convolution must lie in \[0, 1\]"),
        ({"drop_path": 1.0}, r"drop_path must lie in \[0, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            small(**changes)
    with pytest.raises(ValueError, match=r"expected clips \(N, 3, 6, 5, 2\)"):
        small()(torch.zeros(2, 3, 7, 5, 2))
    for name in ("backbone.t_tr2.CA.attn.in_proj_weight", "backbone.what", "t_tr.CA.wt1.weight"):
        with pytest.raises(ValueError, match=f"'{name}' is not a weight of USDRL"):
            DSTE.rename_published({name: torch.zeros(1)})


@pytest.mark.parametrize(("heads", "training"), [(2, True), (1, True), (1, False)])
def test_attention_is_that_of_pytorch(heads, training):
    """With one head the weights are multiplied first in training."""
    layer = small(heads=heads).double().train(training).temporal_layers[0]
    nn.init.normal_(layer.attention.in_proj_bias)
    nn.init.normal_(layer.attention.out_proj.bias)
    x = torch.randn(1, 4, 6, 12, dtype=torch.float64, requires_grad=True)
    ours, theirs = layer._attend(x)[0], layer.attention(x[0], x[0], x[0], need_weights=False)[0]
    torch.testing.assert_close(ours, theirs)
    inputs = (x, *layer.attention.parameters())
    for gradient, expected in zip(
        *(torch.autograd.grad(y.square().sum(), inputs) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(gradient, expected, atol=1e-10, rtol=1e-7)


def test_each_branch_is_dropped_with_its_bias():
    """The last weight of both branches is taken once, of their mean; a branch that is dropped counts as 0."""
    layer = small(drop_path=0.5, convolution=0.0).temporal_layers[0]
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    nn.init.ones_(layer.shifted_mlp[0].bias)
    nn.init.ones_(layer.shifted_mlp[2].weight)
    nn.init.constant_(layer.shifted_mlp[2].bias, 3.0)
    whole = layer.shifted_mlp(torch.zeros(12))[0]
    assert whole > 3
    kept = layer(torch.zeros(64, 6, 12)) / whole
    torch.testing.assert_close(kept, kept[:, :1, :1].round().expand_as(kept))
    assert kept.round().unique().tolist() == [0, 1, 2]  # none, one, both; each twice as strong


def test_published_numbers(published_case):
    """Tokens, feature and gradients as the published program computes them, with its weights."""
    case = published_case(PUBLISHED, DSTE)
    config, arrays = case.config, case.arrays
    clips = arrays["in.x"]
    chosen = {key: config[key] for key in ("hidden_dim", "heads", "layers", "convolution", "gap")}
    encoder = DSTE(HAND, frames=clips.shape[2], **chosen).double().eval()
    encoder.load_state_dict(case.renamed("state.", "backbone."))
    features = encoder.forward_features(clips)[:, 0, :, 0]
    expected = torch.cat([arrays["out.frames"], arrays["out.joints"]], dim=1)
    torch.testing.assert_close(features, expected, rtol=1e-9, atol=1e-10)
    feature = encoder(clips)
    torch.testing.assert_close(feature, arrays["out.feature"], rtol=1e-9, atol=1e-10)
    feature.square().mean().backward()
    case.check_gradients(encoder)


@settings(max_examples=20)
@given(st.permutations(range(4)), st.integers(0, 20))
def test_clips_do_not_see_each_other(order, seed):
    encoder = small().eval()
    clips = torch.randn(4, 3, 6, 5, 2, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(encoder(clips[list(order)]), encoder(clips)[list(order)])


def test_halves_see_frames_and_joints():
    encoder = small().eval()
    torch.manual_seed(0)
    clips = torch.randn(2, 3, 6, 5, 2)
    before, after = (encoder(x).chunk(2, 1) for x in (clips, clips + (torch.arange(5) == 2)[:, None]))
    assert all(not torch.allclose(a, b) for a, b in zip(before, after, strict=True))


def test_paths_are_dropped_in_training_only():
    encoder = small(drop_path=0.5)
    clips = torch.randn(8, 3, 6, 5, 2)
    assert not torch.equal(encoder(clips), encoder(clips))
    assert torch.equal(encoder.eval()(clips), encoder(clips))
