"""Parameters can be looked at, kept, and applied to other clips: a second stream, a mask."""

from dataclasses import fields, is_dataclass

import pytest
import torch

from skel_augment import (
    AUGMENTATIONS,
    MotionAttentionMask,
    OneOf,
    PartMask,
    Shear,
    TemporalCropResize,
    TimeFlip,
    View,
)
from skel_data import ClipShape

MAKE = {name: kind() for name, kind in AUGMENTATIONS.items() if kind is not OneOf}
MAKE["one_of"] = OneOf((Shear(), PartMask(2), TimeFlip()))
LINEAR = sorted(MAKE.keys() - {"gaussian_noise", "joint_drift", "joint_jitter", "motion_attention_mask"})
MASKS = ["central_spatial_mask", "frame_drop", "joint_mask", "part_mask", "structural_spatial_mask"]
ALL = pytest.mark.parametrize("step", [pytest.param(step, id=name) for name, step in sorted(MAKE.items())])


@ALL
def test_parameters_have_a_row_for_each_clip(step, ntu, make_clips, sample, tensors):
    clips, shape = make_clips(ntu)
    params = sample(step, shape, len(clips))
    assert is_dataclass(params)
    assert fields(params)
    assert tensors(params)
    assert all(len(tensor) == len(clips) for tensor in tensors(params))


@ALL
def test_replay_gives_the_same(step, ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    params = sample(step, shape, len(clips))
    first = params.apply(clips)
    params.apply(clips + 1)
    assert torch.equal(params.apply(clips), first)
    again = sample(step, shape, len(clips))
    assert torch.equal(again.apply(clips), first)


@pytest.mark.parametrize("name", LINEAR)
def test_a_second_stream_gets_the_same_change(name, ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    other, _ = make_clips(ntu, seed=1)
    step = MAKE[name]
    params = sample(step, shape, len(clips))
    changed, replayed = params.apply(clips), params.apply(other)
    # what is done is linear, so it is the same to both only if it is so to their sum
    torch.testing.assert_close(params.apply(clips + 2 * other), changed + 2 * replayed)


@pytest.mark.parametrize("name", [*MASKS, "temporal_segment_mask"])
def test_a_mask_of_ones_tells_what_is_hidden(name, ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    params = sample(MAKE[name], shape, len(clips))
    seen = params.apply(torch.ones_like(clips[:, :1]))
    assert set(seen.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(params.apply(clips), clips * seen)


@pytest.mark.parametrize("name", ["speed_change", "temporal_crop_resize", "time_warp", "segment_shuffle"])
def test_the_frames_that_are_seen_can_be_told(name, ntu, sample):
    shape = ClipShape(ntu, 20)
    step = MAKE[name]
    params = sample(step, shape, 4)
    numbers = torch.arange(20, dtype=torch.float64).view(1, 1, 20, 1, 1).expand(4, 1, -1, 25, 1)
    told = params.index if name == "segment_shuffle" else params.position
    torch.testing.assert_close(params.apply(numbers)[:, 0, :, 0, 0], told.double())


@pytest.mark.parametrize("last", [TimeFlip(), TemporalCropResize(frames=12), MotionAttentionMask(0.1)])
def test_what_depends_on_the_clips_is_told_to_a_second_stream(last, ntu, make_clips):
    clips, shape = make_clips(ntu, frames=30)
    clips[:, :, 20:] = 0
    numbers = torch.arange(30, dtype=clips.dtype).view(1, 1, 30, 1, 1).expand_as(clips)
    view = View((TimeFlip(p=0.5), TemporalCropResize(padded=True), MotionAttentionMask(), last))
    params = view.sample(shape, len(clips), dtype=clips.dtype)
    resolved = view.resolve(clips, params)
    changed = view.apply(clips, params)
    assert torch.equal(view.apply(clips, resolved), changed)
    # what is done is linear, so it is the same to both only if it is so to their sum
    stream = view.apply(numbers, resolved)
    torch.testing.assert_close(view.apply(clips + 2 * numbers, resolved), changed + 2 * stream)
    assert not torch.equal(view.apply(numbers, params), stream)
