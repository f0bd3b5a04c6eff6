"""What every augmentation promises."""

from functools import partial

import attrs
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from skel_augment import (
    AUGMENTATIONS,
    GaussianNoise,
    OneOf,
    PartMask,
    Shear,
    SpatialFlip,
    TemporalCropResize,
    TemporalCropSample,
    View,
)
from skel_data import ClipShape

CHOICE = partial(OneOf, (Shear(), PartMask(2), SpatialFlip(mirror_axis=True), GaussianNoise()))
MAKE = {
    **AUGMENTATIONS,
    "one_of": CHOICE,
    "padded_crop": partial(TemporalCropResize, padded=True),
    "temporal_crop_sample": partial(TemporalCropSample, min_frames=2),
}
SHORTENING = {"motion_attention_mask"}
MIXING = {"part_mix"}
COORDINATES_ONLY = {
    *("axis_mask", "euler_rotation", "random_axis_rotation", "random_rotation", "scale", "shear", "tilt"),
    *("gaussian_blur", "gaussian_noise", "joint_distortion", "joint_drift", "joint_jitter", "yaw"),
}


def kinds(names):
    return pytest.mark.parametrize("kind", [pytest.param(MAKE[name], id=name) for name in sorted(names)])


KINDS = kinds(MAKE)
GATED = kinds(MAKE.keys() - SHORTENING)


def half(kind):
    """The augmentation of every other clip where it can be switched off."""
    return kind() if kind in map(MAKE.get, SHORTENING) else kind(p=0.5)


@KINDS
@pytest.mark.parametrize("frames", [1, 6, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_is_foretold_and_dtype_stays(kind, frames, dtype, ntu, coco, make_clips, sample):
    for layout, bodies in ((ntu, 2), (ntu, 1), (coco, 3)):
        clips, shape = make_clips(layout, frames=frames, bodies=bodies, dtype=dtype)
        before = clips.clone()
        result = sample(kind(), shape, len(clips), dtype=dtype).apply(clips)
        assert ClipShape.of(result, layout) == kind().output_shape(shape)
        assert result.dtype == dtype
        assert result.isfinite().all()
        assert torch.equal(clips, before)


@KINDS
def test_it_changes_clips(kind, ntu, make_clips, sample):
    clips, shape = make_clips(ntu, n=50)
    result = sample(kind(), shape, len(clips)).apply(clips)
    # a crop may keep a clip whole; nothing keeps them all
    if result.shape == clips.shape:
        assert (result != clips).flatten(1).any(1).double().mean() > 0.5
    else:
        assert kind in map(MAKE.get, SHORTENING)


@GATED
def test_probability_zero_is_the_identity(kind, ntu, coco, make_clips, sample):
    for layout in (ntu, coco):
        clips, shape = make_clips(layout)
        assert torch.equal(sample(kind(p=0), shape, len(clips)).apply(clips), clips)


@GATED
def test_first_uniform_decides(kind, ntu, make_clips, rows):
    clips, shape = make_clips(ntu)
    uniforms = torch.full((len(clips), kind().num_uniforms(shape)), 0.1, dtype=clips.dtype)
    uniforms[:, 0] = torch.tensor([0, 0.29, 0.3, 0.31, 0.9, 0.999], dtype=clips.dtype)
    result = kind(p=0.3).params(uniforms, shape).apply(clips)
    always = kind().params(uniforms, shape).apply(clips)
    assert torch.equal(result[:2], always[:2])
    assert torch.equal(result[2:], clips[2:])


@kinds(MAKE.keys() - MIXING)
def test_batch_mates_do_not_matter(kind, ntu, make_clips, sample, rows):
    clips, shape = make_clips(ntu)
    step = half(kind)
    params = sample(step, shape, len(clips))
    together = params.apply(clips)
    for i in range(len(clips)):
        alone = rows(params, slice(i, i + 1)).apply(clips[i : i + 1])
        torch.testing.assert_close(alone, together[i : i + 1], rtol=0, atol=1e-14)


@kinds(MAKE.keys() - MIXING)
def test_absent_bodies_stay_absent(kind, ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    result = sample(kind(), shape, len(clips)).apply(clips)
    assert torch.equal(result[:-1, ..., 1], torch.zeros_like(result[:-1, ..., 1]))
    assert result[-1, ..., 1].count_nonzero() > 0


@kinds(COORDINATES_ONLY)
def test_confidence_is_left_alone(kind, coco, make_clips, sample):
    clips, shape = make_clips(coco, n=30)
    result = sample(kind(), shape, len(clips)).apply(clips)
    assert torch.equal(result[:, 2], clips[:, 2])
    assert not torch.equal(result[:, :2], clips[:, :2])


@KINDS
def test_clips_need_not_be_contiguous(kind, coco, make_clips, sample):
    clips, shape = make_clips(coco)
    params = sample(kind(), shape, len(clips))
    strided = clips.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    torch.testing.assert_close(params.apply(strided), params.apply(clips), rtol=0, atol=1e-14)


@KINDS
def test_gradient(kind, small, make_clips, sample):
    clips, shape = make_clips(small, n=2, frames=3)
    params = sample(half(kind), shape, 2)
    clips.requires_grad_()
    assert torch.autograd.gradcheck(params.apply, clips)


@KINDS
def test_wrong_uniforms_are_named(kind, ntu, make_clips):
    _, shape = make_clips(ntu)
    with pytest.raises(
        ValueError, match=rf"{type(kind()).__name__} needs uniforms of shape \(N, \d+\), got \(3, 99999\)"
    ):
        kind().params(torch.rand(3, 99999), shape)


@KINDS
@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_probability_must_be_one(kind, p):
    with pytest.raises(ValueError, match="'p'"):
        kind(p=p)


@KINDS
@pytest.mark.slow
def test_compiles_whole(kind, ntu, make_clips, sample):
    torch.compiler.reset()
    clips, shape = make_clips(ntu)
    params = (sample(half(kind), shape, len(clips)),)
    view = View((half(kind),))
    compiled = torch.compile(view.apply, fullgraph=True, backend="eager")
    assert torch.equal(compiled(clips, params), view.apply(clips, params))


def test_autocast_does_not_touch_coordinates(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, dtype=torch.float32)
    for kind in MAKE.values():
        params = sample(kind(), shape, len(clips), dtype=torch.float32)
        expected = params.apply(clips)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            drawn = sample(kind(), shape, len(clips), dtype=torch.float32)
            results = params.apply(clips), drawn.apply(clips)
        for result in results:
            assert result.dtype == torch.float32
            torch.testing.assert_close(result, expected, rtol=0, atol=0)


@KINDS
def test_no_step_depends_on_the_numbers(kind, ntu, coco):
    for layout in (ntu, coco):
        with FakeTensorMode():  # tensors without numbers
            clips = torch.empty(4, 3, 7, layout.num_joints, 2)
            result = View((half(kind),))(clips, layout)
        assert ClipShape.of(result, layout) == kind().output_shape(ClipShape.of(clips, layout))


@KINDS
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_device_is_never_waited_for(kind, ntu, make_clips):
    clips, shape = make_clips(ntu)
    view = View((half(kind),))
    params = view.sample(shape, len(clips), generator=torch.Generator().manual_seed(0), dtype=clips.dtype)
    on_device = clips.cuda()
    view(on_device, ntu)
    torch.cuda.set_sync_debug_mode("error")
    try:
        view(on_device, ntu, generator=torch.Generator("cuda"))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    result = view(on_device, ntu, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(result.cpu(), view.apply(clips, params), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("kind", sorted(AUGMENTATIONS))
def test_every_number_is_finite(kind, value):
    """Else the clips would be NaN, from then on and without a word."""
    make = MAKE[kind]
    for field in attrs.fields(AUGMENTATIONS[kind]):
        if field.type is float:
            with pytest.raises(ValueError, match=field.name):
                make(**{field.name: value})
