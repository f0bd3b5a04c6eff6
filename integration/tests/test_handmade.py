import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_data import get_layout
from skel_recipes.evaluate.handmade import handmade_features

MANY = 10**6


def clips_of(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("layout", "bodies"), [("kinect-20", 1), ("ntu-25", 2), ("coco-17", 1), ("mediapipe-33", 1)]
)
def test_shapes_of_any_layout(layout, bodies):
    layout = get_layout(layout)
    clips = clips_of((3, layout.channels, 5, layout.num_joints, bodies))
    joints = layout.num_joints * bodies
    assert handmade_features("distances", clips, layout, MANY).shape == (3, 5 * joints * (joints - 1) // 2)
    assert handmade_features("coordinates", clips, layout, MANY).shape == (3, clips[0].size)


def test_unknown_features_are_refused():
    with pytest.raises(ValueError, match="no hand-made features 'angles'; there are coordinates, distances"):
        handmade_features("angles", clips_of((1, 3, 2, 20, 1)), get_layout("kinect-20"), MANY)


def test_coordinates_are_the_clips():
    clips = clips_of((4, 3, 6, 20, 1))
    found = handmade_features("coordinates", clips, get_layout("kinect-20"), clips[0].size)
    np.testing.assert_array_equal(found, clips.reshape(4, -1))
    thinned = handmade_features("coordinates", clips, get_layout("kinect-20"), 3 * 60 + 59)
    np.testing.assert_array_equal(thinned, clips[:, :, [0, 2, 5]].reshape(4, -1))
    assert handmade_features("coordinates", clips, get_layout("kinect-20"), 1).shape == (4, 60)


@pytest.mark.parametrize(("layout", "dims"), [("ntu-25", 3), ("coco-17", 2)])
def test_distances_are_those_of_all_pairs(layout, dims):
    layout = get_layout(layout)
    clips = clips_of((2, layout.channels, 4, layout.num_joints, 2))
    found = handmade_features("distances", clips, layout, MANY).reshape(2, 4, -1)
    points = clips[:, :dims].transpose(0, 2, 3, 4, 1).reshape(2, 4, -1, dims)
    every = np.linalg.norm(points[:, :, :, None] - points[:, :, None], axis=-1)
    first, second = np.triu_indices(every.shape[-1], 1)
    np.testing.assert_allclose(found, every[:, :, first, second], rtol=1e-5)


def test_distances_of_an_absent_body_are_zero():
    clips = clips_of((1, 3, 4, 25, 2))
    clips[0, :, 2, :, 1] = 0
    both = np.ones((25, 2), bool)
    found = handmade_features("distances", clips, get_layout("ntu-25"), MANY).reshape(4, -1)
    both[:, 1] = False
    first, second = np.triu_indices(50, 1)
    there = both.reshape(-1)[first] & both.reshape(-1)[second]
    assert (found[2, there] > 0).all()
    assert (found[2, ~there] == 0).all()
    assert (np.delete(found, 2, 0) > 0).all()


@pytest.mark.parametrize(
    ("frames", "width", "kept"), [(32, 190 * 20, (20, 190)), (32, 190 * 3, (8, 71)), (4, 100, (4, 25))]
)
def test_wide_distances_keep_frames_then_pairs_evenly(frames, width, kept):
    """Whatever the width, the numbers are some of those of all frames and pairs, in their order."""
    layout, clips = get_layout("kinect-20"), clips_of((3, 3, frames, 20, 1))
    every = handmade_features("distances", clips, layout, MANY).reshape(3, frames, 190)
    found = handmade_features("distances", clips, layout, width)
    assert found.shape == (3, kept[0] * kept[1])
    rows = np.linspace(0, frames - 1, kept[0]).round().astype(int)
    pairs = np.linspace(0, 189, kept[1]).round().astype(int)
    np.testing.assert_array_equal(found, every[:, rows][:, :, pairs].reshape(3, -1))


@given(seed=st.integers(0, 99), angle=st.floats(-3, 3), shift=st.floats(-2, 2))
def test_distances_do_not_change_under_rotation_and_shift(seed, angle, shift):
    clips = clips_of((2, 3, 3, 20, 1), seed).astype(np.float64)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    moved = np.einsum("ij,njtvm->nitvm", turn, clips) + shift
    layout = get_layout("kinect-20")
    first, second = (handmade_features("distances", one, layout, MANY) for one in (clips, moved))
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
