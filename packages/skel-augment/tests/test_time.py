from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import (
    GaussianBlur,
    SegmentShuffle,
    SpeedChange,
    TemporalCrop,
    TemporalCropResize,
    TimeFlip,
    TimePosition,
    TimeWarp,
    View,
)
from skel_data import ClipShape, get_layout

COUNT = 20_000


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 8), st.floats(0, 1, exclude_max=True))
def test_crop_is_a_window_of_the_mirror_padded_clip(frames, ratio, uniform):
    shape = ClipShape(get_layout("ntu-25"), frames)
    index = (
        TemporalCrop(ratio)
        .params(torch.tensor([[0.0, uniform]], dtype=torch.float64), shape)
        .index[0]
        .tolist()
    )
    padding = frames // ratio
    clip = list(range(frames))
    padded = [*reversed(clip[:padding]), *clip, *reversed(clip[frames - padding :])]
    windows = [padded[start : start + frames] for start in range(2 * padding + 1)]
    assert index == windows[int(uniform * len(windows))]


def test_crop_starts_are_equally_likely(ntu, sample, assert_share):
    index = sample(TemporalCrop(6), ClipShape(ntu, 25), COUNT, dtype=torch.float32).index
    middle = index[:, 12]
    assert sorted(middle.unique().tolist()) == list(range(8, 17))
    for frame in range(8, 17):
        assert_share(middle == frame, 1 / 9)


def test_time_flip_twice_is_the_identity(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    params = sample(TimeFlip(), shape, len(clips))
    once = params.apply(clips)
    assert torch.equal(once, clips.flip(2))
    assert torch.equal(params.apply(once), clips)


def test_crop_resize_windows(ntu, sample):
    frames = 200
    step = TemporalCropResize(0.25, 0.75)
    position = sample(step, ClipShape(ntu, frames), COUNT).position
    length = (position[:, 100] - position[:, 99]) * frames
    torch.testing.assert_close(length, length.round())
    assert length.min() >= 50
    assert length.max() <= 150
    start = position[:, 0]
    assert start.min() == 0
    assert (position[:, -1] <= frames - 1).all()
    assert abs(length.mean().item() - 99.5) < 1
    share = start / (frames - length)
    assert abs(share.mean().item() - 0.5) < 0.01


def test_crop_resize_of_the_whole_clip_is_the_identity(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    step = TemporalCropResize(1, 1)
    assert torch.equal(sample(step, shape, len(clips)).apply(clips), clips)


@pytest.mark.parametrize(("min_frames", "shortest"), [(1, 2), (15, 15), (99, 20)])
def test_crop_resize_min_frames(ntu, sample, min_frames, shortest):
    step = TemporalCropResize(0.1, min_frames=min_frames)
    position = sample(step, ClipShape(ntu, 20), COUNT).position
    # for windows of two frames or more the middle steps are length / frames long
    assert round((position[:, 10] - position[:, 9]).min().item() * 20) == shortest


def test_crop_resize_to_another_length(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, frames=20)
    for frames in (8, 33):
        step = TemporalCropResize(1, 1, frames=frames)
        assert step.output_shape(shape) == ClipShape(ntu, frames, 2)
        result = sample(step, shape, len(clips)).apply(clips)
        flat = clips.permute(0, 1, 3, 4, 2).flatten(1, 3)
        expected = torch.nn.functional.interpolate(flat, frames, mode="linear")
        torch.testing.assert_close(result.permute(0, 1, 3, 4, 2).flatten(1, 3), expected)


def test_crop_resize_of_some_clips_keeps_the_length(ntu):
    shape = ClipShape(ntu, 20)
    assert TemporalCropResize(frames=20, p=0.5).output_shape(shape) == shape
    step = TemporalCropResize(frames=8, p=0.5)
    for use in (step.output_shape, View((step,)).num_uniforms, lambda s: step.params(torch.rand(2, 3), s)):
        with pytest.raises(ValueError, match=r"p must be 1 where clips of 20 frames become 8 long, got 0\.5"):
            use(shape)


def test_resize_agrees_with_torch():
    clips = torch.randn(2, 3, 30, 4, 1, dtype=torch.float64)
    params = TimePosition.crop(torch.tensor([3.0, 3.0]).double(), torch.tensor([20.0, 20.0]).double(), 13)
    expected = torch.nn.functional.interpolate(
        clips[:, :, 3:23].permute(0, 1, 3, 4, 2).flatten(1, 3), 13, mode="linear"
    )
    result = params.apply(clips).permute(0, 1, 3, 4, 2).flatten(1, 3)
    torch.testing.assert_close(result, expected)


@settings(max_examples=30)
@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_warp_keeps_order_and_ends(frames, amplitude, uniform):
    shape = ClipShape(get_layout("ntu-25"), frames)
    position = (
        TimeWarp(amplitude).params(torch.tensor([[0.0, uniform]], dtype=torch.float64), shape).position[0]
    )
    assert position[0] == 0
    assert abs(position[-1] - (frames - 1)) < 1e-12
    assert (position.diff() > -1e-12).all()


def test_warp_changes_the_speed(ntu, sample, assert_uniform):
    position = sample(TimeWarp(0.4), ClipShape(ntu, 10_001), COUNT // 20).position
    assert_uniform(position[:, 1] - 1, -0.4001, 0.4001)
    torch.testing.assert_close(
        position[:, 1] + (position[:, -1] - position[:, -2]), torch.full((1000,), 2.0).double()
    )


def test_blur_widths(ntu, sample, assert_uniform):
    taps = sample(GaussianBlur(sigma=(0.5, 2)), ClipShape(ntu, 20), COUNT).taps
    assert taps.shape == (COUNT, 8)
    assert torch.equal(taps[:, 0], torch.ones_like(taps[:, 0]))
    assert_uniform((-0.5 / taps[:, 1].log()).sqrt(), 0.5, 2)
    torch.testing.assert_close(taps[:, 3], taps[:, 1] ** 9)


def test_blur_leaves_a_still_body_where_it_is(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, frames=9)
    still = clips[:, :, :1].expand(-1, -1, 9, -1, -1)
    params = sample(GaussianBlur(), shape, len(clips))
    torch.testing.assert_close(params.apply(still), still, rtol=1e-14, atol=1e-14)


def test_blur_as_released_enlarges_a_still_body(ntu, make_clips, sample):
    clips, shape = make_clips(ntu, frames=31)
    still = clips[:, :, :1].expand(-1, -1, 31, -1, -1)
    step = GaussianBlur(sigma=(2, 2), normalised=False)
    result = sample(step, shape, len(clips)).apply(still)
    growth = sum(torch.exp(torch.tensor(-i * i / 8, dtype=torch.float64)).item() for i in range(-7, 8))
    torch.testing.assert_close(result[:, :, 15], growth * still[:, :, 15])


@pytest.mark.parametrize(
    "make",
    [
        lambda: TemporalCrop(0),
        lambda: TemporalCropResize(0.9, 0.5),
        lambda: TemporalCropResize(0),
        lambda: TemporalCropResize(min_frames=0),
        lambda: TemporalCropResize(frames=-1),
        lambda: SegmentShuffle(0),
        lambda: SpeedChange(0),
        lambda: SpeedChange(1.2, 1.1),
        lambda: TimeWarp(1.5),
        lambda: GaussianBlur(kernel=4),
        lambda: GaussianBlur(sigma=(0, 1)),
        lambda: GaussianBlur(sigma=(2, 1)),
        lambda: GaussianBlur(sigma=(1,)),
        lambda: GaussianBlur(sigma=(1, float("inf"))),
    ],
)
def test_settings_out_of_range(make):
    with pytest.raises(
        ValueError, match=r"padding_ratio|max_ratio|min_ratio|frames|segments|low|high|amplitude|kernel|sigma"
    ):
        make()


@pytest.mark.parametrize("make", [lambda: TemporalCrop(6.0), lambda: GaussianBlur(normalised="no")])
def test_settings_of_the_wrong_type(make):
    with pytest.raises(TypeError, match=r"padding_ratio|normalised"):
        make()


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_shuffled_segments_stay_whole(frames, segments, seed):
    shape, step = ClipShape(get_layout("ntu-25"), frames), SegmentShuffle(segments)
    uniforms = torch.rand(1, 1 + segments, generator=torch.Generator().manual_seed(seed))
    place = sorted(range(segments), key=uniforms[0, 1:].tolist().__getitem__)
    order = sorted(range(segments), key=place.__getitem__)
    expected = [t for segment in order for t in range(frames) if t * segments // frames == segment]
    assert step.params(uniforms, shape).index[0].tolist() == expected


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_equal_segments_leave_the_rest_at_the_end(frames, segments, seed):
    shape, step = ClipShape(get_layout("ntu-25"), max(frames, segments)), SegmentShuffle(segments, equal=True)
    params = step.params(torch.rand(1, 1 + segments, generator=torch.Generator().manual_seed(seed)), shape)
    length, order = shape.frames // segments, params.order[0].tolist()
    moved = [t for segment in order for t in range(segment * length, (segment + 1) * length)]
    assert params.index[0].tolist() == moved + list(range(segments * length, shape.frames))
    assert list(permutations(range(segments)))[params.label] == tuple(order)


def test_order_of_a_clip_that_is_left_alone(ntu, sample):
    params = sample(SegmentShuffle(3, p=0.5), ClipShape(ntu, 9), 200)
    still = params.label == 0
    assert 0.4 < still.double().mean() < 0.8
    assert torch.equal((params.index == torch.arange(9)).all(1), still)
    assert (params.order[still] == torch.arange(3)).all()


def test_order_errors(ntu, sample):
    with pytest.raises(ValueError, match="cannot cut 2 frames into 3 equal segments"):
        sample(SegmentShuffle(3, equal=True), ClipShape(ntu, 2), 1)
    with pytest.raises(ValueError, match="orders of 21 segments"):
        _ = sample(SegmentShuffle(21), ClipShape(ntu, 30), 1).label


def test_orders_are_equally_likely(ntu, sample, assert_share):
    index = sample(SegmentShuffle(3), ClipShape(ntu, 3), COUNT).index
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        assert_share((index == torch.tensor(order)).all(1), 1 / 6)


def test_speeds_and_starts(ntu, sample, assert_uniform):
    last = 100
    slow = sample(SpeedChange(0.4, 0.8), ClipShape(ntu, last + 1), COUNT).position
    speed = slow.diff(dim=1)
    torch.testing.assert_close(speed, speed[:, :1].expand_as(speed))
    assert_uniform(speed[:, 0], 0.4, 0.8)
    assert_uniform(slow[:, 0] / (last * (1 - speed[:, 0])), 0, 1)
    assert slow.max() <= last

    fast = sample(SpeedChange(1.5, 2), ClipShape(ntu, last + 1), COUNT).position
    assert (fast[:, 0] == 0).all()
    assert (fast[:, -1] == last).all()
    speed = fast.diff(dim=1).amax(1)
    assert_uniform(speed, 1.5, 2)
    held = (fast == 0).sum(1)
    assert held.min() == 1
    assert held.max() > 40


def test_speed_one_is_the_identity(ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    assert torch.equal(sample(SpeedChange(1, 1), shape, len(clips)).apply(clips), clips)


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 20), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_padding_is_no_part_of_a_clip(filled, padding, least, seed):
    generator = torch.Generator().manual_seed(seed)
    layout = get_layout("ntu-25")
    clip = 1 + torch.rand(1, 3, filled, 25, 2, generator=generator, dtype=torch.float64)
    padded = torch.nn.functional.pad(clip, (0, 0, 0, 0, 0, padding))
    step, crop = (TemporalCropResize(0.3, 0.9, least, 17, padded=flag) for flag in (True, False))
    uniforms = torch.rand(1, 3, generator=generator, dtype=torch.float64)
    expected = crop.params(uniforms, ClipShape.of(clip, layout)).apply(clip)
    params = step.params(uniforms, ClipShape.of(padded, layout))
    result = params.apply(padded)
    torch.testing.assert_close(result, expected, rtol=1e-14, atol=1e-14)
    assert (result > 1).all()
    # the window can be used for another stream, which may have zeros of its own
    stream = torch.zeros_like(padded)
    assert torch.equal(params.resolve(padded).apply(padded), result)
    assert params.resolve(padded).apply(stream).count_nonzero() == 0


def test_padded_clips_some_left_alone(ntu, make_clips, sample, assert_share):
    clips, shape = make_clips(ntu, n=400, frames=12)
    clips[:, :, 7:] = 0
    clips[0] = 0
    step = TemporalCropResize(0.3, 0.5, padded=True, p=0.4)
    result = sample(step, shape, 400).apply(clips)
    same = (result == clips).flatten(1).all(1)[1:]
    assert_share(~same, 0.4)
    assert (result[1:][~same] != 0).any((1, 3, 4)).all()
    assert result[0].count_nonzero() == 0
