"""Which way is up: what readers know, what users say, and what is found from the bodies."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_data import SkeletonLayout, get_layout, import_dataset, summarise, warnings_of
from skel_data._up import AXES, find_up, turn_up

STANDING = {  # y up, and the left side towards +x
    "nose": (0, 1.6, 0.1),
    "left shoulder": (0.2, 1.4, 0),
    "right shoulder": (-0.2, 1.4, 0),
    "left wrist": (0.3, 0.9, 0),
    "right wrist": (-0.3, 0.9, 0),
    "left hip": (0.1, 0.9, 0),
    "right hip": (-0.1, 0.9, 0),
    "left ankle": (0.1, 0.1, 0),
    "right ankle": (-0.1, 0.1, 0),
}
LAYOUT = SkeletonLayout.from_dict(
    {"joints": list(STANDING), "bones": [[joint, "nose"] for joint in list(STANDING)[1:]]}
)


def standing(up, frames=6, clips=3):
    """Clips (N, T, V, 3) of people who stand, with y up turned to another axis."""
    random = np.random.default_rng(0)
    x = np.array(list(STANDING.values())) + random.normal(size=(clips, frames, len(STANDING), 3)) * 0.02
    inverse = {"y": "y", "-y": "-y", "z": "-z", "-z": "z", "x": "-x", "-x": "x"}[up]
    return turn_up(x.astype(np.float32), inverse)


def npz(path, x):
    n, t, v, c = x.shape
    np.savez(path, positions=x.reshape(n * t, v, c), lengths=np.full(n, t))
    return path


@pytest.mark.parametrize("up", AXES)
def test_recordings_are_turned_so_that_y_is_up(tmp_path, up):
    path = npz(tmp_path / "a.npz", standing(up))
    store = import_dataset("npz", path, tmp_path / "a.store", layout=LAYOUT, up=up)
    assert np.array_equal(store.clip(0)[:, 0], standing("y")[0])
    found = import_dataset("npz", path, tmp_path / "b.store", layout=LAYOUT, up="auto")
    assert found.hash == store.hash
    assert found.info.up == ("" if up == "y" else up)
    told = (
        "y points up in the source already"
        if up == "y"
        else f"turned so that y points up; in the source {up} does"
    )
    assert found.notes == (told,)
    assert warnings_of(found) == []
    kept = import_dataset("npz", path, tmp_path / "c.store", layout=LAYOUT)
    assert np.array_equal(kept.clip(0)[:, 0], standing(up)[0])
    warnings = summarise(kept)["warnings"]
    assert [f"along {up}, not along y" in warning for warning in warnings] == ([] if up == "y" else [True])


@given(st.sampled_from(AXES), st.integers(0, 99))
def test_turns_are_rotations(up, seed):
    x = np.random.default_rng(seed).normal(size=(3, 3))
    y = turn_up(x, up)
    assert np.allclose(x @ x.T, y @ y.T)
    assert np.isclose(np.linalg.det(x), np.linalg.det(y))  # nobody becomes their mirror image
    axis = np.zeros(4)
    axis["xyz".index(up[-1])] = -1 if up[0] == "-" else 1
    axis[3] = 0.7
    assert turn_up(axis, up).tolist() == [0, 1, 0, 0.7]


def test_what_cannot_be_told(tmp_path):
    path = npz(tmp_path / "a.npz", standing("z"))
    numbered = SkeletonLayout.from_dict(
        {"joints": [f"j{i}" for i in range(9)], "bones": [[i, 0] for i in range(1, 9)]}
    )
    with pytest.raises(ValueError, match="which way is up cannot be told"):
        import_dataset("npz", path, tmp_path / "a.store", layout=numbered, up="auto")
    with pytest.raises(ValueError, match="up must be one of x, y, z"):
        import_dataset("npz", path, tmp_path / "a.store", layout=LAYOUT, up="up")
    mixed = np.concatenate([standing("z"), standing("y"), standing("-x")])
    assert find_up(mixed[:, :, None], LAYOUT) == ""
    flat = npz(tmp_path / "flat.npz", standing("z")[..., :2])
    with pytest.raises(ValueError, match="2 dimensions"):
        import_dataset("npz", flat, tmp_path / "a.store", layout=_flat(), up="z")
    assert not (tmp_path / "a.store").exists()


def _flat():
    return SkeletonLayout.from_dict({**LAYOUT.to_dict(), "dims": 2})


def test_gaps_do_not_hide_the_way_up():
    x = standing("z")[:, :, None].copy()
    x[:, :, :, -2:] = 0  # no feet
    x[:, 1] = np.nan
    assert find_up(x, LAYOUT) == "z"
    assert find_up(np.zeros_like(x), LAYOUT) == ""


def test_people_of_mediapipe_stand_on_their_feet(tmp_path):
    """World landmarks have y down: the nose at -0.6, the ankles at 0.8."""
    joints = get_layout("mediapipe-33").joints
    heights = {"nose": -0.6, "shoulder": -0.45, "hip": 0.0, "knee": 0.4, "ankle": 0.8, "foot index": 0.85}
    marks = [
        {
            "x": 0.15 if "left" in name else -0.15,
            "y": heights.get(name.split(" ", 1)[-1], -0.2),
            "z": 0.05,
            "visibility": 1,
        }
        for name in joints
    ]
    (tmp_path / "a.json").write_text(json.dumps([[marks]] * 5))
    store = import_dataset("mediapipe", tmp_path / "a.json", tmp_path / "a.store")
    clip = store.clip(0)[0, 0]
    assert clip[joints.index("nose")].tolist() == [np.float32(-0.15), np.float32(0.6), np.float32(-0.05), 1]
    assert clip[joints.index("left ankle"), 1] == np.float32(-0.8)
    assert (store.info.up, warnings_of(store)) == ("-y", [])
    kept = import_dataset("mediapipe", tmp_path / "a.json", tmp_path / "b.store", up="y")
    assert "bodies stand along -y" in warnings_of(kept)[0]
