import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import STREAMS, get_layout, stream, stream_channels

NAMES = {"ntu-rgb+d": "ntu-25"}


@pytest.mark.vectors("streams")
def test_published_numbers(vector):
    name = vector.config["layout"]
    layout = get_layout(NAMES.get(name, name))
    joint = vector["in.joint"]
    if layout.channels != joint.shape[1]:
        layout = evolve(layout, confidence=joint.shape[1] > layout.dims)
    for name in ("motion", "bone"):
        assert np.array_equal(stream(joint, name, layout), vector[f"out.{name}"])


@pytest.mark.parametrize("name", STREAMS)
def test_torch_agrees_with_numpy(name, ntu):
    torch = pytest.importorskip("torch")
    clips = np.random.default_rng(0).normal(size=(2, 3, 6, 25, 2)).astype(np.float32)
    result = stream(torch.from_numpy(clips), name, ntu)
    assert isinstance(result, torch.Tensor)
    expected = stream(clips, name, ntu)
    assert result.shape == expected.shape == (2, stream_channels(name, ntu), 6, 25, 2)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6 if name == "distance" else 0)


@pytest.mark.parametrize("confidence", [False, True])
@pytest.mark.parametrize("name", STREAMS)
def test_gradients(name, confidence):
    torch = pytest.importorskip("torch")
    layout = evolve(get_layout("jhmdb-15"), confidence=confidence)
    clips = torch.randn(1, layout.channels, 3, 15, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: stream(x, name, layout), clips)


@pytest.mark.parametrize("name", STREAMS)
def test_compiles(name, ntu):
    torch = pytest.importorskip("torch")
    clips = torch.randn(2, 3, 6, 25, 2)
    compiled = torch.compile(lambda x: stream(x, name, ntu), backend="eager", fullgraph=True)
    assert torch.equal(compiled(clips), stream(clips, name, ntu))


@given(st.integers(1, 5), st.integers(1, 2), st.booleans(), st.integers(0, 99))
@settings(max_examples=25)
def test_laws(frames, bodies, batched, seed):
    layout = get_layout("kinect-20")
    shape = (*((4,) if batched else ()), 3, frames, 20, bodies)
    clips = np.random.default_rng(seed).normal(size=shape)
    before = clips.copy()
    assert stream(clips, "joint", layout) is clips
    motion, bone = stream(clips, "motion", layout), stream(clips, "bone", layout)
    assert np.array_equal(clips, before)
    assert motion.shape == bone.shape == shape
    # Motions add up to the whole way; bones add up along a limb; neither sees where the clip is
    np.testing.assert_allclose(motion.sum(-3), clips[..., -1, :, :] - clips[..., 0, :, :], atol=1e-12)
    assert not motion[..., -1, :, :].any()
    assert not bone[..., layout.root, :].any()
    joint, total = 7, 0
    while joint != layout.root:
        total = total + bone[..., joint, :]
        joint = layout.parents[joint]
    np.testing.assert_allclose(total, clips[..., 7, :] - clips[..., layout.root, :], atol=1e-12)
    np.testing.assert_allclose(stream(clips + 3, "bone", layout), bone, atol=1e-12)
    np.testing.assert_allclose(stream(clips + 3, "motion", layout), motion, atol=1e-12)


@given(st.booleans(), st.integers(1, 2), st.integers(0, 99))
@settings(max_examples=25)
def test_laws_of_distances(confidence, bodies, seed):
    layout = evolve(get_layout("jhmdb-15"), confidence=confidence)
    clips = np.random.default_rng(seed).normal(size=(2, layout.channels, 3, 15, bodies))
    clips[1, :, :, :, 0] = 0
    found = stream(clips, "distance", layout)
    np.testing.assert_allclose(
        found[0, 4, 2, 9, 0], np.linalg.norm(clips[0, :2, 2, 9, 0] - clips[0, :2, 2, 4, 0])
    )
    assert np.array_equal(found, found.swapaxes(1, 3))
    assert not found[1, ..., 0].any()  # an absent body stays so
    cos, sin = np.cos(0.7), np.sin(0.7)
    turned = clips.copy()
    turned[:, 0], turned[:, 1] = (
        cos * clips[:, 0] + sin * clips[:, 1] + 3,
        cos * clips[:, 1] - sin * clips[:, 0],
    )
    np.testing.assert_allclose(stream(turned, "distance", layout), found, atol=1e-12)


def test_errors(ntu):
    with pytest.raises(ValueError, match="no stream 'bones'; there are joint, motion, bone"):
        stream_channels("bones", ntu)
    with pytest.raises(ValueError, match="no stream 'bones'; there are joint, motion, bone"):
        stream(np.zeros((3, 5, 25, 1)), "bones", ntu)
    for shape in ((3, 5, 24, 1), (2, 5, 25, 1), (5, 25, 1)):
        with pytest.raises(ValueError, match=r"expected \(..., 3, T, 25, M\)"):
            stream(np.zeros(shape), "bone", ntu)
