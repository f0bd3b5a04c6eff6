"""AGCN and CTRGCN, which have the same frame and the same laws."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import SkeletonLayout, get_layout
from skel_encoders import AGCN, CTRGCN

GOLDEN = Path(__file__).with_name("golden")
HAND = SkeletonLayout.from_dict(
    {
        "joints": ["wrist", "thumb", "index", "middle"],
        "bones": [["thumb", "wrist"], ["index", "wrist"], ["middle", "index"]],
    }
)
LAYOUTS = [*map(get_layout, ("ntu-25", "kinect-20", "coco-17", "hdm05-31")), HAND]
both = pytest.mark.parametrize("kind", [AGCN, CTRGCN])


def small(kind, layout=HAND, **settings):
    torch.manual_seed(0)
    return kind(layout, base_channels=8, **settings)


def awake(encoder):
    """Random weights, so that no part is silent and no joint is like another, in double precision."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if parameter.ndim == 1 and name.endswith("weight"):  # of BatchNorm
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return encoder.double()


@pytest.mark.parametrize(("kind", "parameters"), [(AGCN, 3_454_090 - 2 * 1408), (CTRGCN, 1_431_252)])
def test_default_size(kind, parameters):
    # As in the published programs without classifiers, where AGCN has three biases for one of ours.
    with torch.device("meta"):
        encoder = kind(get_layout("ntu-25"))
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert encoder.feature_dim == 256
    assert not encoder.takes_joint_subsets


@both
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize(("frames", "bodies"), [(1, 1), (13, 2), (16, 1)])
def test_shapes(kind, layout, frames, bodies):
    encoder = small(kind, layout, bodies=bodies).eval()
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    assert encoder.forward_features(clips).shape == (3, bodies, -(-frames // 4), layout.num_joints, 32)
    assert encoder(clips).shape == (3, encoder.feature_dim) == (3, 32)


@both
@pytest.mark.parametrize("shape", [(2, 2, 8, 4, 2), (2, 3, 8, 5, 2), (2, 3, 8, 4, 1), (2, 3)])
def test_clips_that_do_not_fit(kind, shape):
    with pytest.raises(
        ValueError, match=r"expected clips \(N, 3, T, 4, 2\) for layout 'custom', got"
    ) as error:
        small(kind)(torch.zeros(shape))
    assert str(shape) in str(error.value)


@both
def test_errors(kind):
    with pytest.raises(ValueError, match="base_channels must be a multiple of 4, got 6"):
        kind(HAND, base_channels=6)
    rename = kind.rename_published
    for name in ("l11.gcn1.bn.weight", "l1.gcn1.what.weight", "head.weight"):
        with pytest.raises(ValueError, match=f"'module.{name}' is not a weight of a published"):
            rename({f"module.{name}": torch.zeros(1)}, prefix="module.")
    with pytest.raises(ValueError, match="prefix 'encoder_q.'"):
        rename({"data_bn.weight": torch.zeros(1)}, prefix="encoder_q.")


@pytest.mark.parametrize(("kind", "name"), [(AGCN, "agcn"), (CTRGCN, "ctrgcn")])
def test_published_numbers(kind, name):
    draw = runpy.run_path(str(GOLDEN / "make.py"))["draw"]
    with np.load(GOLDEN / f"{name}.npz") as golden:
        config = json.loads(str(golden["config"]))
        expected = {key: torch.from_numpy(golden[key]) for key in golden.files if key != "config"}
    state = {f"encoder_r.{key}": torch.from_numpy(value) for key, value in draw(config["state"]).items()}
    state["encoder_q.other"] = torch.zeros(1)
    clips = torch.from_numpy(draw({"clips": config["clips"]})["clips"])

    encoder = kind(get_layout("ntu-25")).double()
    missing, unexpected = encoder.load_state_dict(
        kind.rename_published(state, prefix="encoder_r."), strict=False
    )
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)
    for key, training in (("out.eval", False), ("out.train", True), ("out.after", False)):
        with torch.no_grad():
            ours = encoder.train(training)(clips)
        scale = expected[key].abs().max()
        torch.testing.assert_close(ours / scale, expected[key] / scale, rtol=0, atol=1e-11)


def test_published_counters():
    state = {f"l5.tcn1.branches.{k}.1.num_batches_tracked": torch.tensor(7) for k in range(4)}
    renamed = CTRGCN.rename_published(state)
    assert set(renamed) == {
        f"blocks.4.temporal.{norm}.num_batches_tracked" for norm in ("bottleneck_norm", "plain.1")
    }
    assert all(value == 7 for value in renamed.values())
    for part in ("a", "b", "d"):
        state = {f"l1.gcn1.conv_{part}.{k}.weight": torch.ones(2, 1, 1, 1) for k in range(3)}
        (weight,) = AGCN.rename_published(state).values()
        assert weight.shape == ((2, 3) if part == "d" else (6, 1))


def test_initial_weights():
    # Value weights are smaller in AGCN's program than Kaiming's: three subsets share one variance.
    block = small(AGCN, get_layout("ntu-25")).blocks[9]
    for weight, deviation in (
        (block.spatial.senders.weight, (2 / 8) ** 0.5),
        (block.spatial.value.weight, (2 / (32 * 32 * 3)) ** 0.5),
        (block.temporal.weight, (2 / (32 * 9)) ** 0.5),
    ):
        assert weight.std().item() == pytest.approx(deviation, rel=0.08)
    assert (block.spatial.norm.weight == 1e-6).all()
    assert (block.spatial.edges == 1e-6).all()


@both
@settings(max_examples=5)
@given(st.permutations(range(25)))
def test_renumbered_joints_are_features_renumbered(kind, order):
    layout = get_layout("ntu-25")
    place = {joint: new for new, joint in enumerate(order)}
    renumbered = SkeletonLayout(
        name="renumbered",
        joints=tuple(layout.joints[joint] for joint in order),
        parents=tuple(place[layout.parents[joint]] for joint in order),
        center=place[layout.center],
        mirror=tuple(place[layout.mirror[joint]] for joint in order),
    )
    # In training mode: after ten layers that are not normalized, softmax and tanh saturate.
    ours, theirs = awake(small(kind, layout)), small(kind, renumbered).double()
    state = ours.state_dict()
    for name, value in state.items():
        if name.startswith("input_norm.") and value.ndim:
            state[name] = value.view(2, 25, 3)[:, order].flatten()
        elif name.endswith((".edges", ".graph")):
            state[name] = value[:, order][:, :, order]
    theirs.load_state_dict(state)
    clips = torch.randn(2, 3, 8, 25, 2, dtype=torch.float64)
    with torch.no_grad():
        expected = ours.forward_features(clips)[:, :, :, order]
        torch.testing.assert_close(theirs.forward_features(clips[:, :, :, order]), expected)


@both
def test_clip_does_not_depend_on_its_batch(kind):
    encoder = awake(small(kind)).eval()
    clips = torch.randn(4, 3, 13, 4, 2, dtype=torch.float64)
    torch.testing.assert_close(encoder(clips)[1:2], encoder(clips[1:2]))


@both
def test_gradient_reaches_every_parameter(kind):
    encoder = awake(small(kind, get_layout("utd-20")))
    encoder(torch.randn(4, 3, 13, 20, 2, dtype=torch.float64)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        # Most biases have none: BatchNorm follows, or AGCN's softmax, to which senders' add a constant.
        assert parameter.grad.abs().sum() > (-1 if name.endswith("bias") else 1e-6), name


@both
@pytest.mark.slow
def test_compiles_without_graph_breaks(kind):
    encoder = small(kind)
    clips = torch.randn(2, 3, 12, 4, 2)
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(clips), encoder(clips))
