import numpy as np
import pytest

from skel_data import Clip


def test_arrays_are_converted():
    clip = Clip([[[[1, 2, 3]]]], "a", tracks=[[5]])
    assert (clip.positions.dtype, clip.positions.shape) == (np.float32, (1, 1, 1, 3))
    assert clip.tracks.dtype == np.int64
    assert (clip.label, clip.subject, clip.camera, clip.setup, clip.replication, clip.split) == (-1,) * 5 + (
        0,
    )


@pytest.mark.parametrize("shape", [(5, 3), (2, 2, 1, 5, 3), (0, 1, 5, 3), (2, 0, 5, 3)])
def test_shape_is_checked(shape):
    with pytest.raises(ValueError, match=r"clip 'a': positions"):
        Clip(np.ones(shape), "a")


def test_tracks_must_fit():
    with pytest.raises(ValueError, match=r"tracks must be \(T, M\) = \(2, 1\)"):
        Clip(np.ones((2, 1, 5, 3)), "a", tracks=np.ones((1, 2)))


def test_too_large_becomes_infinite_without_a_warning():
    assert np.isinf(Clip(np.full((1, 1, 1, 3), 1e300), "a").positions).all()


def test_one_person_needs_no_axis_of_bodies():
    assert Clip(np.ones((4, 5, 3)), "a").positions.shape == (4, 1, 5, 3)
