import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import BODIES_BY
from skel_data.pipelines import _steps as steps
from skel_data.pipelines._steps import are_ghosts, pick_bodies


def bodies(tracks, energies):
    """Two frames of one joint: body i swings by energies[i] around 10 * (i + 1)."""
    tracks = np.array([tracks])
    x = np.zeros((*tracks.shape, 1, 3), np.float32)
    for _, t, m in np.argwhere(tracks):
        body = tracks[0, t, m]
        x[0, t, m] = 10 * body + energies[body - 1] * (-1) ** t
    return *steps.known_joints(x, 3), tracks


def test_bodies_are_ranked_by_motion_and_follow_their_tracks():
    # Bodies 1, 2, 3 change slots; 3 moves most, then 1
    x, mask, tracks = bodies([[1, 2, 3], [3, 1, 2]], [2, 1, 3])
    out, out_mask = pick_bodies(x, mask, tracks, 3, 2)
    assert out[0, :, :, 0, 0].tolist() == [[33, 12], [27, 8]]
    assert out_mask.all()
    one, _ = pick_bodies(x, mask, tracks, 3, 1)
    assert one[0, :, 0, 0, 0].tolist() == [33, 27]


def test_a_body_found_again_under_another_id_keeps_its_slot():
    x, mask, tracks = bodies([[1], [1], [1], [1], [2], [2]], [3, 2])
    out, out_mask = pick_bodies(x, mask, tracks, 3, 2)
    assert out[0, :, 0, 0, 0].tolist() == x[0, :, 0, 0, 0].tolist()
    assert out_mask[0, :, 0].all()
    assert not out[0, :, 1].any()


def test_clips_of_a_batch_do_not_mix_bodies():
    first, second = bodies([[1, 2], [1, 2]], [1, 3]), bodies([[2, 0], [2, 0]], [1, 3])
    x, mask, tracks = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    out, _ = pick_bodies(x, mask, tracks, 3, 2)
    assert out[0, :, :, 0, 0].tolist() == [[23, 11], [17, 9]]
    assert out[1, :, :, 0, 0].tolist() == [[23, 0], [17, 0]]


@pytest.mark.parametrize(("by", "expected"), [("track", [20, 10]), ("file", [10, 20]), ("motion", [10, 20])])
def test_the_one_seen_longest_or_first_in_the_file(by, expected):
    x, mask, tracks = bodies([[1, 2], [1, 2], [1, 2], [0, 2]], [4, 1])
    out, _ = pick_bodies(x, mask, tracks, 3, 2, by=by)
    np.testing.assert_allclose(out[0, 1:3, :, 0, 0].mean(0), expected)


def test_file_order_leaves_slots_as_they_are():
    x, mask, tracks = bodies([[1, 2, 3], [2, 1, 3], [3, 2, 1]], [1, 2, 3])
    out, out_mask = pick_bodies(x, mask, tracks, 3, 2, by="file")
    assert np.array_equal(out, x[:, :, :2])
    assert out_mask.all()
    wider, _ = pick_bodies(x, mask, tracks, 3, 4, by="file")
    assert np.array_equal(wider[:, :, :3], x)
    assert not wider[:, :, 3].any()


def test_confidence():
    x = np.ones((1, 3, 3, 2, 3), np.float32)
    x[..., 2] = np.array([0.3, 0.5, 0.9])[:, None]
    x[0, :2, 2] = 0  # sure, but in one frame only
    x[0, 0, 0, 0] = 0  # a joint that is not known says nothing of the others
    out, _ = pick_bodies(*steps.known_joints(x, 2), None, 2, 3, by="confidence")
    np.testing.assert_allclose(out[0, 2, :, 1, 2], [0.5, 0.3, 0.9])


def person(frames, size=1.0, at=0.0):
    """One body of four joints, (T, V, C), in these frames of six."""
    x = np.zeros((6, 4, 3), np.float32)
    x[frames] = at + size * np.array([[1, 1, 1], [1, 2, 1], [2, 1, 1], [1, 1, 2]])
    return x


def test_ghosts_are_seen_seldom_or_small():
    people = [
        person(slice(0, 6)),
        person(slice(0, 1), at=5),
        person(slice(0, 6), size=0.05, at=9),
        person([2, 3]),
    ]
    x, mask = steps.known_joints(np.stack(people, 1)[None], 3)
    assert are_ghosts(x, mask, 3, 0.2).tolist() == [[False, True, True, False]]
    assert are_ghosts(x, mask, 3, 0.01).tolist() == [[False] * 4]
    assert are_ghosts(x, mask, 3, 0.5).tolist() == [[False, True, True, True]]
    for by in ("motion", "track", "file"):
        out, out_mask = pick_bodies(x, mask, None, 3, 3, by=by, ghosts=0.2)
        assert np.array_equal(out[0, :, 0], people[0])
        assert np.array_equal(out[0, :, 1], people[3])
        assert not out_mask[0, :, 2].any()


def test_ghosts_of_one_slot():
    x, mask = steps.known_joints((person([0, 1, 2, 4, 5]) + person([3], at=30))[None, :, None], 3)
    tracks = np.array([[[1], [1], [1], [2], [1], [1]]])
    out, _ = pick_bodies(x, mask, tracks, 3, 1, ghosts=0.3)
    assert np.array_equal(out[0, :, 0], person([0, 1, 2, 4, 5]))


@given(st.integers(0, 10**6), st.sampled_from(BODIES_BY), st.integers(1, 4), st.sampled_from([0.0, 0.4]))
@settings(max_examples=40)
def test_bodies_are_neither_made_up_nor_doubled(seed, by, count, ghosts):
    rng = np.random.default_rng(seed)
    x = rng.uniform(1, 2, (2, 6, 3, 2, 3)).astype(np.float32)
    tracks = np.stack([[rng.permutation(5)[:3] for _ in range(6)] for _ in range(2)])  # id 0: nobody
    x[tracks == 0] = 0
    x, mask = steps.known_joints(x, 2)
    out, out_mask = pick_bodies(x, mask, tracks, 2, count, by=by, ghosts=ghosts)
    assert out.shape == (2, 6, count, 2, 3)
    assert np.array_equal(out_mask, (out != 0).all(-1))
    for clip, frame in np.ndindex(2, 6):
        there = [tuple(body.ravel()) for body in x[clip, frame] if body.any()]
        kept = [tuple(body.ravel()) for body in out[clip, frame] if body.any()]
        assert len(kept) == len(set(kept))
        assert set(kept) <= set(there)
        if by != "file" and ghosts == 0 and count == 4:
            assert len(kept) == len(there)  # four people, four slots
