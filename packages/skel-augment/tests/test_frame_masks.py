import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import (
    DropMotionFrames,
    FrameDrop,
    FrameMask,
    GaussianNoise,
    MotionAttentionMask,
    TemporalSegmentMask,
    View,
)
from skel_data import ClipShape, get_layout

COUNT = 5_000


@settings(max_examples=40)
@given(st.integers(1, 70), st.integers(1, 20), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_segments_are_masked_whole(frames, segments, masked, seed):
    masked = min(masked, segments)
    step, shape = TemporalSegmentMask(segments, masked), ClipShape(get_layout("ntu-25"), frames)
    uniforms = torch.rand(1, 1 + segments, generator=torch.Generator().manual_seed(seed))
    gone = sorted(range(segments), key=uniforms[0, 1:].tolist().__getitem__)[:masked]
    expected = [0.0 if t * segments // frames in gone else 1.0 for t in range(frames)]
    assert step.params(uniforms, shape).keep[0].tolist() == expected


def test_segments_are_equally_likely(ntu, make_clips, sample, assert_share):
    clips, shape = make_clips(ntu, frames=64)
    keep = sample(TemporalSegmentMask(), shape, COUNT).keep
    assert torch.equal(keep.sum(1), torch.full((COUNT,), 40.0, dtype=keep.dtype))
    for segment in range(16):
        assert_share(keep[:, 4 * segment] == 0, 6 / 16)
    result = sample(TemporalSegmentMask(), shape, len(clips)).apply(clips)[..., 0]
    assert ((result == 0).all(1).all(2).sum(1) == 24).all()
    assert ((result == clips[..., 0]) | (result == 0)).all()


def test_frame_masks_merge():
    first, second = FrameMask(torch.tensor([[1.0, 0.0, 1.0]])), FrameMask(torch.tensor([[1.0, 1.0, 0.0]]))
    assert first.then(second).keep.tolist() == [[1, 0, 0]]


def still_but(moves, frames, layout):
    """A clip that moves after the frames named in ``moves``; its confidence is the number of the frame."""
    shape = ClipShape(layout, frames)
    speed = torch.tensor([0.0, *(moves.get(t, 0) for t in range(frames - 1))], dtype=torch.float64)
    clip = torch.zeros(1, 3, frames, layout.num_joints, 1, dtype=torch.float64)
    clip[:, :2] = speed.cumsum(0)[:, None, None]
    clip[:, 2] = torch.arange(frames)[:, None, None]
    return clip, shape


def test_moving_frames_go_first(coco, sample, assert_share):
    clip, shape = still_but({1: 1, 4: -2, 8: 3}, 10, coco)
    step = MotionAttentionMask()
    assert step.output_shape(shape).frames == 6
    params = sample(step, shape, COUNT)
    assert params.motion(clip)[0].tolist() == [0, 1, 0, 0, 4, 0, 0, 0, 9, 0]
    stay = params.apply(clip.expand(COUNT, -1, -1, -1, -1))[:, 2, :, 0, 0]
    assert (stay.diff(dim=1) > 0).all()
    assert not torch.isin(stay, torch.tensor([4.0, 8.0]).double()).any()
    for frame in (0, 1, 2, 3, 5, 6, 7, 9):
        assert_share((stay == frame).any(1), 6 / 8)


@settings(max_examples=40)
@given(st.integers(1, 40), st.floats(0, 0.45), st.integers(0, 2**32 - 1))
def test_calm_frames_one_by_one(frames, ratio, seed):
    count = round(ratio * frames)
    step, shape = MotionAttentionMask(ratio), ClipShape(get_layout("coco-17"), frames, 2)
    if frames <= 2 * count:
        return
    generator = torch.Generator().manual_seed(seed)
    clip = torch.randn(1, 3, frames, 17, 2, generator=generator, dtype=torch.float64)
    uniforms = torch.rand(1, step.num_uniforms(shape), generator=generator)
    motion = [(clip[0, :2, t + 1] - clip[0, :2, t]).square().mean().item() for t in range(frames - 1)] + [0]
    calm = sorted(range(frames), key=motion.__getitem__)[: frames - count]
    stay = sorted(sorted(calm, key=uniforms[0, 1:].tolist().__getitem__)[: frames - 2 * count])
    assert torch.equal(step.params(uniforms, shape).apply(clip), clip[:, :, stay])


def test_of_equal_frames_the_later_go(coco):
    clip, _ = still_but({}, 10, coco)
    lots = torch.arange(10).flip(0)[None] / 10
    assert DropMotionFrames(lots, 3, 4, 2).apply(clip)[0, 2, :, 0, 0].tolist() == [3, 4, 5, 6]


def test_later_steps_see_the_shorter_clip(ntu, make_clips):
    clips, shape = make_clips(ntu, frames=50)
    view = View((MotionAttentionMask(), GaussianNoise(), TemporalSegmentMask()))
    assert view.output_shape(shape) == ClipShape(ntu, 30, 2)
    params = view.sample(shape, len(clips))
    assert params[1].values.shape[2] == params[2].keep.shape[1] == 30
    assert view.apply(clips, params).shape[2] == 30


def test_nothing_left(ntu):
    with pytest.raises(ValueError, match=r"ratio 0\.49 leaves nothing of clips of 10 frames"):
        MotionAttentionMask(0.49).output_shape(ClipShape(ntu, 10))


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: FrameDrop(1.1), "ratio"),
        (lambda: TemporalSegmentMask(0), "segments"),
        (lambda: TemporalSegmentMask(4, 5), "masked must not be above segments = 4, got 5"),
        (lambda: TemporalSegmentMask(masked=-1), "masked"),
        (lambda: MotionAttentionMask(0.5), "ratio"),
        (lambda: MotionAttentionMask(p=0.5), "'p' must be 1.* got 0.5"),
    ],
)
def test_settings_out_of_range(make, key):
    with pytest.raises(ValueError, match=key):
        make()


def test_frames_are_dropped(ntu, make_clips, sample, assert_share):
    clips, shape = make_clips(ntu, frames=20)
    keep = sample(FrameDrop(0.3), shape, COUNT).keep
    assert (keep.sum(1) == 14).all()
    for frame in range(20):
        assert_share(keep[:, frame] == 0, 6 / 20)
    assert_share((keep[:, :2] == 0).all(1), 6 / 20 * 5 / 19)
    result = sample(FrameDrop(0.3), shape, len(clips)).apply(clips)[..., 0]
    assert ((result == 0).all(1).all(2).sum(1) == 6).all()
    assert ((result == clips[..., 0]) | (result == 0)).all()
