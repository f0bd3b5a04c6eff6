import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import (
    Affine,
    GaussianNoise,
    JointMask,
    OneOf,
    PartMix,
    Shear,
    View,
    preset,
    preset_names,
    sample_views,
)
from skel_data import ClipShape, get_layout

# one name for each: some views go by several
PRESETS = pytest.mark.parametrize("name", sorted({preset(name): name for name in preset_names()}.values()))


@settings(max_examples=20)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_split_into_batches_does_not_matter(tensors, sizes, seed):
    shape = ClipShape(get_layout("ntu-25"), 7, 2)
    views = [preset(name) for name in preset_names()]
    whole = torch.Generator().manual_seed(seed)
    parts = torch.Generator().manual_seed(seed)
    expected = tensors(sample_views(views, shape, sum(sizes), generator=whole))
    batches = [tensors(sample_views(views, shape, n, generator=parts)) for n in sizes]
    for i, tensor in enumerate(expected):
        assert torch.equal(torch.cat([batch[i] for batch in batches]), tensor)
    assert torch.equal(whole.get_state(), parts.get_state())


@PRESETS
def test_call_is_sample_then_apply(name, ntu, make_clips):
    clips, shape = make_clips(ntu, dtype=torch.float32)
    view = preset(name)
    params = view.sample(shape, len(clips), generator=torch.Generator().manual_seed(3))
    result = view(clips, ntu, generator=torch.Generator().manual_seed(3))
    assert torch.equal(result, view.apply(clips, params))
    assert torch.equal(result, view.apply(clips, params)), "replaying parameters must change nothing"
    assert not torch.equal(result, view(clips, ntu, generator=torch.Generator().manual_seed(4)))


@PRESETS
def test_view_is_its_steps_one_by_one(name, ntu, make_clips):
    clips, shape = make_clips(ntu)
    view = preset(name)
    params = view.sample(shape, len(clips), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = clips
    for part in params:
        expected = part.apply(expected)
    torch.testing.assert_close(view.apply(clips, params), expected, rtol=1e-12, atol=1e-12)


@PRESETS
def test_same_views_in_both_precisions(name, ntu, make_clips):
    clips, _ = make_clips(ntu)
    double = preset(name)(clips, ntu, generator=torch.Generator().manual_seed(0))
    single = preset(name)(clips.float(), ntu, generator=torch.Generator().manual_seed(0))
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-4)


@PRESETS
@pytest.mark.parametrize("bodies", [1, 2])
def test_pictures_with_confidence(name, bodies, coco, make_clips):
    clips, shape = make_clips(coco, bodies=bodies)
    result = preset(name)(clips, coco, generator=torch.Generator().manual_seed(0))
    assert ClipShape.of(result, coco) == preset(name).output_shape(shape)
    assert result.isfinite().all()


@PRESETS
def test_absent_bodies(name, ntu, make_clips):
    clips, _ = make_clips(ntu)
    result = preset(name)(clips, ntu, generator=torch.Generator().manual_seed(0))
    absent = result[:-1, ..., 1].count_nonzero()
    noisy = any(getattr(step, "keep_zero", "") == "nothing" for step in preset(name).steps)
    mixed = any(isinstance(step, PartMix) for step in preset(name).steps)
    assert absent > 0 if noisy or mixed else absent == 0


@PRESETS
def test_half_precision_clips(name, ntu, make_clips):
    clips, _ = make_clips(ntu)
    half = preset(name)(clips.bfloat16(), ntu, generator=torch.Generator().manual_seed(0))
    assert half.dtype == torch.bfloat16
    single = preset(name)(clips.float(), ntu, generator=torch.Generator().manual_seed(0))
    assert (half - single).norm() < 0.02 * single.norm()


@PRESETS
@pytest.mark.slow
def test_compiles_whole(name, ntu, make_clips):
    torch.compiler.reset()
    clips, shape = make_clips(ntu)
    view = preset(name)
    params = view.sample(shape, len(clips), generator=torch.Generator().manual_seed(0), dtype=clips.dtype)
    compiled = torch.compile(view.apply, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(clips, params), view.apply(clips, params), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["aimclr.extreme", "compact.temporal", "pcm3.mixed", "pstl.temporal"])
@pytest.mark.slow
def test_sampling_compiles_whole(name, ntu, make_clips):
    torch.compiler.reset()
    clips, _ = make_clips(ntu)
    compiled = torch.compile(preset(name), fullgraph=True, backend="eager")
    results = []
    for call in (compiled, preset(name)):
        torch.manual_seed(0)
        results.append(call(clips, ntu))
    torch.testing.assert_close(*results, rtol=1e-13, atol=1e-13)


@PRESETS
def test_gradient_reaches_the_clips(name, ntu, make_clips):
    clips, _ = make_clips(ntu)
    clips.requires_grad_()
    preset(name)(clips, ntu, generator=torch.Generator().manual_seed(0)).square().sum().backward()
    assert clips.grad.isfinite().all()
    assert (clips.grad.flatten(1) != 0).any(1).all()


def test_steps_before_joints_are_hidden():
    assert preset("scd.view").before_hiding == 4
    assert preset("pstl.temporal").before_hiding == len(preset("pstl.view").steps) == 4
    assert preset("aimclr.extreme").before_hiding == 7
    assert preset("isc.view").before_hiding == 1
    assert preset("skelemix.mixed").before_hiding == 2
    assert View((OneOf((Shear(), OneOf((Shear(),)))),)).before_hiding == 1
    assert View((OneOf((Shear(), OneOf((JointMask(),)))),)).before_hiding == 0
    assert View((JointMask(), Shear(), JointMask())).before_hiding == View(()).before_hiding == 0


def test_without_generator_the_global_seed_rules(ntu, make_clips):
    clips, _ = make_clips(ntu)
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(preset("aimclr.normal")(clips, ntu))
    assert torch.equal(*results)


def test_parameters_can_be_made_by_hand(ntu, make_clips):
    clips, _ = make_clips(ntu)
    double = Affine(2 * torch.eye(3, dtype=clips.dtype).expand(len(clips), -1, -1))
    torch.testing.assert_close(View((Shear(),)).apply(clips, (double,)), 2 * clips)


@PRESETS
def test_a_view_in_two_pieces(name, ntu, make_clips):
    clips, shape = make_clips(ntu)
    view = preset(name)
    params = view.sample(shape, len(clips), generator=torch.Generator().manual_seed(0), dtype=clips.dtype)
    for cut in range(len(view.steps) + 1):
        first, rest = View(view.steps[:cut]), View(view.steps[cut:])
        expected = first.apply(clips, params[:cut])
        assert torch.equal(view.apply(clips, params, stop=cut), expected)
        assert torch.equal(view.apply(expected, params, start=cut), rest.apply(expected, params[cut:]))


def test_empty_view(ntu, make_clips):
    clips, shape = make_clips(ntu)
    assert View(()).sample(shape, 3) == ()
    assert torch.equal(View(())(clips, ntu), clips)


def test_no_clips(ntu):
    clips = torch.zeros(0, 3, 5, 25, 2)
    assert preset("aimclr.extreme")(clips, ntu).shape == clips.shape


def test_wrong_number_of_parameters(ntu, make_clips):
    clips, shape = make_clips(ntu)
    view = preset("aimclr.normal")
    with pytest.raises(ValueError, match="2 steps, got parameters for 1"):
        view.apply(clips, view.sample(shape, len(clips))[:1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_parameters_in_half_precision_are_refused(dtype, ntu):
    with pytest.raises(ValueError, match=f"dtype must be float32 or float64, got {dtype}"):
        preset("aimclr.extreme").sample(ClipShape(ntu, 7), 2, dtype=dtype)


def test_clips_must_fit_the_layout(coco):
    with pytest.raises(ValueError, match="coco-17"):
        View((GaussianNoise(),))(torch.zeros(1, 3, 5, 25, 2), coco)


@pytest.mark.parametrize("steps", [Shear(), (Shear,), ("shear",)])
def test_steps_are_augmentations(steps):
    with pytest.raises(TypeError, match="steps must be"):
        View(steps)
