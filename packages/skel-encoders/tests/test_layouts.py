"""Every encoder on every kind of skeleton: of sensor, camera, studio, hand; one body or two; odd lengths."""

import inspect

import pytest
import torch

from skel_data import get_layout

FRAMES = 17
LAYOUTS = ["ntu-25", "kinect-20", "coco-17", "hdm05-31", "hand-21"]


@pytest.fixture
def build(encoder_kind):
    """Make the encoder for a layout and a number of bodies."""
    kind, small = encoder_kind

    def make(layout, bodies):
        fits = {"frames": FRAMES, "bodies": bodies}
        wanted = inspect.signature(kind).parameters
        torch.manual_seed(0)
        return kind(layout, **small | {name: value for name, value in fits.items() if name in wanted})

    return make


@pytest.mark.parametrize("bodies", [1, 2])
@pytest.mark.parametrize("name", LAYOUTS)
def test_features_and_gradients(build, name, bodies):
    layout = get_layout(name)
    encoder = build(layout, bodies)
    clips = torch.randn(3, layout.channels, FRAMES, layout.num_joints, bodies)
    features = encoder.train()(clips)
    assert features.shape == (3, encoder.feature_dim)
    (features * torch.randn_like(features)).sum().backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    encoder.eval()
    maps = encoder.forward_features(clips)
    assert maps.ndim == 5
    assert len(maps) == 3
    torch.testing.assert_close(encoder.pool(maps), encoder(clips))
    # a clip does not depend on its batch mates
    torch.testing.assert_close(encoder(clips[1:2]), encoder(clips)[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_no_clips(build, training):
    layout = get_layout("coco-17")
    encoder = build(layout, 3).train(training)
    assert encoder(torch.zeros(0, 3, FRAMES, 17, 3)).shape == (0, encoder.feature_dim)


def test_no_frames(build):
    with pytest.raises(ValueError, match=r"expected clips .* got "):
        build(get_layout("coco-17"), 1)(torch.zeros(2, 3, 0, 17, 1))


def test_gradient_of_absent_bodies(encoder, clips):
    encoder = encoder.double().eval()
    encoder.skip_absent = True  # where there is such a thing
    clips = clips.double()
    clips[2:, ..., 1] = clips[3] = 0

    def gradient(clips):
        clips = clips.clone().requires_grad_()
        encoder(clips).square().sum().backward()
        return clips.grad

    torch.testing.assert_close(gradient(clips), torch.cat([gradient(clip[None]) for clip in clips]))
