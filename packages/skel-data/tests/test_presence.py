import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import CrosSCLR50, apply_pipeline, presence


def test_a_body_is_there_where_any_joint_is_not_zero():
    clips = np.zeros((2, 3, 4, 5, 2), np.float32)
    clips[0, 1, 2, 3, 0] = -0.5
    clips[1, :, :2, :, 1] = 1
    mask = presence(clips)
    assert (mask.shape, mask.dtype) == ((2, 2, 4), bool)
    assert np.argwhere(mask).tolist() == [[0, 0, 2], [1, 1, 0], [1, 1, 1]]
    assert np.array_equal(presence(clips[0]), mask[0])
    assert not presence(np.copysign(np.zeros((1, 3, 2, 2, 1)), -1)).any()


def test_clips_of_a_pipeline(ntu):
    recordings = [np.random.default_rng(0).normal(size=(60, bodies, 25, 3)) for bodies in (1, 2)]
    mask = presence(apply_pipeline(CrosSCLR50(), ntu, recordings))
    assert mask[:, 0].all()
    assert mask[:, 1].all(1).tolist() == [False, True]


def test_errors():
    with pytest.raises(ValueError, match=r"must be \(..., C, T, V, M\), got shape \(3, 4, 5\)"):
        presence(np.zeros((3, 4, 5)))


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.97, 1.0]))
@settings(max_examples=20, deadline=None)
def test_tensors_give_the_same(seed, share):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    clips = rng.normal(size=(2, 3, 4, 3, 2)).astype(np.float32)
    clips[rng.random(clips.shape) < share] = 0
    expected = presence(clips)
    mask = presence(torch.from_numpy(clips))
    assert mask.dtype == torch.bool
    assert np.array_equal(mask.numpy(), expected)
    assert np.array_equal(expected, (clips != 0).any((1, 3)).transpose(0, 2, 1))
