import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_data import get_layout, import_dataset
from skel_data.readers.mocap._smpl import rest_offsets, rotations

LAYOUT = get_layout("smpl-24")


def at(name):
    return LAYOUT.joints.index(name)


def write(path, frames=3, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"poses": np.zeros((frames, 156)), "trans": np.zeros((frames, 3)), **arrays}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.fixture
def load(tmp_path):
    def run(**settings):
        return import_dataset("smpl", tmp_path / "d", tmp_path / "a.store", overwrite=True, **settings)

    return run


def test_rest(tmp_path, load):
    write(tmp_path / "d" / "a.npz")
    store = load()
    assert (store.layout, store.units) == (LAYOUT, "metres")
    clip = store.clip(0)[0, 0]
    height = clip[at("head"), 1] - clip[at("left foot"), 1]
    assert 1.4 < height < 1.6  # to the head's joint, not its top
    assert clip[at("left wrist"), 0] > 0.6 > -0.6 > clip[at("right wrist"), 0]
    assert np.allclose(clip[at("left knee")], clip[at("right knee")] * (-1, 1, 1), atol=1e-6)
    # Thigh and shin of the mean body, in metres
    bone = np.linalg.norm(rest_offsets(LAYOUT), axis=1)
    assert bone[at("left knee")] == pytest.approx(0.38, abs=0.01)
    assert bone[at("left ankle")] == pytest.approx(0.40, abs=0.01)


def test_turns_and_places(tmp_path, load):
    poses, trans = np.zeros((2, 72)), np.array([[0, 0, 0], [1.0, 2, 3]])
    poses[1, 3 * at("left hip") : 3 * at("left hip") + 3] = (-np.pi / 2, 0, 0)  # the thigh forward
    write(tmp_path / "d" / "a.npz", poses=poses, trans=trans)
    first, second = load().clip(0)[:, 0]
    assert np.allclose(second[0] - first[0], (1, 2, 3), atol=1e-6)
    thigh = (first[at("left knee")] - first[at("left hip")]).astype(float)
    turned = second[at("left knee")] - second[at("left hip")]
    assert np.allclose(turned, (thigh[0], thigh[2], -thigh[1]), atol=1e-6)
    other = [at(name) for name in ("right knee", "head", "left wrist", "left hip")]
    assert np.allclose(second[other], first[other] + (1, 2, 3), atol=1e-6)


def test_amass_has_z_up_and_subjects(tmp_path, load):
    upright = np.tile([np.pi / 2, 0, 0], (2, 1))  # how a body that stands is turned there
    poses = np.concatenate([upright, np.zeros((2, 153))], 1)
    for subject in ("01", "02"):
        write(
            tmp_path / "d" / subject / "x_poses.npz",
            poses=poses,
            trans=np.ones((2, 3)),
            mocap_framerate=120.0,
        )
        np.savez(tmp_path / "d" / subject / "shape.npz", betas=np.zeros(10))
    store = load()
    assert (store.subject_names, store.subjects.tolist(), store.classes) == (("01", "02"), [0, 1], ())
    assert not store.bad_files
    clip = store.clip(0)[0, 0]
    assert clip[at("head"), 1] - clip[at("left foot"), 1] > 1.4
    assert np.ptp(clip[:, 2]) < 0.4


@pytest.mark.parametrize("names", [("root_orient", "pose_body"), ("global_orient", "body_pose")])
def test_other_names(tmp_path, load, names):
    poses = np.random.default_rng(0).normal(size=(3, 66))
    write(tmp_path / "d" / "b" / "a.npz", poses=poses)
    (tmp_path / "d" / "c").mkdir()
    np.savez(
        tmp_path / "d" / "c" / "a.npz",
        **{names[0]: poses[:, :3], names[1]: poses[:, 3:]},
        transl=np.zeros((3, 3)),
    )
    store = load()
    assert store.classes == ("b", "c")
    assert np.array_equal(store.clip(0), store.clip(1))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"poses": np.zeros((3, 60))}, "expected (T, 66 or more)"),
        ({"poses": np.full((3, 66), np.nan)}, "no frame that is finite"),
        ({"poses": None, "root_orient": 1.0, "pose_body": np.zeros((3, 63))}, "1 frame in root_orient, 3 in"),
        ({"poses": None, "root_orient": [], "pose_body": []}, "expected numbers for each frame"),
        ({"trans": np.zeros((2, 3))}, "expected (3, 3)"),
        ({"poses": np.array("x")}, "expected (T, 66"),
    ],
)
def test_files_that_are_none(tmp_path, load, arrays, reason):
    write(tmp_path / "d" / "a.npz")
    write(tmp_path / "d" / "b.npz", **arrays)
    np.savez(tmp_path / "d" / "c.npz", x=1)
    reasons = [bad.reason for bad in load().bad_files]
    assert reason in reasons[0]
    assert "no poses; the file has x" in reasons[1]


@pytest.mark.parametrize("key", ["poses", "trans"])
def test_a_frame_that_is_not_finite_costs_no_other(tmp_path, load, key):
    whole = {"poses": np.random.default_rng(0).normal(size=(3, 66)), "trans": np.ones((3, 3))}
    write(tmp_path / "d" / "a.npz", **whole)
    whole[key] = whole[key].copy()
    whole[key][1, 0] = np.nan
    write(tmp_path / "d" / "b.npz", **whole, mocap_framerate=np.array("60"))
    store = load()
    assert [bad.reason for bad in store.bad_files] == [
        "frame 1 is not finite; the frame is missing in the clip"
    ]
    assert np.array_equal(store.clip(1)[[0, 2]], store.clip(0)[[0, 2]])
    assert (store.clip(1)[1].any(), store.rates.tolist()) == (False, [0, 0])


def test_another_layout_is_refused(tmp_path, load):
    write(tmp_path / "d" / "a.npz")
    with pytest.raises(ValueError, match="convert the store to ntu-25"):
        load(layout="ntu-25")


@given(st.lists(st.floats(-7, 7), min_size=3, max_size=3))
def test_rotations(vector):
    vector = np.array(vector)
    matrix = rotations(vector)
    assert np.allclose(matrix @ matrix.T, np.eye(3))
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert np.allclose(matrix @ vector, vector)
    assert np.trace(matrix) == pytest.approx(1 + 2 * np.cos(np.linalg.norm(vector)))
    assert np.allclose(rotations(-vector), matrix.T)
