"""Laws and limits; `test_golden_pipelines` has the numbers."""

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import CTRGCN, apply_pipeline, get_layout


def recording(layout, seen, seed=0):
    """Everybody stands apart from the others, and is in the frames where `seen` (T, M) is true."""
    rng = np.random.default_rng(seed)
    seen = np.asarray(seen, bool)
    shape = rng.uniform(-0.2, 0.2, (seen.shape[1], layout.num_joints, layout.dims)) * rng.uniform(0.5, 1)
    shape[..., 1] *= 5
    clip = shape + 3 * np.arange(1, seen.shape[1] + 1)[:, None, None]
    clip = clip + rng.normal(size=(len(seen), seen.shape[1], 1, layout.dims)) * rng.uniform(
        0, 0.3, (seen.shape[1], 1, 1)
    )
    return (clip * seen[..., None, None]).astype(np.float32)


def test_starts_with_the_spine_at_the_origin_and_keeps_the_way(ntu):
    clip = recording(ntu, np.ones((15, 1)))
    out = apply_pipeline(CTRGCN(), ntu, [clip])[0, ..., 0].transpose(1, 2, 0)
    np.testing.assert_allclose(out[:15], clip[:, 0] - clip[0, 0, 1], atol=1e-6)
    assert not out[15:].any()
    kept = apply_pipeline(CTRGCN(centred=False), ntu, [clip])[0, ..., 0].transpose(1, 2, 0)
    assert np.array_equal(kept[:15], clip[:, 0])


def test_frames_beyond_the_last_are_dropped(ntu):
    clip = recording(ntu, np.ones((30, 2)))
    whole, cut = (apply_pipeline(CTRGCN(frames=frames), ntu, [clip]) for frames in (40, 20))
    assert np.array_equal(whole[:, :, :20], cut)


def test_where_all_bodies_are_brief_all_are_kept(ntu):
    clip = recording(ntu, [[1, 0]] * 4 + [[1, 1]] * 4)
    out = apply_pipeline(CTRGCN(), ntu, [clip])[0]
    assert np.sort((out != 0).any((0, 2)).sum(0)).tolist() == [4, 8]
    one = apply_pipeline(CTRGCN(few=4), ntu, [clip])[0]
    assert (one != 0).any((0, 2)).sum(0).tolist() == [8, 0]


def test_no_body_at_all_gives_zeros(ntu):
    clip = recording(ntu, np.ones((12, 2)))
    nobody = np.full_like(clip, np.nan)
    out = apply_pipeline(CTRGCN(), ntu, [nobody, clip])
    assert not out[0].any()
    assert out[1].any()
    assert not apply_pipeline(CTRGCN(), ntu, [nobody]).any()


def test_an_id_given_twice_in_a_frame_counts_once(ntu):
    clip = recording(ntu, np.ones((12, 2)))
    tracks = np.ones((12, 2), np.int64)
    out = apply_pipeline(CTRGCN(), ntu, [clip], [tracks])
    assert np.array_equal(out, apply_pipeline(CTRGCN(), ntu, [clip[:, :1]]))


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_slots(ntu, slots):
    clip = recording(ntu, np.ones((12, 3)))
    out = apply_pipeline(CTRGCN(bodies=slots), ntu, [clip])[0]
    assert out.any((0, 1, 2)).tolist() == [True] * slots
    # Whoever moves most comes first
    spread = [out[:, :12, :, slot].std((1, 2)).sum() for slot in range(slots)]
    assert spread == sorted(spread, reverse=True)


def test_two_dimensions_and_confidence():
    layout = evolve(get_layout("coco-17"), confidence=True)
    clip = recording(layout, np.ones((12, 2)))
    clip = np.concatenate([clip, np.full((12, 2, 17, 1), 0.5)], -1)
    clip[:, :, 3] = [9e3, -9e3, 0]  # confidence 0: neither wide nor moving
    out = apply_pipeline(CTRGCN(), layout, [clip])[0]
    assert not out[:, :, 3].any()
    assert out[2, :12, :3].all()
    assert np.abs(out[:2]).max() < 20


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 20))
@settings(max_examples=40)
def test_numbers_of_ids_and_the_place_do_not_matter(seed, people, frames):
    rng = np.random.default_rng(seed)
    layout = get_layout("utd-20")
    clip = recording(layout, rng.random((frames, people)) < rng.choice([0.5, 0.9]), seed)
    slot = np.arange(1, people + 1)
    tracks = np.where(clip.any((2, 3)), slot, 0)
    other = np.where(clip.any((2, 3)), rng.permutation(10**17 + slot), 0)
    moved = np.where(clip != 0, clip + np.float32([0.5, -1, 2]), 0)
    pipeline = CTRGCN(frames=frames, few=3)
    first, second, third = apply_pipeline(pipeline, layout, [clip, clip, moved], [tracks, other, tracks])
    assert np.array_equal(first, second)
    np.testing.assert_allclose(first, third, atol=1e-5)
    # Frames with a body come first, without a gap
    there = first.any((0, 2, 3))
    assert not np.diff(there.astype(int)).max(initial=0) > 0
