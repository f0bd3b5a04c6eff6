import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import (
    Affine,
    Chain,
    GaussianNoise,
    JointDistortion,
    JointMask,
    MotionAttentionMask,
    OneOf,
    Shear,
    SpatialFlip,
    TemporalCropResize,
    View,
    fold,
)
from skel_data import ClipShape, get_layout

COUNT = 5_000
STEPS = (Shear(), JointMask(6), JointDistortion(), GaussianNoise(), SpatialFlip(mirror_axis=True))


def chosen(clips, result, alone):
    """For each clip the steps whose own result it got."""
    return torch.stack([(result == each).flatten(1).all(1) for each in alone], 1)


def test_each_clip_gets_one(ntu, make_clips, assert_share):
    clips, shape = make_clips(ntu, n=COUNT, frames=2, bodies=1)
    step = OneOf(STEPS, weights=(4, 2, 2, 1, 1))
    uniforms = torch.rand(
        COUNT, step.num_uniforms(shape), generator=torch.Generator().manual_seed(0)
    ).double()
    result = step.params(uniforms, shape).apply(clips)
    alone, begin = [], 2
    for each in STEPS:
        end = begin + each.num_uniforms(shape)
        alone.append(each.params(uniforms[:, begin:end], shape).apply(clips))
        begin = end
    which = chosen(clips, result, alone)
    assert (which.sum(1) == 1).all()
    for place, share in enumerate((0.4, 0.2, 0.2, 0.1, 0.1)):
        assert_share(which[:, place], share)


def test_equal_weights_are_the_default(ntu, sample, assert_share):
    params = sample(OneOf((Shear(), Shear(), Shear())), ClipShape(ntu, 2), COUNT)
    eye = torch.eye(3, dtype=torch.float64)
    hits = [(part.matrix != eye).flatten(1).any(1) for part in params.parts]
    assert (torch.stack(hits).sum(0) == 1).all()
    for each in hits:
        assert_share(each, 1 / 3)


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True))
def test_exactly_one_whatever_the_weights(weights, lot):
    step, shape = OneOf((Shear(),) * len(weights), weights), ClipShape(get_layout("ntu-25"), 2)
    for value in (lot, 0.0, 1 - 2**-24):
        uniforms = torch.full((1, step.num_uniforms(shape)), 0.1, dtype=torch.float64)
        uniforms[:, 1] = value
        params = step.params(uniforms, shape)
        assert sum(not torch.equal(part.matrix[0], torch.eye(3).double()) for part in params.parts) == 1


def test_probability_of_the_choice_and_of_a_step(ntu, sample, assert_share):
    params = sample(OneOf((Shear(p=0.5), Shear()), p=0.8), ClipShape(ntu, 2), COUNT)
    first, second = ((p.matrix != torch.eye(3).double()).flatten(1).any(1) for p in params.parts)
    assert_share(first, 0.8 * 0.5 * 0.5)
    assert_share(second, 0.8 * 0.5)


def test_linear_choices_merge_with_the_view(ntu):
    view = View((Shear(), OneOf((Shear(), OneOf((SpatialFlip(mirror_axis=True), Shear())))), Shear()))
    params = view.sample(ClipShape(ntu, 4), 3)
    assert isinstance(params[1], Chain)
    assert sorted(type(step).__name__ for step in fold(params)) == ["Affine", "JointMap"]


def test_a_step_that_does_not_concern_the_clips(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, n=200)
    step = OneOf((SpatialFlip(flat_only=True), Shear()))
    untouched = (sample(step, shape, 200).apply(clips) == clips).flatten(1).all(1)
    assert 60 < untouched.sum() < 140


def test_parameters_tell_what_was_chosen(ntu, sample):
    shear, mask = sample(OneOf((Shear(), JointMask(6))), ClipShape(ntu, 2), 50).parts
    assert isinstance(shear, Affine)
    masked = mask.keep.sum(1) == 19
    assert torch.equal(masked, (shear.matrix == torch.eye(3).double()).all(1).all(1))
    assert 0 < masked.sum() < 50


@pytest.mark.parametrize("step", [MotionAttentionMask(), TemporalCropResize(frames=9)])
def test_length_must_stay(step, ntu):
    shape = ClipShape(ntu, 20)
    choice = OneOf((Shear(), step))
    message = rf"{type(step).__name__} makes {step.output_shape(shape).frames} frames of 20"
    for use in (choice.output_shape, lambda s: choice.params(torch.rand(2, choice.num_uniforms(s)), s)):
        with pytest.raises(ValueError, match=message):
            use(shape)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: OneOf(()), ValueError, "steps"),
        (lambda: OneOf((1,)), TypeError, "steps must be augmentations, got 1"),
        (lambda: OneOf((Shear(),), (1, 2)), ValueError, r"weights must be as many as steps = 1"),
        (lambda: OneOf((Shear(),), (0,)), ValueError, "weights"),
        (lambda: OneOf((Shear(),), (float("inf"),)), ValueError, "weights must be a finite number"),
    ],
)
def test_wrong_settings(make, error, message):
    with pytest.raises(error, match=message):
        make()
