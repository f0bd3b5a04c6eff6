import json

import numpy as np
import pytest

from skel_data import get_layout, get_split, import_dataset


def body(seed=0, number=0, count=19):
    values = np.random.default_rng(seed).uniform(1, 200, (count, 4)).round(2)
    return values, {"id": number, "joints19": values.reshape(-1).tolist()}


def write(folder, frame, bodies):
    folder.mkdir(parents=True, exist_ok=True)
    content = bodies if isinstance(bodies, str) else json.dumps({"version": 0.7, "bodies": bodies})
    (folder / f"body3DScene_{frame:08}.json").write_text(content)


def load_panoptic(tmp_path):
    return import_dataset("panoptic", tmp_path / "d", tmp_path / "a.store", overwrite=True)


def test_panoptic(tmp_path):
    folder = tmp_path / "d" / "haggling1" / "hdPose3d_stage1_coco19"
    values, one = body(0, 3)
    values[4, 3] = -1
    one["joints19"] = values.reshape(-1).tolist()
    for frame, bodies in ((140, [one]), (141, []), (142, [body(1, 7)[1], one])):
        write(folder, frame, bodies)
    write(tmp_path / "d" / "ian2" / "hdPose3d_stage1_coco19", 1, [one])
    store = load_panoptic(tmp_path)
    assert (store.names.tolist(), store.layout) == (["haggling1", "ian2"], get_layout("panoptic-19"))
    assert store.tracks(0).tolist() == [[4, 0], [0, 0], [8, 4]]
    clip = store.clip(0)[0, 0]
    expected = values * (0.01, -0.01, -0.01, 1)
    assert np.allclose(np.delete(clip, 4, 0), np.delete(expected, 4, 0), atol=1e-6)
    assert not np.isfinite(clip[4, :3]).any()


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ("{", "not JSON"),
        ([{"id": 0, "joints15": []}], "without joints19"),
        ([body(count=18)[1]], "72 numbers"),
        ("{}", "bodies must be"),
    ],
)
def test_a_bad_frame_costs_the_frame(tmp_path, bodies, reason):
    write(tmp_path / "d", 0, [body()[1]])
    write(tmp_path / "d", 1, bodies)
    write(tmp_path / "d", 2, [body()[1]])
    store = load_panoptic(tmp_path)
    assert (store.names.tolist(), store.lengths.tolist()) == (["d"], [3])
    assert reason in store.bad_files[0].reason


def actions(joints, dims, cameras=0):
    def array(seed):
        return np.random.default_rng(seed).normal(size=(5 + seed, joints, dims)).astype(np.float32)

    return {
        subject: {
            action: [array(camera) for camera in range(cameras)] if cameras else array(1)
            for action in ("Walking 1", "Walking", "SittingDown 2")
        }
        for subject in ("S1", "S11")
    }


def load_h36m(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **{key: np.array(value, dtype=object) for key, value in arrays.items()})
    return import_dataset("h36m", tmp_path / "a.npz", tmp_path / "a.store", overwrite=True)


def test_h36m_in_three_dimensions(tmp_path):
    content = actions(32, 3)
    store = load_h36m(tmp_path, positions_3d=content)
    assert (store.layout.num_joints, store.layout.dims, store.classes) == (17, 3, ("SittingDown", "Walking"))
    assert store.names.tolist()[:2] == ["S1 Walking 1", "S1 Walking"]
    assert (store.replications.tolist()[:3], store.subjects.tolist()) == ([1, -1, 2], [1, 1, 1, 11, 11, 11])
    assert get_split(store).test.tolist() == [3, 4, 5]
    raw = content["S1"]["Walking 1"]
    assert np.array_equal(store.clip(0)[:, 0, 3], raw[:, 3][:, [0, 2, 1]] * (1, 1, -1))
    assert np.array_equal(store.clip(0)[:, 0, 16, 0], raw[:, 27, 0])


def test_a_clip_of_other_dimensions_costs_no_other(tmp_path):
    content = actions(32, 3)
    content["S1"]["Walking 1"] = content["S1"]["Walking 1"][..., :2]
    store = load_h36m(tmp_path, positions_3d=content)
    assert (len(store), [bad.name for bad in store.bad_files]) == (5, ["S1 Walking 1"])


def test_h36m_in_two_dimensions(tmp_path):
    content = actions(17, 2, cameras=2)
    store = load_h36m(tmp_path, positions_2d=content, metadata={"layout_name": "h36m"})
    assert (len(store), store.layout.dims, store.cameras.tolist()[:3]) == (12, 2, [0, 1, 0])
    assert np.array_equal(store.clip(1)[:, 0], content["S1"]["Walking 1"][1])


def test_h36m_detected_with_the_joints_of_coco(tmp_path):
    content = actions(17, 2, cameras=2)
    sides = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
    metadata = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": sides}
    store = load_h36m(tmp_path, positions_2d=content, metadata=metadata)
    assert (store.layout.joints, store.layout.dims) == (get_layout("coco-17").joints, 2)
    numbers = {"num_joints": np.int64(17), "keypoints_symmetry": [[np.int64(4)], [np.int64(1)]]}
    assert load_h36m(tmp_path, positions_2d=content, metadata=numbers).layout.name == "h36m-17"
    with pytest.raises(ValueError, match="joints of layout 'mpii', expected h36m or coco"):
        load_h36m(tmp_path, positions_2d=content, metadata={"layout_name": "mpii"})
    with pytest.raises(ValueError, match=r"joints of layout \['h36m'\], expected"):
        load_h36m(tmp_path, positions_2d=content, metadata={"layout_name": ["h36m"]})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1], "must be a dict of subjects"),
        ({"S1": 3}, "must be a dict of subjects"),
        ({"S1": {}}, "no .npz file"),
    ],
)
def test_h36m_that_is_none(tmp_path, content, reason):
    with pytest.raises(ValueError, match=reason):
        load_h36m(tmp_path, positions_3d=content)


def test_h36m_runs_nothing(tmp_path, capsys):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    with pytest.raises(ValueError, match="refused"):
        load_h36m(tmp_path, positions_3d={"S1": Evil()})
    assert capsys.readouterr().out == ""
