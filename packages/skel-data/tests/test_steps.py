import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import SkeletonLayout, get_layout, layout_names
from skel_data.pipelines import _steps as steps


def batch(values, dims=3):
    """Batch of one clip with one body and one joint from a list over time; None is a gap."""
    x = np.zeros((1, len(values), 1, 1, dims), np.float32)
    for t, value in enumerate(values):
        x[0, t] = np.nan if value is None else value
    return steps.known_joints(x, dims)


def series(x):
    return x[0, :, 0, 0, 0].tolist()


def test_spine():
    pairs = {
        name: steps.spine(get_layout(name), "agcn300")
        for name in layout_names()
        if not name.startswith("hand-")
    }
    assert pairs["ntu-25"] == (0, 1)  # the published clips go by these
    for name in ("kinect-20", "utd-20", "jhmdb-15"):
        joints = get_layout(name).joints
        assert [joints[j] for j in pairs[name]] in (
            ["hip center", "spine"],
            ["belly", "neck"],
        )
    assert pairs["coco-17"] is None  # no joint between the hips
    assert pairs["openpose-18"] is None  # the hips hang from the neck


@pytest.mark.parametrize("root", ["pelvis", "chest"])
def test_spine_does_not_go_by_the_root(root):
    """The same tree, hung from below and from above."""
    bones = [["belly", "pelvis"], ["chest", "belly"]]
    sides = [
        [f"{side} {part}", at]
        for side in ("left", "right")
        for part, at in (("hip", "pelvis"), ("arm", "chest"))
    ]
    layout = SkeletonLayout.from_dict(
        {
            "joints": ["pelvis", "belly", "chest", "left hip", "right hip", "left arm", "right arm"],
            "bones": [*(bones if root == "pelvis" else [bone[::-1] for bone in bones]), *sides],
            "shoulders": ["left arm", "right arm"],
        }
    )
    assert steps.spine(layout, "agcn300") == (0, 1)


def test_known_joints():
    x = np.ones((1, 4, 1, 1, 3), np.float32)
    x[0, 1] = 0
    x[0, 2, ..., 1] = np.nan
    x[0, 3, ..., 0] = 0
    out, mask = steps.known_joints(x, 3)
    assert mask[0, :, 0, 0].tolist() == [True, False, False, True]
    assert not out[0, 1:3].any()
    out, mask = steps.known_joints(
        np.array([[[[[1, 2, 0.5], [1, 2, 0], [0, 0, 0.5], [0, 1, 1]]]]], np.float32), 2
    )
    assert mask[0, 0, 0].tolist() == [True, False, False, True]
    assert not out[0, 0, 0, 1:3].any()


def test_fill_is_linear_between_and_nearest_at_joint_ends():
    x, mask = batch([1, None, None, 4, None])
    filled, filled_mask = steps.fill(x, mask, 3)
    assert series(filled) == [1, 2, 3, 4, 0]  # the body has gone, so the gap at the end stays
    assert filled_mask[0, :, 0, 0].tolist() == [True, True, True, True, False]
    # With a second joint that is always seen, the body is there, and the nearest value is held
    x2 = np.concatenate([x, np.full_like(x, 7)], 3)
    mask2 = np.concatenate([mask, np.ones_like(mask)], 3)
    assert series(steps.fill(x2, mask2, 3)[0]) == [1, 2, 3, 4, 4]
    mask2[0, 0, 0, 0], x2[0, 0, 0, 0] = False, 0
    assert series(steps.fill(x2, mask2, 3)[0]) == [4, 4, 4, 4, 4]


def test_fill_leaves_unseen_joints_and_confidence():
    x = np.zeros((1, 3, 1, 2, 3), np.float32)
    x[0, :, 0, 0] = [[2, 2, 0.9], [0, 0, 0], [4, 4, 0.5]]
    filled, mask = steps.fill(*steps.known_joints(x, 2), 2)
    assert filled[0, 1, 0, 0].tolist() == [3, 3, 0]
    assert not mask[0, :, 0, 1].any()
    assert not filled[0, :, 0, 1].any()


def test_trim():
    x, mask = batch([None, None, 3, None, 5, None])
    trimmed, trimmed_mask, lengths = steps.trim(x, mask)
    assert series(trimmed) == [3, 0, 5]
    assert trimmed_mask[0, :, 0, 0].tolist() == [True, False, True]
    assert lengths.tolist() == [3]
    nothing = steps.trim(*batch([None, None]))
    assert nothing[2].tolist() == [1]


def test_centre_takes_the_first_frame_the_joint_is_seen():
    x = np.arange(1, 13, dtype=np.float32).reshape(1, 2, 1, 2, 3)
    mask = np.ones(x.shape[:4], bool)
    assert np.array_equal(steps.centre(x, mask, 1, 3), x - [4, 5, 6])
    mask[0, 0, 0, 1] = False
    expected = (x - [10, 11, 12]) * mask[..., None]
    assert np.array_equal(steps.centre(x * mask[..., None], mask, 1, 3), expected)
    mask[0, 1, 0, 1] = False  # never seen: the mean of what is seen in the first frame
    assert np.array_equal(steps.centre(x * mask[..., None], mask, 1, 3), (x - [1, 2, 3]) * mask[..., None])


@given(st.floats(0, 6.28), st.integers(0, 99))
@settings(max_examples=25)
def test_face_undoes_any_turn_about_the_vertical(angle, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 3, 2, 4, 3)).astype(np.float32)
    x[:, :, 0, 1] = x[:, :, 0, 0] + [1, 0.3, 0.5] + 0.1 * rng.normal(size=(2, 3, 3))
    mask = np.ones(x.shape[:4], bool)
    faced = steps.face(x, mask, ((0, 1),))
    turned = steps.turn(x, np.full((2, 1, 1, 1), np.cos(angle)), np.full((2, 1, 1, 1), np.sin(angle)))
    np.testing.assert_allclose(steps.face(turned, mask, ((0, 1),)), faced, atol=2e-6)
    across = (faced[:, :, 0, 1] - faced[:, :, 0, 0]).mean(1)
    assert (across[:, 0] > 0).all()
    np.testing.assert_allclose(across[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(faced, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)
    assert np.array_equal(faced[..., 1], x[..., 1])


def test_face_without_a_direction_turns_nothing():
    x = np.zeros((1, 2, 1, 2, 3), np.float32)
    x[..., 1, 1] = 1  # one joint straight above the other
    assert np.array_equal(steps.face(x, np.ones(x.shape[:4], bool), ((0, 1),)), x)


def test_bone_length_is_the_median_over_frames():
    x = np.zeros((1, 4, 1, 2, 3), np.float32)
    x[0, :, 0, 1, 0] = [1, 2, 100, 3]
    mask = np.ones(x.shape[:4], bool)
    assert steps.bone_length(x, mask, ((1, 0),), 3).tolist() == [2.5]
    mask[0, 2] = False
    assert steps.bone_length(x, mask, ((1, 0),), 3).tolist() == [2]
    assert steps.bone_length(x, ~mask & False, ((1, 0),), 3).tolist() == [0]
    assert steps.scale_to(0.5, x, mask, ((1, 0),), 3).tolist() == [0.25]
    assert steps.scale_to(0.5, x * 0, mask, ((1, 0),), 3).tolist() == [1]


@pytest.mark.parametrize(
    ("values", "frames", "expected"),
    [
        ([0.1, 1, 2, 3], 4, [0.1, 1, 2, 3]),
        ([1, 2, 3, 4], 2, [1.5, 3.5]),
        ([1, 3], 4, [1, 1.5, 2.5, 3]),
        ([5], 3, [5, 5, 5]),
        ([1, None, 3, 4], 2, [1, 3.5]),
        ([None, 2, 3, 4], 8, [0, 0, 2, 2.25, 2.75, 3.25, 3.75, 4]),
    ],
)
def test_resample(values, frames, expected):
    x, mask = batch(values)
    out, out_mask = steps.resample(x, mask, np.array([len(values)]), frames)
    np.testing.assert_allclose(series(out), expected, rtol=1e-6)
    assert out_mask[0, :, 0, 0].tolist() == [value != 0 for value in expected]


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 3))
@settings(max_examples=25)
def test_resample_ignores_padding_and_keeps_lines(length, frames, padding):
    x = np.zeros((1, length + padding, 1, 1, 3), np.float32)
    x[0, :length, 0, 0] = np.linspace(1, 2, length)[:, None]
    out, _ = steps.resample(*steps.known_joints(x, 3), np.array([length]), frames)
    at = ((np.arange(frames) + 0.5) * length / frames - 0.5).clip(0, length - 1)
    np.testing.assert_allclose(
        series(out), np.interp(at, np.arange(length), x[0, :length, 0, 0, 0]), rtol=1e-6
    )
