import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import SkeletonLayout, get_layout
from skel_encoders import HCN

GOLDEN = Path(__file__).with_name("golden")
HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"]],
    }
)
LAYOUTS = [*map(get_layout, ("ntu-25", "kinect-20", "coco-17", "hdm05-31")), HAND]
CUBISM = {"hidden_dim": 512, "learned_slopes": True}


def small(layout=HAND, **settings):
    torch.manual_seed(0)
    return HCN(layout, **{"frames": 16, "channels": 4} | settings)


def test_default_size():
    with torch.device("meta"):
        encoder = HCN(get_layout("ntu-25"))
        cubism = HCN(get_layout("ntu-25"), **CUBISM)
    # Parameters of ISC's program without its classifier of 60.
    assert sum(p.numel() for p in encoder.parameters()) == 765_244 - 60 * 4097
    assert (encoder.feature_dim, cubism.feature_dim) == (4096, 512)
    assert not encoder.takes_joint_subsets


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize(("frames", "bodies", "left"), [(16, 1, 1), (35, 2, 2), (50, 3, 3)])
def test_shapes(layout, frames, bodies, left):
    encoder = small(layout, frames=frames)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    assert encoder.forward_features(clips).shape == (3, bodies, left, left, 16)
    assert encoder(clips).shape == (3, encoder.feature_dim) == (3, 16 * left**2)
    assert small(layout, frames=frames, hidden_dim=10)(clips).shape == (3, 10)


@pytest.mark.parametrize("shape", [(2, 2, 16, 4, 2), (2, 3, 17, 4, 2), (2, 3, 16, 5, 2), (2, 3)])
def test_clips_that_do_not_fit(shape):
    with pytest.raises(
        ValueError, match=r"expected clips \(N, 3, 16, 4, M\) for layout 'custom', got"
    ) as error:
        small()(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_errors():
    with pytest.raises(ValueError, match="there must be 16 or more, got 15"):
        small(frames=15)
    with pytest.raises(ValueError, match="channels must be even, got 5"):
        small(channels=5)
    for name in ("conv7.weight", "conv1.what", "head.weight"):
        with pytest.raises(ValueError, match=f"'module.{name}' is not a weight of a published HCN"):
            HCN.rename_published({f"module.{name}": torch.zeros(1)}, prefix="module.")
    with pytest.raises(ValueError, match="prefix 'encoder_q.'"):
        HCN.rename_published({"conv2.weight": torch.zeros(1)}, prefix="encoder_q.")


@pytest.mark.parametrize(("name", "settings"), [("isc", {}), ("ts-cubism", CUBISM)])
def test_published_numbers(name, settings):
    draw = runpy.run_path(str(GOLDEN / "make.py"))["draw"]
    with np.load(GOLDEN / f"hcn.{name}.npz") as golden:
        config = json.loads(str(golden["config"]))
        expected = {key: torch.from_numpy(golden[key]) for key in golden.files if key != "config"}
    state = {f"encoder_r.{key}": torch.from_numpy(value) for key, value in draw(config["state"]).items()}
    state["encoder_q.other"] = torch.zeros(1)
    clips = torch.from_numpy(draw({"clips": config["clips"]})["clips"])

    encoder = small(get_layout("ntu-25"), frames=35, dropout=0.0, **settings).double()
    encoder.load_state_dict(HCN.rename_published(state, prefix="encoder_r."))
    with torch.no_grad():
        torch.testing.assert_close(encoder(clips), expected["out.train"], rtol=0, atol=1e-13)
        torch.testing.assert_close(encoder.eval()(clips), expected["out.eval"], rtol=0, atol=1e-13)


@pytest.mark.parametrize("settings", [{}, CUBISM])
def test_initial_weights(settings):
    encoder = small(get_layout("ntu-25"), channels=64, **settings)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            area = module.weight[0, 0].numel()
            bound = (6 / (area * (module.weight.shape[0] + module.weight.shape[1]))) ** 0.5
            assert module.weight.abs().max().item() == pytest.approx(bound, rel=0.05)
            assert not module.bias.any()


@settings(max_examples=10)
@given(st.permutations(range(20)))
def test_renumbered_joints_are_renumbered_channels(order):
    layout = get_layout("utd-20")
    ours, theirs = small(layout).eval(), small(layout).eval()
    for branch in (theirs.blocks[0].positions, theirs.blocks[0].motion):
        branch[4].weight = torch.nn.Parameter(branch[4].weight[:, order])
    clips = torch.randn(2, 3, 16, 20, 2)
    torch.testing.assert_close(theirs(clips[:, :, :, order]), ours(clips))


@pytest.mark.parametrize("settings", [{}, CUBISM])
def test_order_of_bodies_does_not_matter(settings):
    encoder = small(**settings).eval()
    clips = torch.randn(3, 3, 16, 4, 3)
    torch.testing.assert_close(encoder(clips), encoder(clips.flip(-1)))


def test_still_clip_has_no_motion():
    branches = small().eval().blocks[0]
    x = torch.randn(2, 3, 1, 4).expand(-1, -1, 16, -1)
    assert not branches(x)[:, 4:].any()
    assert branches(x)[:, :4].any()


def test_whole_channels_drop_out():
    blocks = small(dropout=0.5).blocks
    dropped = ~blocks(torch.randn(8, 3, 16, 4) + 1).flatten(2).any(2)
    assert 0.3 < dropped.float().mean() < 0.9


def test_clip_does_not_depend_on_its_batch():
    encoder = small(**CUBISM).eval()
    clips = torch.randn(4, 3, 16, 4, 2)
    torch.testing.assert_close(encoder(clips)[1:2], encoder(clips[1:2]))


@pytest.mark.parametrize("settings", [{}, CUBISM])
def test_gradient_reaches_every_parameter(settings):
    encoder = small(get_layout("coco-17"), dropout=0.0, **settings)
    with torch.no_grad():
        encoder.blocks[2][0].bias[::2] -= 1  # else no maximum is negative, where slopes count
    encoder(torch.randn(8, 3, 16, 17, 2)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("settings", [{}, CUBISM])
@pytest.mark.slow
def test_compiles_without_graph_breaks(settings):
    encoder = small(dropout=0.0, **settings)
    clips = torch.randn(2, 3, 16, 4, 2)
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(clips), encoder(clips))


def test_absent_bodies_are_computed_once():
    encoder = small(get_layout("utd-20")).eval()
    clips = torch.randn(5, 3, 16, 20, 2)
    clips[1:, ..., 1] = 0
    counts = []
    encoder.blocks.register_forward_hook(lambda _, inputs, __: counts.append(len(inputs[0])))
    torch.testing.assert_close(encoder(clips), torch.cat([encoder(clip[None]) for clip in clips]))
    assert counts[0] == 7  # six bodies, and one for the four that are absent
    encoder.train()(clips)
    assert counts[-1] == 10
