import pytest
import torch

from skel_data import get_layout
from skel_encoders import TCN

SMALL = {"widths": (8, 12), "kernels": (3, 5), "strides": (1, 2)}


def small(layout, **settings):
    torch.manual_seed(0)
    return TCN(layout, **SMALL | settings)


@pytest.mark.parametrize("name", ["ntu-25", "utd-20", "coco-17"])
@pytest.mark.parametrize(("frames", "bodies"), [(1, 1), (13, 1), (16, 2)])
def test_shapes(name, frames, bodies):
    layout = get_layout(name)
    encoder = small(layout)
    clips = torch.randn(3, layout.channels, frames, layout.num_joints, bodies)
    assert encoder.forward_features(clips).shape == (3, bodies, -(-frames // 2), 1, 12)
    assert encoder(clips).shape == (3, encoder.feature_dim)


def test_errors():
    layout = get_layout("utd-20")
    with pytest.raises(ValueError, match="equally long"):
        TCN(layout, widths=(8,), kernels=(3, 3), strides=(1,))
    with pytest.raises(ValueError, match="kernels must be odd"):
        TCN(layout, widths=(8,), kernels=(4,), strides=(1,))
    with pytest.raises(ValueError, match=r"\(N, 3, T, 20, M\).*got \(2, 3, 8, 25, 1\)"):
        small(layout)(torch.zeros(2, 3, 8, 25, 1))


@pytest.mark.parametrize("training", [False, True])
def test_absent_body_changes_nothing(training):
    encoder = small(get_layout("utd-20")).train(training)
    one = torch.randn(4, 3, 16, 20, 1)
    two = torch.cat([one, torch.zeros_like(one)], dim=-1)
    torch.testing.assert_close(encoder(one), encoder(two))


@pytest.mark.parametrize("bodies", [1, 2])
def test_clip_without_any_body_is_zero(bodies):
    encoder = small(get_layout("utd-20"))
    for _ in range(2):
        encoder(1 + torch.randn(3, 3, 16, 20, bodies))
    clips = torch.randn(3, 3, 16, 20, bodies)
    clips[1] = 0
    features = encoder.eval()(clips)
    assert (features[1] == 0).all()
    assert features.isfinite().all()
    assert (features[[0, 2]] != 0).any(1).all()


def test_order_of_bodies_does_not_matter():
    encoder = small(get_layout("utd-20")).eval()
    clips = torch.randn(3, 3, 16, 20, 2)
    torch.testing.assert_close(encoder(clips), encoder(clips.flip(-1)))


def test_clip_does_not_depend_on_its_batch():
    encoder = small(get_layout("utd-20")).eval()
    clips = torch.randn(4, 3, 16, 20, 1)
    torch.testing.assert_close(encoder(clips)[1:2], encoder(clips[1:2]))


def test_gradient_reaches_every_parameter():
    encoder = small(get_layout("utd-20"))
    encoder(torch.randn(4, 3, 16, 20, 2)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.slow
def test_compiles_without_graph_breaks():
    encoder = small(get_layout("utd-20")).eval()
    clips = torch.randn(2, 3, 12, 20, 1)
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(clips), encoder(clips))
