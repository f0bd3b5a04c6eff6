import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skel_data import get_layout, stream
from skel_encoders import JBF
from skel_encoders.jbf import correlation


def small(layout="utd-20", *, exchanging=False, **settings):
    """A small encoder; ``exchanging``: with maps between the streams that are no longer zero."""
    torch.manual_seed(0)
    encoder = JBF(layout, **{"widths": (6, 8, 8), "strides": (1, 2, 1)} | settings)
    torch.manual_seed(1)
    for block in encoder.blocks if exchanging else ():
        if block.exchange is not None:
            torch.nn.init.normal_(block.exchange.to_joints.weight)
            torch.nn.init.normal_(block.exchange.to_bones.weight)
    return encoder


@pytest.mark.parametrize("name", ["ntu-25", "utd-20", "coco-17", "hand-21"])
@pytest.mark.parametrize(("frames", "bodies"), [(1, 2), (13, 1), (16, 2)])
def test_shapes(name, frames, bodies):
    layout = get_layout(name)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    for fusion, width in (("correlation", 16), ("concatenation", 16), ("none", 8)):
        encoder = small(layout, fusion=fusion)
        shape = (3, bodies, -(-frames // 2), layout.num_joints, width)
        assert encoder.forward_features(clips).shape == shape
        assert encoder(clips).shape == (3, encoder.feature_dim) == (3, width)


def test_errors():
    with pytest.raises(ValueError, match="equally long"):
        JBF("utd-20", widths=(8,), strides=(1, 1))
    with pytest.raises(ValueError, match="fusion must be correlation, concatenation or none, got 'late'"):
        JBF("utd-20", fusion="late")
    with pytest.raises(ValueError, match=r"\(N, 3, T, 20, M\).*got \(2, 3, 8, 25, 1\)"):
        small()(torch.zeros(2, 3, 8, 25, 1))


def test_correlation_is_pearsons():
    first, second = torch.randn(2, 3, 5, 4).double(), torch.randn(2, 6, 5, 4).double()
    for a, b, found in zip(first, second, correlation(first, second), strict=True):
        rows = np.corrcoef(a.flatten(1).numpy(), b.flatten(1).numpy())
        np.testing.assert_allclose(found.numpy(), rows[:3, 3:], atol=1e-12)


@given(st.floats(0.1, 10), st.floats(-5, 5), st.integers(0, 99))
def test_correlation_knows_no_scale_and_no_offset(scale, offset, seed):
    draws = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(1, v, 4, 3, generator=draws).double() for v in (2, 3))
    expected = correlation(first, second)
    torch.testing.assert_close(correlation(scale * first + offset, second), expected)
    torch.testing.assert_close(correlation(second, first), expected.mT)
    assert expected.abs().max() <= 1 + 1e-9
    assert (correlation(torch.full_like(first, offset), second).abs() < 1e-6).all()


def test_streams_begin_apart():
    """Before training, and without exchange, the halves are the encoders of the joints and of the bones."""
    clips, layout = torch.randn(3, 3, 16, 20, 2), get_layout("utd-20")
    apart = small(fusion="concatenation").eval()
    fused = small().eval()
    fused.load_state_dict(apart.state_dict(), strict=False)
    torch.testing.assert_close(fused(clips), apart(clips))
    for place, name in enumerate(("joint", "bone")):
        alone = small(fusion="none").eval()
        state = apart.state_dict()
        names = {key: key.replace("streams.0", f"streams.{place}") for key in alone.state_dict()}
        names = {key: name.replace("input_norms.0", f"input_norms.{place}") for key, name in names.items()}
        alone.load_state_dict({key: state[name] for key, name in names.items()})
        half = apart(clips)[:, 8 * place : 8 * place + 8]
        torch.testing.assert_close(alone(stream(clips, name, layout)), half)


def test_each_stream_hears_of_the_other():
    clips = torch.randn(3, 3, 16, 20, 1)
    silent, fused = small().eval(), small(exchanging=True).eval()
    changed = (silent(clips) - fused(clips)).abs()
    assert changed[:, :8].max() > 1e-3
    assert changed[:, 8:].max() > 1e-3


def test_other_channels_have_bones():
    layout = get_layout("utd-20")
    clips = torch.randn(2, 20, 8, 20, 1)
    encoder = small(in_channels=20)
    assert encoder(clips).shape == (2, 16)
    bones = encoder._bones(clips)
    for child, parent in enumerate(layout.parents):
        assert torch.equal(bones[:, :, :, child], clips[:, :, :, child] - clips[:, :, :, parent])


@pytest.mark.parametrize("training", [False, True])
def test_absent_body_changes_nothing(training):
    encoder = small(exchanging=True).train(training)
    one = torch.randn(4, 3, 16, 20, 1)
    two = torch.cat([one, torch.zeros_like(one)], dim=-1)
    torch.testing.assert_close(encoder(one), encoder(two))


@pytest.mark.parametrize("bodies", [1, 2])
def test_clip_without_any_body_is_zero(bodies):
    encoder = small(exchanging=True)
    encoder(1 + torch.randn(3, 3, 16, 20, bodies))
    clips = torch.randn(3, 3, 16, 20, bodies)
    clips[1] = 0
    features = encoder.eval()(clips)
    assert (features[1] == 0).all()
    assert (features[[0, 2]] != 0).any(1).all()


def test_order_of_bodies_does_not_matter():
    encoder = small(exchanging=True).eval()
    clips = torch.randn(3, 3, 16, 20, 2)
    torch.testing.assert_close(encoder(clips), encoder(clips.flip(-1)))


def test_gradient_reaches_every_parameter():
    encoder = small(exchanging=True)
    (encoder(torch.randn(4, 3, 16, 20, 2)) * torch.randn(4, 16)).sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_gradient_of_clips():
    encoder = small("coco-17", exchanging=True, widths=(3, 4), strides=(1, 2)).double().eval()
    clips = torch.randn(1, 3, 3, 17, 1, dtype=torch.double, requires_grad=True)
    weights = torch.randn(8, dtype=torch.double)
    value = (encoder(clips) * weights).sum()
    (slope,) = torch.autograd.grad(value, clips)
    step = torch.randn_like(clips) * 1e-6
    with torch.no_grad():
        difference = ((encoder(clips + step) - encoder(clips - step)) * weights).sum() / 2
    torch.testing.assert_close(difference, (slope * step).sum(), rtol=1e-4, atol=1e-12)


@pytest.mark.slow
def test_compiles_without_graph_breaks():
    encoder = small(exchanging=True).eval()
    clips = torch.randn(2, 3, 12, 20, 2)
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(clips), encoder(clips))
