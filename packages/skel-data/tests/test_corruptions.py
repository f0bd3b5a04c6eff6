import numpy as np
import pytest

from skel_data import CORRUPTIONS, Recording, corruption_names, get_layout


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(40, 2, 20, 3)).astype(np.float32)
    positions[:5, 1] = 0  # the second body comes late
    tracks = np.where(positions.any((2, 3)), (1, 2), 0)
    return Recording(positions, tracks, get_layout("kinect-20"))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_absent_bodies_stay_absent_and_the_recording_as_it_was(recording, name):
    corrupt, severities = CORRUPTIONS[name]
    before = recording.positions.copy()
    for severity in severities:
        faulty = corrupt(recording, severity, np.random.default_rng(0))
        assert faulty.positions.dtype == np.float32
        assert faulty.tracks.shape == faulty.positions.shape[:2]
        assert not faulty.positions[faulty.tracks == 0].any()
    np.testing.assert_array_equal(recording.positions, before)


def test_how_much_is_missing(recording):
    corrupt = {name: work for name, (work, _) in CORRUPTIONS.items()}
    rng = np.random.default_rng(0)
    joints = corrupt["missing joints"](recording, 0.4, rng).positions[10, 0].any(-1)
    assert joints.sum() == 12
    frames = corrupt["missing frames"](recording, 0.8, rng)
    assert frames.positions.any((1, 2, 3)).sum() == 8
    assert len(frames.positions) == 40
    one = recording.at(slice(0, 1))
    assert corrupt["missing frames"](one, 0.8, rng).positions.any()
    assert len(corrupt["frame rate"](recording, 4, rng).positions) == 10
    assert len(corrupt["frame rate"](one, 8, rng).positions) == 1


def test_noise_is_a_share_of_the_extent(recording):
    noise, _ = CORRUPTIONS["noise"]
    for factor in (1.0, 100.0):  # metres or centimetres
        large = Recording(factor * recording.positions, recording.tracks, recording.layout)
        error = noise(large, 0.1, np.random.default_rng(0)).positions - large.positions
        extent = np.sqrt(3) * factor  # of points of variance 1 in each of three coordinates
        assert error[5:].std() == pytest.approx(0.1 * extent, rel=0.05)


def test_another_view_keeps_bones_and_heights(recording):
    turn, _ = CORRUPTIONS["viewpoint"]
    turned = turn(recording, 30, np.random.default_rng(0)).positions
    bones = [np.linalg.norm(x[:, :, 1:] - x[:, :, :-1], axis=-1) for x in (recording.positions, turned)]
    np.testing.assert_allclose(*bones, rtol=1e-4)
    np.testing.assert_array_equal(turned[..., 1], recording.positions[..., 1])
    cosine = (turned * recording.positions)[..., ::2].sum(-1) / np.square(turned[..., ::2]).sum(-1).clip(1e-9)
    np.testing.assert_allclose(cosine[5:], np.cos(np.deg2rad(30)), atol=1e-4)


def test_flat_recordings_are_not_seen_from_elsewhere():
    assert "viewpoint" not in corruption_names(get_layout("coco-17"))
    assert corruption_names("coco-17") == corruption_names(get_layout("coco-17"))
    assert corruption_names(get_layout("ntu-25")) == list(CORRUPTIONS)
