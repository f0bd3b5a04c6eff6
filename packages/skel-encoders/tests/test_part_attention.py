import pytest
import torch
from attrs import evolve

from skel_data import get_layout
from skel_encoders import AGCN, CTRGCN, STGCN
from skel_encoders.layers import PartAttention

LAYOUT = get_layout("utd-20")
GRAPH_ENCODERS = [
    (STGCN, {"base_channels": 4, "feature_dim": 8, "dropout": 0.0}),
    (AGCN, {"base_channels": 4, "bodies": 1}),
    (CTRGCN, {"base_channels": 4, "bodies": 1}),
]
encoders = pytest.mark.parametrize(
    ("kind", "small"), GRAPH_ENCODERS, ids=lambda x: getattr(x, "__name__", "")
)


def layer(axes="b v t c"):
    """A layer whose values are no longer zero."""
    torch.manual_seed(0)
    attention = PartAttention(6, LAYOUT, axes).double()
    torch.nn.init.normal_(attention.value.weight)
    torch.nn.init.normal_(attention.value.bias)
    return attention


def bodies():
    torch.manual_seed(1)
    return torch.randn(2, 20, 3, 6, dtype=torch.double)


@encoders
def test_layout_without_parts(kind, small):
    with pytest.raises(ValueError, match="part_attention needs a layout with parts, and layout 'utd-20' has"):
        kind(evolve(LAYOUT, parts=()), part_attention=True, **small)


def test_values_one_by_one():
    attention, x = layer(), bodies()
    found = attention(x)
    for body, joint, frame in ((0, 0, 0), (1, 7, 2), (1, 19, 1)):
        tokens = torch.stack([x[body, list(joints), frame].mean(0) for _, joints in LAYOUT.parts])
        here = x[body, joint, frame]
        scores = (attention.key(tokens) @ attention.query(here)) / attention.key.out_features**0.5
        expected = here + scores.softmax(0) @ attention.value(tokens)
        torch.testing.assert_close(found[body, joint, frame], expected)


@pytest.mark.parametrize("axes", ["b c t v", "b c v t"])
def test_order_of_the_axes(axes):
    x, attention, other = bodies(), layer(), layer(axes)
    places = [["b", "v", "t", "c"].index(axis) for axis in axes.split()]
    torch.testing.assert_close(other(x.permute(places)), attention(x).permute(places))


def test_joints_that_are_left_out_are_in_no_part():
    attention, x = layer(), bodies()
    _, lost = LAYOUT.parts[0]
    joints = torch.tensor([joint for joint in range(20) if joint not in lost])
    found = attention(x[:, joints], joints)
    parts = [[joints.tolist().index(joint) for joint in group] for _, group in LAYOUT.parts[1:]]
    tokens = torch.stack([x[:, joints][:, rows].mean(1) for rows in parts], 2)  # (B, T, P, C)
    scores = torch.einsum("bvtd,btpd->bvtp", attention.query(x[:, joints]), attention.key(tokens))
    shares = (scores / attention.key.out_features**0.5).softmax(-1)
    expected = x[:, joints] + torch.einsum("bvtp,btpc->bvtc", shares, attention.value(tokens))
    torch.testing.assert_close(found, expected)
    own = attention(x[:, joints], joints.expand(2, -1))
    torch.testing.assert_close(own, expected)


def test_bodies_with_joints_in_no_part_at_all():
    layout = evolve(LAYOUT, parts=(("arm", (1, 2)),))
    attention = PartAttention(6, layout, "b v t c").double()
    assert attention(bodies()[:, [5, 6]], torch.tensor([5, 6])).isfinite().all()


@encoders
def test_changes_nothing_at_first_and_no_draw_before_it(kind, small):
    """Off: the weights and bits of before. On: the same function until it is trained."""
    clips = torch.randn(2, 3, 16, 20, 1)
    torch.manual_seed(5)
    off = kind(LAYOUT, **small)
    assert not [name for name in off.state_dict() if "attention" in name]
    torch.manual_seed(5)
    on = kind(LAYOUT, part_attention=True, **small)
    extra = set(on.state_dict()) - set(off.state_dict())
    assert {name.split(".")[1] for name in extra} == {"3", "6"}
    on.load_state_dict(off.state_dict(), strict=False)
    torch.testing.assert_close(on.eval()(clips), off.eval()(clips))


@encoders
def test_gradient_reaches_the_attention(kind, small):
    torch.manual_seed(0)
    encoder = kind(LAYOUT, part_attention=True, **small)
    attentive = [module for module in encoder.modules() if isinstance(module, PartAttention)]
    assert len(attentive) == 2
    for attention in attentive:
        torch.nn.init.normal_(attention.value.weight)
    features = encoder(torch.randn(4, 3, 16, 20, 1))
    (features * torch.randn_like(features)).sum().backward()
    for attention in attentive:
        weights = attention.query.weight, attention.key.weight, attention.value.weight
        assert all(weight.grad.abs().sum() > 0 for weight in weights)


def test_gradients_agree_with_differences():
    attention = layer()
    assert torch.autograd.gradcheck(attention, bodies()[:1, :, :1].requires_grad_())


def test_joint_subsets_of_stgcn():
    encoder = STGCN(LAYOUT, part_attention=True, base_channels=4, feature_dim=8).eval()
    for block in encoder.blocks:
        if block.attention is not None:
            torch.nn.init.normal_(block.attention.value.weight)
    clips, joints = torch.randn(2, 3, 8, 20, 2), torch.arange(5, 18)
    torch.testing.assert_close(encoder(clips, joints), encoder(clips, joints.expand(2, -1)))
