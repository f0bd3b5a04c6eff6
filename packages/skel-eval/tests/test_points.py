import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skel_eval import Skeleton, clip_points, present_joints
from skel_eval.draw.points import aspect, fit, spaced, strip


def walk(frames=20, bodies=1):
    """Three joints at random; the clip is centred on the first."""
    clip = np.random.default_rng(0).normal(size=(3, frames, 3, bodies))
    clip[:, :, 0] = 0
    return clip


def there(clip, **more):
    """Number of joints that are there in each frame, (T,)."""
    return present_joints(clip, **more).sum((1, 2)).tolist()


# which joints are there


def test_the_joint_that_a_clip_is_centred_on_is_there():
    assert there(walk(4)) == [3] * 4
    assert there(walk(4, bodies=2)) == [6] * 4


def test_absent_bodies_and_missing_joints_are_not():
    clip = walk(4, bodies=2)
    clip[..., 1] = 0
    assert there(clip) == [3] * 4
    clip[:, 2, 2] = 0
    assert there(clip) == [3, 3, 2, 3]
    clip[:, :, 2] = 0  # now two joints are always zero, so neither is the origin
    assert there(clip) == [1] * 4
    assert there(np.zeros((3, 4, 3, 1))) == [0] * 4


@pytest.mark.parametrize("gone", [np.nan, np.inf])
def test_what_is_not_finite_is_missing(gone):
    clip = walk(4)
    clip[1, 2, 1] = gone
    assert there(clip) == [3, 3, 2, 3]
    clip[0, :, 2] = gone  # throughout, and no origin
    assert there(clip) == [2, 2, 0, 2]  # nothing is left in the third frame but the origin


def test_clip_centred_on_its_first_frame():
    clip = np.random.default_rng(0).normal(size=(3, 6, 3, 1))
    clip[:, :, 0] = np.arange(6)[:, None] / 100  # starts at the origin and moves on slowly
    assert there(clip) == [3] * 6
    clip[:, 3, 2] = 0  # far from the origin before and after
    assert there(clip) == [3, 3, 3, 2, 3, 3]
    clip[:, 0, 2] = 0  # now two joints are at zero in the first frame, so neither is its origin
    assert there(clip) == [1, 3, 3, 2, 3, 3]


def test_a_joint_that_the_recording_never_has_is_no_origin():
    clip = walk(4)
    assert there(clip, known=np.array([False, True, True])) == [2] * 4
    clip[:, :, 1] = 0  # two are at zero, of which one can be the origin
    assert there(clip, known=np.array([True, False, True])) == [2] * 4


# points


def test_points_are_right_and_down():
    clip = np.arange(24, dtype=np.float32).reshape(3, 2, 4, 1) + 1
    points = clip_points(torch.from_numpy(clip))
    assert points.shape == (2, 1, 4, 2)
    np.testing.assert_array_equal(points[..., 0], clip[0].transpose(0, 2, 1))
    np.testing.assert_array_equal(points[..., 1], -clip[1].transpose(0, 2, 1))
    np.testing.assert_array_equal(clip_points(clip, up=False)[..., 1], clip[1].transpose(0, 2, 1))
    np.testing.assert_array_equal(clip_points(clip, (0, 2))[..., 1], -clip[2].transpose(0, 2, 1))


def test_missing_joints_are_nan():
    clip = walk(4)
    clip[:, 2, 2] = 0
    assert np.argwhere(np.isnan(clip_points(clip)).all(-1)).tolist() == [[2, 0, 2]]
    assert not np.signbit(clip_points(clip)[0, 0, 0]).any()
    mask = np.ones((4, 3, 1), bool)
    mask[1, 0] = False
    assert np.argwhere(np.isnan(clip_points(clip, present=mask)).all(-1)).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip": np.zeros((3, 4, 5))}, r"clip must have shape \(C, T, V, M\)"),
        ({"axes": (0, 3)}, r"axes must lie in 0..2, got \(0, 3\)"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=message):
        clip_points(**({"clip": walk()} | change))


# where figures stand


def test_frames_are_spaced_among_those_with_a_body():
    clip = walk()
    clip[:, 10:] = 0  # padding
    assert spaced(clip_points(clip), 4).tolist() == [0, 3, 6, 9]
    assert strip(clip_points(clip), 4, 100).times == (0, 3, 6, 9)
    assert spaced(clip_points(clip[:, :3]), 8).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="frames must be at least 1, got 0"):
        spaced(clip_points(clip), 0)


@given(seed=st.integers(0, 2**32 - 1), stretch=st.floats(1e-3, 1e3))
def test_figures_stay_inside_at_one_scale(seed, stretch):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(6, 2, 5, 2)) * (stretch, 1) * 10 ** rng.uniform(-3, 3) + rng.normal(size=2)
    points[rng.random((6, 2, 5)) < 0.2] = np.nan
    known = ~np.isnan(points)
    placed = fit(points, 200, 120)
    np.testing.assert_array_equal(~np.isnan(placed), known)
    inside = placed[known[..., 0]]
    assert (inside >= -1e-6).all()
    assert (inside <= np.array([200, 120]) + 1e-6).all()
    spread, before = np.ptp(inside, 0), np.ptp(points[known[..., 0]], 0)
    np.testing.assert_allclose(spread[0] * before[1], spread[1] * before[0], rtol=1e-6)
    figures = strip(points, 4, 100)
    stood = figures.points[~np.isnan(figures.points[..., 0])]
    assert (np.abs(stood[:, 0]) <= figures.width / 2 + 1e-6).all()
    assert (stood[:, 1] >= -1e-6).all()
    assert (stood[:, 1] <= 100 + 1e-6).all()
    assert np.isclose(stood[:, 1].max(), 100)
    assert 0.6 < aspect(points) < 1.7


# skeleton


def test_bones_by_side():
    skeleton = Skeleton([(1, 0), (2, 0), (2, 1), (3, 1), (0, 0)], [0, 1, 2, 1])
    assert skeleton.by_side(4) == [([(2, 1)], [0]), ([(1, 0), (3, 1)], [1, 3]), ([(2, 0)], [2])]
    assert Skeleton([(1, 0)]).by_side(2) == [([(1, 0)], [0, 1]), ([], []), ([], [])]


@pytest.mark.parametrize(
    ("skeleton", "message"),
    [
        (Skeleton([(0, 3)]), "bones must name joints 0..2"),
        (Skeleton([], [0, 1]), "sides must hold 0, 1 or 2 for each of 3 joints"),
        (Skeleton([], [0, 1, 3]), "sides must hold 0, 1 or 2"),
    ],
)
def test_skeletons_that_do_not_fit(skeleton, message):
    with pytest.raises(ValueError, match=message):
        skeleton.by_side(3)
