"""Views of SLiM: sampled crops, limbs of other lengths, rotation, mirror image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import (
    Affine,
    FrameSample,
    LimbScale,
    SpatialFlip,
    TemporalCropSample,
    preset,
    rotation_matrix,
)
from skel_data import ClipShape, get_layout

LAYOUTS = ["ntu-25", "utd-20", "coco-17", "hdm05-31", "hand-21"]


def close(ours, theirs):
    atol = (1e-13 if theirs.dtype == torch.float64 else 1e-6) * float(theirs.abs().max())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


def read(vector, name):
    return torch.from_numpy(vector[name])


def random(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)).double()


def test_shapes():
    layout = get_layout("utd-20")
    clips = random(4, 3, 40, 20, 2)
    for name, frames in (("global-1", 64), ("local-32", 32), ("local-8", 8), ("small", 40)):
        view = preset(f"slim.{name}")
        assert view.output_shape(ClipShape.of(clips, layout)).frames == frames
        assert view(clips, layout).shape == (4, 3, frames, 20, 2)


@pytest.mark.parametrize(
    ("step", "given", "message"),
    [
        (TemporalCropSample, {"frames": 8, "p": 0.5}, "p must be 1, as clips change their length, got 0.5"),
        (TemporalCropSample, {"min_ratio": 0.5, "max_ratio": 0.4}, "max_ratio must not be below min_ratio"),
        (LimbScale, {"low": 1.2}, "high must not be below low = 1.2, got 1.15"),
    ],
)
def test_errors(step, given, message):
    with pytest.raises(ValueError, match=message):
        step(**given)


@pytest.mark.vectors("slim_scale")
def test_published_limb_scaling(vector):
    """As released; with the tree walked from the root factors of one change nothing."""
    x = read(vector, "in.x")[None]
    shape = ClipShape.of(x, get_layout("ntu-25"))
    uniforms = torch.cat([torch.zeros(1).double(), (read(vector, "in.factors") - 0.5)])[None]
    for factors, wanted in ((uniforms, "out.y"), (torch.full_like(uniforms, 0.5), "out.y_of_ones")):
        factors = factors.clone()
        factors[:, 0] = 0
        close(LimbScale(0.5, 1.5, released=True).params(factors, shape).apply(x)[0], read(vector, wanted))
    assert torch.equal(LimbScale(0.5, 1.5).params(factors, shape).apply(x), x)


@pytest.mark.vectors("slim_rotate")
def test_published_rotation(vector):
    x = read(vector, "in.x")[None]
    close(Affine(rotation_matrix(-read(vector, "in.angles")[None])).apply(x)[0], read(vector, "out.y"))


@pytest.mark.vectors("slim_mirror")
def test_published_mirror(vector):
    x = read(vector, "in.x")[None]
    params = SpatialFlip(mirror_axis=True).params(torch.zeros(1, 1), ClipShape.of(x, get_layout("ntu-25")))
    assert torch.equal(params.apply(x)[0], read(vector, "out.y"))


@pytest.mark.vectors("slim_crop")
def test_published_crops(vector):
    config, x = vector.config, read(vector, "in.x")[None]
    window, (low, high) = config["window"], config["interval"]
    first, end = config["inside"] or (0, config["frames"])
    size, smallest = end - first, config["smallest"]
    fraction = float(vector["in.fraction"])
    length = min(max(int(size * (low + (high - low) * fraction)), smallest), size)
    start = (int(vector["in.start"]) + 0.5) / (size - length + 1)
    order = torch.full((window + 1,), 0.9).double()
    if window <= length < 2 * window:
        order[vector["in.skipped"].tolist()] = 0.1
    elif length >= 2 * window:
        edges = torch.arange(window + 1) * length // window
        order[:window] = (read(vector, "in.offsets") + 0.5) / edges.diff()
    step = TemporalCropSample(low, high, window, smallest)
    shape = ClipShape(get_layout("coco-17"), config["frames"], 1)
    params = step.params(torch.cat([torch.tensor([0, fraction, start]).double(), order])[None], shape)
    if config["inside"]:
        params = FrameSample(
            *(params.ratio, params.start, params.order, params.min_frames),
            inside=(torch.tensor([float(first)]).double(), torch.tensor([float(end)]).double()),
        )
    close(params.apply(x)[0], read(vector, "out.y"))
    found = [int(edge) for edge in params.span(x)]
    assert found == [int(vector["out.first_frame"]), int(vector["out.end_frame"])]


@settings(max_examples=30)
@given(st.integers(1, 80), st.integers(0, 99), st.sampled_from([0, 60]))
def test_sampled_frames_are_in_order_and_inside(filled, seed, extend):
    """Of a clip whose coordinates are its frame numbers."""
    frames = 80
    clip = torch.arange(1.0, frames + 1).double().view(1, 1, frames, 1, 1).expand(1, 3, -1, 17, 1).clone()
    clip[:, :, filled:] = 0
    step = TemporalCropSample(0.3, 0.9, 16, padded=True, extend=extend)
    shape = ClipShape(get_layout("coco-17"), frames, 1)
    uniforms = torch.rand(1, step.num_uniforms(shape), generator=torch.Generator().manual_seed(seed)).double()
    params = step.params(uniforms, shape)
    numbers = params.apply(clip)[0, 0, :, 0, 0]
    assert ((numbers >= 1) & (numbers <= filled)).all()
    begin, end = (int(edge) for edge in params.span(clip))
    if filled >= extend:
        assert (numbers.diff() >= 0).all()
        assert ((numbers >= begin + 1) & (numbers <= end)).all()
        if end - begin >= 16:
            assert (numbers == numbers.round()).all()
            assert (numbers.diff() >= 1).all()


def test_short_clips_are_played_back_and_forth():
    clip = torch.arange(1.0, 5).view(1, 1, 4, 1, 1).expand(1, 3, -1, 17, 1).clone()
    step = TemporalCropSample(1.0, 1.0, 12, min_frames=12, extend=12)
    params = step.params(torch.zeros(1, 16), ClipShape(get_layout("coco-17"), 4, 1))
    numbers = params.apply(clip)[0, 0, :, 0, 0].tolist()
    assert numbers == [1, 2, 3, 4, 4, 3, 2, 1, 1, 2, 3, 4]


@pytest.mark.parametrize("name", LAYOUTS)
def test_bones_of_scaled_limbs(name):
    """Each bone keeps its direction and is as long as its factor says; the root stays."""
    layout = get_layout(name)
    x = torch.randn(2, 3, 5, layout.num_joints, 2).double()
    shape = ClipShape.of(x, layout)
    step = LimbScale(0.5, 1.5)
    params = step.params(random(2, step.num_uniforms(shape)), shape)
    y = params.apply(x)[:, : layout.dims]
    x = x[:, : layout.dims]
    torch.testing.assert_close(y[..., layout.root, :], x[..., layout.root, :])
    for a, b in layout.bones:
        ours, theirs = (z[..., a, :] - z[..., b, :] for z in (y, x))
        factor = ours / theirs
        assert ((factor > 0.5 - 1e-9) & (factor < 1.5 + 1e-9)).all()
        torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor), rtol=1e-6, atol=1e-9)
    still = params.where(torch.zeros(2, dtype=torch.bool)).apply(x)
    assert torch.equal(still, x)


def test_missing_joints_and_absent_bodies_stay_zero():
    layout = get_layout("ntu-25")
    x = torch.randn(3, 3, 6, 25, 2)
    x[..., 7, 0] = 0
    x[..., 1] = 0
    view = preset("slim.global-1").steps[2:]  # without crop and mirror
    for released in (False, True):
        step = LimbScale(released=released)
        shape = ClipShape.of(x, layout)
        y = step.params(torch.rand(3, step.num_uniforms(shape)), shape).apply(x)
        assert not y[..., 7, 0].any()
        assert not y[..., 1].any()
    assert isinstance(view[0], LimbScale)


def test_compiles():
    layout = get_layout("ntu-25")
    x = torch.randn(2, 3, 30, 25, 1)
    shape = ClipShape.of(x, layout)
    for step in (LimbScale(), TemporalCropSample(frames=16)):
        params = step.params(torch.rand(2, step.num_uniforms(shape)), shape)
        compiled = torch.compile(params.apply, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(x), params.apply(x))
