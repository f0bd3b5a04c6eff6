import math

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import AGCN300, apply_pipeline, get_layout


def people(layout, present, seed=0):
    """A recording whose slot m holds somebody in the frames where `present` (T, M) is true."""
    rng = np.random.default_rng(seed)
    present = np.asarray(present, bool)
    clip = rng.normal(size=(1, present.shape[1], layout.num_joints, layout.dims)) * rng.uniform(
        0.2, 1, (1, present.shape[1], 1, 1)
    )
    clip = clip + 0.2 * rng.normal(size=(*present.shape, layout.num_joints, layout.dims)) + 2
    return (clip * present[..., None, None]).astype(np.float32)


def align(points, vector, target):
    """Turn points about the normal of both so that the vector comes to lie along the target."""
    normal = np.cross(vector, target)
    if np.abs(normal).sum() < 1e-6:
        return points
    normal /= np.linalg.norm(normal)
    angle = math.acos(np.dot(vector, target) / np.linalg.norm(vector))
    return [
        point * math.cos(angle)
        + np.cross(normal, point) * math.sin(angle)
        + normal * np.dot(normal, point) * (1 - math.cos(angle))
        for point in points
    ]


def published(clip, frames, below, above, shoulders):
    """The published procedure for one clip (T, M, V, 3), as a loop."""
    clip = clip[:frames, :4].astype(np.float64)
    energy = []
    for body in range(clip.shape[1]):
        seen = np.array([frame for frame in clip[:, body] if frame.any()])
        energy.append(sum(seen[..., axis].std() for axis in range(3)) if len(seen) else 0.0)
    best = sorted(range(clip.shape[1]), key=lambda body: -energy[body])[:2]
    out = np.zeros((frames, 2, *clip.shape[2:]))
    for slot, body in enumerate(best):
        source = list(clip[:, body])
        if not source[0].any():
            source = [frame for frame in source if frame.any()]
        while source and not source[-1].any():
            source.pop()
        for t in range(frames if source else 0):
            out[t, slot] = source[t % len(source)]
    centres = out[:, 0, above].copy()
    for t, slot in np.ndindex(frames, 2):
        if out[t, slot].any():
            out[t, slot] -= centres[t]
    rows = out.reshape(-1, 3)
    start = out[0, 0]
    rows = np.array(align(rows, start[above] - start[below], np.array([0.0, 0, 1])))
    start = rows.reshape(out.shape)[0, 0]
    rows = np.array(align(rows, start[shoulders[1]] - start[shoulders[0]], np.array([1.0, 0, 0])))
    return rows.reshape(out.shape).transpose(3, 0, 2, 1)


PRESENT = {
    "one": np.ones((5, 1)),
    "two": np.ones((5, 2)),
    "four of five": np.ones((4, 5)),
    "late": [[1, 0], [1, 0], [1, 1], [1, 0], [1, 1], [1, 0]],
    "gaps": [[1, 1], [1, 0], [0, 1], [1, 1], [0, 0]],
    "empty start": [[0], [0], [1], [0], [1], [1], [0]],
    "longer": np.ones((15, 1)),
    "as long": np.ones((12, 2)),
    "single": np.ones((1, 1)),
}


@pytest.mark.parametrize("layout", ["ntu-25", "kinect-20", "utd-20"])
def test_is_the_published_procedure(layout):
    layout = get_layout(layout)
    joints = {"ntu-25": (0, 1), "kinect-20": (0, 1), "utd-20": (3, 2)}[layout.name]
    clips = [people(layout, present, seed) for seed, present in enumerate(PRESENT.values())]
    got = apply_pipeline(AGCN300(frames=12), layout, clips)
    for name, clip, out in zip(PRESENT, clips, got, strict=True):
        np.testing.assert_allclose(
            out, published(clip, 12, *joints, layout.shoulders), rtol=0, atol=2e-6, err_msg=name
        )


def test_first_frame_stands_upright_and_faces_one_way(ntu):
    out = apply_pipeline(AGCN300(), ntu, [people(ntu, np.ones((7, 1)))])[0, :, 0, :, 0]
    np.testing.assert_allclose(out[:, 1], 0, atol=1e-6)
    np.testing.assert_allclose(out[:2, 0], 0, atol=0.7)  # the second turn tilts it a little
    left, right = ntu.shoulders
    across = out[:, right] - out[:, left]
    assert across[0] > 0
    np.testing.assert_allclose(across[1:], 0, atol=1e-5)


def test_repeats(ntu):
    out = apply_pipeline(AGCN300(), ntu, [people(ntu, np.ones((7, 2)))])[0]
    assert out.any((0, 2)).all()
    assert np.array_equal(out[:, 7:], out[:, :-7])


def test_frames_behind_a_recording_can_stay_empty(ntu):
    recordings = [people(ntu, np.ones((frames, 2)), seed=frames) for frames in (1, 12, 30, 35)]
    filled = apply_pipeline(AGCN300(frames=30), ntu, recordings)
    bare = apply_pipeline(AGCN300(frames=30, repeat=False), ntu, recordings)
    for clip, whole, recording in zip(bare, filled, recordings, strict=True):
        frames = len(recording)
        np.testing.assert_array_equal(clip[:, :frames], whole[:, :frames])
        assert not clip[:, frames:].any()
        assert whole.any((0, 2)).all()


def test_without_a_spine_the_centre_joint_takes_its_place():
    layout = get_layout("mediapipe-33")  # its hips hang on its shoulders
    layout = evolve(layout, confidence=False)
    clip = people(layout, np.ones((4, 1)))
    out = apply_pipeline(AGCN300(frames=4), layout, [clip])[0, ..., 0].transpose(1, 2, 0)
    expected = clip[:, 0] - clip[:, 0, [layout.center]]
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_two_dimensions_are_not_turned_and_confidence_is_kept():
    layout = evolve(get_layout("jhmdb-15"), confidence=True)
    rng = np.random.default_rng(0)
    clip = np.concatenate([people(layout, np.ones((4, 1))), rng.uniform(0.1, 1, (4, 1, 15, 1))], -1)
    clip[2, 0, 5, 2] = 0  # not known
    out = apply_pipeline(AGCN300(frames=8), layout, [clip])[0, ..., 0].transpose(1, 2, 0)
    above = layout.joints.index("neck")
    expected = clip[:, 0].copy()
    expected[..., :2] -= expected[:, [above], :2]
    expected[2, 5] = 0
    np.testing.assert_allclose(out[:4], expected, atol=1e-6)
    assert np.array_equal(out[:4], out[4:])


def test_vectors_along_the_axis_are_not_turned(ntu):
    clip = np.zeros((2, 1, 25, 3), np.float32)
    clip[..., 0, :], clip[..., 1, :] = (0, 0, 2), (0, 0, 1)  # from the spine base down: the opposite way
    left, right = ntu.shoulders
    clip[..., left, :], clip[..., right, :] = (1, 0, 1), (3, 0, 1)
    out = apply_pipeline(AGCN300(frames=2), ntu, [clip])[0, ..., 0]
    assert out[:, 0, 0].tolist() == [0, 0, 1]
    assert out[:, 0, right].tolist() == [3, 0, 0]


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_keeps_distances_and_does_not_see_the_place(seed):
    layout = get_layout("utd-20")
    clip = people(layout, np.ones((4, 2)), seed)
    first, second = apply_pipeline(AGCN300(frames=5), layout, [clip, clip + np.float32([1, -2, 3])])
    np.testing.assert_allclose(first, second, atol=2e-5)
    apart = np.linalg.norm(first[:, :4, :, 0] - first[:, :4, :, 1], axis=0)
    np.testing.assert_allclose(apart, np.linalg.norm(clip[:, 0] - clip[:, 1], axis=-1), atol=2e-5)
    bones = np.linalg.norm(np.diff(first[:, :4], axis=2), axis=0)
    recorded = np.linalg.norm(np.diff(clip, axis=2), axis=-1).transpose(0, 2, 1)
    np.testing.assert_allclose(np.sort(bones, axis=2), np.sort(recorded, axis=2), atol=2e-5)
