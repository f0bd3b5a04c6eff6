"""What comes in of the forms that people have: every coordinate, unit, name, class and person."""

import json
import pickle
import re

import numpy as np
import pytest

from skel_data import Default, convert_store, get_layout, get_split, import_dataset

T = 6
TURN = np.array([1, -1, -1, 1], np.float32)
"""MediaPipe's y points down: half a turn about x."""
rng = np.random.default_rng(0)


def people(joints=17, persons=1, dims=2, frames=T):
    """Random bodies (T, M, V, C) with scores, whose numbers text holds exactly; each has its own place."""
    found = rng.integers(1, 400, (frames, persons, joints, dims + 1)) / 4
    found[..., -1] = rng.integers(1, 5, found.shape[:-1]) / 4
    found[..., :dims] += 1000 * np.arange(persons)[:, None, None]
    return found.astype(np.float32)


def flat(body):
    return body.reshape(-1).tolist()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def load(source, kind="auto", **settings):
    return import_dataset(kind, source, source.parent / f"{source.name}.store", **settings)


def persons(store, index=0):
    """Bodies of a clip (T, M, V, C) by who they are, in the order of their tracks."""
    positions, tracks = store.clip(index), store.tracks(index)
    if tracks is None:
        return positions
    found = [
        np.where((tracks == one)[..., None, None], positions, 0).sum(1) for one in np.unique(tracks) if one
    ]
    return np.stack(found, 1)


def check(store, wanted, layout, units, index=0):
    np.testing.assert_array_equal(persons(store, index), wanted)
    assert (store.layout.name, store.units) == (layout, units)


def swapped(frame, count):
    """Order of the bodies in a frame's list: it changes from frame to frame."""
    return range(count)[:: -1 if frame % 2 else 1]


@pytest.mark.parametrize("ids", [[1, 2], [[0.0], [1.0]], [None, None]])
@pytest.mark.parametrize(("joints", "layout"), [(17, "coco-17"), (26, "halpe-26"), (136, "halpe-136")])
def test_alphapose(tmp_path, ids, joints, layout):
    """People whose order changes stay who they are, by ids or by place."""
    wanted = people(joints, 2)
    rows = [
        {
            "image_id": f"{t}.jpg",
            "keypoints": flat(wanted[t, m]),
            "score": 2.5,
            "category_id": 1,
            "box": [0] * 4,
        }
        | ({} if ids[m] is None else {"idx": ids[m]})
        for t in range(T)
        for m in swapped(t, 2)
    ]
    write(tmp_path / "data" / "wave" / "clip.json", rows)
    store = load(tmp_path / "data")
    check(store, wanted, layout, "pixels")
    assert store.names.tolist() == ["clip"]


def test_alphapose_by_image(tmp_path):
    wanted = people(18)
    bodies = {
        f"{t}.jpg": {"version": "AlphaPose", "bodies": [{"joints": flat(wanted[t, 0])}]} for t in range(T)
    }
    write(tmp_path / "cmu" / "c.json", bodies)
    check(load(tmp_path / "cmu"), wanted, "openpose-18", "pixels")
    wanted = people(17)
    tracked = {f"{t}.jpg": [{"keypoints": flat(wanted[t, 0]), "scores": 2.1, "idx": 1}] for t in range(T)}
    write(tmp_path / "tracked" / "c.json", tracked)
    check(load(tmp_path / "tracked"), wanted, "coco-17", "pixels")


def test_coco_annotations(tmp_path):
    wanted = people()
    images = [{"id": 100 + t, "file_name": f"clip/{t:06}.jpg", "frame_id": t} for t in range(T)]
    notes = [{"id": t, "image_id": 100 + t, "track_id": 0, "keypoints": flat(wanted[t, 0])} for t in range(T)]
    write(tmp_path / "data" / "clip.json", {"images": images, "annotations": notes, "categories": []})
    check(load(tmp_path / "data"), wanted, "coco-17", "pixels")


def mmpose(body):
    return {"keypoints": body[:, :-1].tolist(), "keypoint_scores": body[:, -1].tolist(), "bbox_score": 0.9}


@pytest.mark.parametrize("form", ["frames", "meta", "without numbers", "133 joints"])
def test_mmpose(tmp_path, form):
    """A frame in which nobody is keeps its place in time."""
    wanted = people(133 if form == "133 joints" else 17)
    wanted[2] = 0
    frames = [
        {"frame_id": t + 1, "instances": [mmpose(one) for one in wanted[t] if t != 2]} for t in range(T)
    ]
    if form == "without numbers":
        frames = [{"instances": frame["instances"]} for frame in frames]
    content = {"meta_info": {"dataset_name": "coco"}, "instance_info": frames} if form == "meta" else frames
    write(tmp_path / "data" / "c.json", content)
    layout = "coco-wholebody-133" if form == "133 joints" else "coco-17"
    check(load(tmp_path / "data"), wanted, layout, "pixels")


def test_coco_results_of_two_videos(tmp_path):
    wanted = people(17, 2)
    rows = [
        {"image_id": f"{'ab'[m]}_{t:04}.jpg", "keypoints": flat(wanted[t, m]), "score": 0.9, "category_id": 1}
        for m in (0, 1)
        for t in range(T)
    ]
    write(tmp_path / "data" / "c.json", rows)
    store = load(tmp_path / "data")
    assert store.names.tolist() == ["c_a", "c_b"]
    for m in (0, 1):
        check(store, wanted[:, m : m + 1], "coco-17", "pixels", m)


def test_frames_of_images(tmp_path):
    """MMPose and openpifpaf on images, and YOLO's text files: numbered files are the frames of a clip."""
    wanted = people()
    for t in range(T):
        write(tmp_path / "mmpose" / f"{t:06}.json", [mmpose(wanted[t, 0])])
        line = f"0 0.5 0.5 0.2 0.6 {' '.join(map(str, flat(wanted[t, 0])))} 1"
        write(
            tmp_path / "yolo" / "labels" / f"clip_{t + 9}.txt", line
        )  # 9, 10, ...: not in the order of text
    check(load(tmp_path / "mmpose"), wanted, "coco-17", "pixels")
    check(load(tmp_path / "yolo"), wanted, "coco-17", "image")
    lines = [{"frame": t, "predictions": [{"keypoints": flat(wanted[t, 0]), "score": 0.9}]} for t in range(T)]
    write(tmp_path / "pifpaf" / "frame.mp4.json", lines)
    check(load(tmp_path / "pifpaf"), wanted, "coco-17", "pixels")


def test_kinetics_skeleton(tmp_path):
    """The second person comes later and stays apart from the first; a frame without anybody stays."""
    wanted = people(18, 2)
    wanted[:3, 1] = wanted[1] = 0
    for place, label in (("kinetics_train/a", "jump"), ("kinetics_val/b", "wave")):
        frames = [
            {
                "frame_index": t + 1,
                "skeleton": [
                    {"pose": flat(one[:, :2]), "score": one[:, 2].tolist()} for one in wanted[t] if one.any()
                ],
            }
            for t in range(T)
        ]
        found = {"data": frames, "label": label, "label_index": int(label == "wave")}
        write(tmp_path / "data" / f"{place}.json", found)
    store = load(tmp_path / "data")
    check(store, wanted, "openpose-18", "image")
    assert [store.classes[label] for label in store.labels] == ["jump", "wave"]
    split = get_split(store)
    assert (split.name, split.train.tolist(), split.test.tolist()) == ("listed", [0], [1])


def marks(body, names=("x", "y", "z", "visibility")):
    return [dict(zip(names, row, strict=False)) for row in body.tolist()]


LANDMARKS = {
    "frames of people": lambda x: [[marks(body) for body in frame] for frame in x],
    "one person": lambda x: [marks(frame[0]) for frame in x],
    "objects by frame": lambda x: [{"frame": t, "landmarks": marks(x[t, 0])} for t in range(T)],
    "protobuf": lambda x: [{"landmark": marks(frame[0])} for frame in x],
    "by number": lambda x: {str(t): marks(x[t, 0]) for t in range(T)},
    "numbers": lambda x: x.tolist(),
    "flat": lambda x: [flat(frame) for frame in x],
    "presence": lambda x: [[[one | {"presence": 0.9} for one in marks(frame[0])]] for frame in x],
    "world": lambda x: [
        {"pose_landmarks": marks(frame[0] / 2), "pose_world_landmarks": marks(frame[0])} for frame in x
    ],
}


@pytest.mark.parametrize("form", LANDMARKS)
def test_mediapipe(tmp_path, form):
    """Turned so that y points up, by half a turn about x."""
    landmarks = people(33, 1, 3)
    write(tmp_path / "data" / "c.json", LANDMARKS[form](landmarks))
    store = load(tmp_path / "data")
    check(store, landmarks * TURN, "mediapipe-33", "unknown")
    assert store.notes[-1] == "turned so that y points up; in the source -y does"


def test_mediapipe_hands_and_landmarks_without_visibility(tmp_path):
    hands = people(21, 2, 3)
    turned = (hands * TURN)[..., :3]
    write(tmp_path / "hands" / "c.json", [[marks(one, "xyz") for one in frame] for frame in hands])
    check(load(tmp_path / "hands"), turned, "hand-21", "unknown")
    body = people(33, 1, 3)
    write(tmp_path / "body" / "c.json", [[marks(one, "xyz") for one in frame] for frame in body])
    check(load(tmp_path / "body"), (body * TURN)[..., :3], "mediapipe-33", "unknown")


def test_mediapipe_in_tables_and_arrays(tmp_path):
    landmarks = people(33, 1, 3)
    turned = landmarks * TURN
    head = ",".join(["frame", "label", *(f"{axis}{joint}" for joint in range(33) for axis in "xyzv")])
    lines = [f"{t},squat,{','.join(map(str, flat(landmarks[t])))}" for t in range(T)]
    write(tmp_path / "csv" / "c.csv", "\n".join([head, *lines]))
    store = load(tmp_path / "csv")
    check(store, turned, "mediapipe-33", "unknown")
    assert store.classes == ("squat",)
    np.save(tmp_path / "c.npy", landmarks[:, 0])
    check(load(tmp_path / "c.npy"), turned, "mediapipe-33", "unknown")


def openpose(folder, frames, name="a"):
    for t, found in frames.items():
        bodies = [{"person_id": [-1], "pose_keypoints_2d": flat(one)} for one in found]
        write(folder / f"{name}_{t:012}_keypoints.json", {"version": 1.3, "people": bodies})


def test_openpose(tmp_path):
    """Files that are not there are frames without anybody; two who change their order stay two."""
    wanted = people(25, 2)
    openpose(tmp_path / "swap", {t: wanted[t][list(swapped(t, 2))] for t in range(T)})
    check(load(tmp_path / "swap"), wanted, "openpose-25", "pixels")
    gaps = wanted[:, :1].copy()
    gaps[2:4] = 0
    openpose(tmp_path / "gaps", {t: gaps[t] for t in range(T) if t not in (2, 3)})
    check(load(tmp_path / "gaps"), gaps, "openpose-25", "pixels")
    small = people(15)
    for name in ("jump0", "jump1", "wave0"):
        openpose(tmp_path / "tree" / name[:4], {t: small[t] for t in range(T)}, name)
    store = load(tmp_path / "tree")
    check(store, small, "openpose-15", "pixels", 1)
    assert (store.names.tolist(), store.labels.tolist()) == (["jump0", "jump1", "wave0"], [0, 0, 1])
    assert store.classes == ("jump", "wave")
    for t in range(T):
        write(
            tmp_path / "renamed" / "walk" / f"{t + 8}.json",
            {"people": [{"pose_keypoints_2d": flat(gaps[t, 0])}]},
        )
    check(load(tmp_path / "renamed"), gaps, "openpose-25", "pixels")


NPZ = {
    "one after another": lambda x: {"positions": x.reshape(-1, 17, 3), "lengths": np.full(4, T)},
    "padded": lambda x: {"positions": x, "lengths": np.full(4, T)},
    "padded with bodies": lambda x: {"positions": x[:, :, None], "lengths": np.full(4, T)},
    "without lengths": lambda x: {"positions": x},
}
LABELS = {
    "numbers": np.arange(4) % 2,
    "text": np.array(["run", "walk"] * 2),
    "floats": np.arange(4) % 2 / 1.0,
    "one-hot": np.eye(2)[np.arange(4) % 2],
}


@pytest.mark.parametrize("form", NPZ)
@pytest.mark.parametrize("labels", LABELS)
def test_own_arrays(tmp_path, form, labels):
    wanted = rng.normal(size=(4, T, 17, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", **NPZ[form](wanted), labels=LABELS[labels])
    store = load(tmp_path / "a.npz", layout="h36m-17")
    for index in range(4):
        check(store, wanted[index][:, None], "h36m-17", "unknown", index)
    assert [store.classes[label] for label in store.labels] == list(store.classes) * 2
    assert store.classes == (("run", "walk") if labels == "text" else ("0", "1"))


PYSKL = {
    "plain": lambda x: {"keypoint": x[..., :2].swapaxes(0, 1), "keypoint_score": x[..., 2].swapaxes(0, 1)},
    "lists": lambda x: {
        "keypoint": x[..., :2].swapaxes(0, 1).tolist(),
        "keypoint_score": x[..., 2].swapaxes(0, 1).tolist(),
    },
    "half": lambda x: {
        "keypoint": x[..., :2].swapaxes(0, 1).astype(np.float16),
        "keypoint_score": x[..., 2].swapaxes(0, 1).astype(np.float16),
    },
    "without bodies": lambda x: {"keypoint": x[:, 0, :, :2], "keypoint_score": x[:, 0, :, 2]},
}


@pytest.mark.parametrize("form", PYSKL)
@pytest.mark.parametrize("parts", [("train", "val"), ("xsub_training", "xsub_testing"), ("Train", "Test")])
def test_pyskl(tmp_path, form, parts):
    clips = [np.where(np.arange(3) == 2, one := people(), one % 64) for _ in range(3)]
    clips = [clip.astype(np.float32) for clip in clips]
    notes = [
        {"frame_dir": f"v{i}", "label": i % 2, "total_frames": T, "img_shape": (480, 640)} | PYSKL[form](clip)
        for i, clip in enumerate(clips)
    ]
    lists = dict(zip(parts, (["v0", "v1"], ["v2"]), strict=True))
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"split": lists, "annotations": notes}))
    store = load(tmp_path / "a.pkl")
    for index, clip in enumerate(clips):
        check(store, clip, "coco-17", "pixels", index)
    split = get_split(store)
    assert (split.train.tolist(), split.test.tolist(), store.labels.tolist()) == ([0, 1], [2], [0, 1, 0])


def test_arrays_of_the_field(tmp_path):
    """(N, C, T, V, M) and (N, T, M * V * C): the padding is cut off, and train and test stay apart."""
    wanted = rng.normal(size=(3, T, 1, 25, 3)).astype(np.float32)
    padded = np.zeros((3, 20, 2, 25, 3), np.float32)
    padded[:, :T, :1] = wanted
    (tmp_path / "xsub").mkdir()
    for part, rows, person in (("train", [0, 1], 1), ("val", [2], 3)):
        np.save(tmp_path / "xsub" / f"{part}_data_joint.npy", padded[rows].transpose(0, 4, 1, 3, 2))
        names = [f"S001C00{row + 1}P00{person}R001A00{row + 1}.skeleton" for row in rows]
        (tmp_path / "xsub" / f"{part}_label.pkl").write_bytes(pickle.dumps((names, rows)))
    both = np.zeros((3, 20, 150), np.float32)
    both[:, :T, :75] = wanted.reshape(3, T, 75)
    labels = np.eye(60)[:3]
    np.savez(
        tmp_path / "NTU60_CS.npz", x_train=both[:2], y_train=labels[:2], x_test=both[2:], y_test=labels[2:]
    )
    for source in (tmp_path / "xsub", tmp_path / "NTU60_CS.npz"):
        store = load(source)
        for index in range(3):
            check(store, wanted[index], "ntu-25", "metres", index)
        split = get_split(store, "listed")
        assert (split.train.tolist(), split.test.tolist(), store.labels.tolist()) == ([0, 1], [2], [0, 1, 2])
    agcn = load(tmp_path / "xsub", overwrite=True)
    assert (agcn.subjects.tolist(), agcn.cameras.tolist()) == ([1, 1, 3], [1, 2, 3])


KINECT = """SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight
WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight SpineShoulder
HandTipLeft ThumbLeft HandTipRight ThumbRight"""
TREE = "0 0 20 2 20 4 5 6 20 8 9 10 0 12 13 14 0 16 17 18 1 7 7 11 11"


def test_kinect_names_become_those_of_ntu(tmp_path):
    """The same 25 joints under the names of the SDK: no coordinate changes."""
    wanted = rng.normal(size=(T, 25, 3)).astype(np.float32)
    tree = {"joint_names": re.findall(r"\w+", KINECT), "parents": np.fromstring(TREE, int, sep=" ")}
    np.savez(tmp_path / "a.npz", positions=wanted, lengths=[T], **tree)
    made = convert_store(load(tmp_path / "a.npz"), tmp_path / "b.store", get_layout("ntu-25"), strict=True)
    np.testing.assert_array_equal(made.clip(0)[:, 0], wanted)


def test_tables_of_other_tools(tmp_path):
    """A wide table by joints' names, and DeepLabCut's three rows of headings, in a custom layout."""
    names, wanted = ("Head", "Neck", "SpineMid", "SpineBase"), people(4, 1, 3)
    layout = tmp_path / "four.toml"
    bones = "[['Neck', 'Head'], ['SpineMid', 'Neck'], ['SpineBase', 'SpineMid']]"
    layout.write_text(f"name = 'four'\ndims = 3\njoints = {list(names)}\nbones = {bones}\n")
    head = ",".join(["frame", *(f"{name}_{axis}" for name in reversed(names) for axis in "XYZ")])
    rows = [f"{t},{','.join(map(str, flat(wanted[t, 0, ::-1, :3])))}" for t in range(T)]
    for name in ("run", "wave"):
        write(tmp_path / "wide" / name / "s1.csv", "\n".join([head, *rows]))
    store = load(tmp_path / "wide", layout=layout)
    check(store, wanted[..., :3], "four", "unknown")
    assert store.classes == ("run", "wave")
    layout.write_text(
        f"name = 'four'\ndims = 2\nconfidence = true\njoints = {list(names)}\nbones = {bones}\n"
    )
    wanted = people(4)
    heads = [("scorer", *["net"] * 12), ("bodyparts", *(name for name in names for _ in range(3)))]
    heads.append(("coords", *["x", "y", "likelihood"] * 4))
    rows = [[str(t), *map(str, flat(wanted[t, 0]))] for t in range(T)]
    write(tmp_path / "dlc" / "v.csv", "\n".join(map(",".join, [*heads, *rows])))
    check(load(tmp_path / "dlc", layout=layout), wanted, "four", "pixels")


def test_a_root_at_the_origin_is_there(tmp_path):
    """A figure whose root stays at the origin gives the same clips as one that stands elsewhere."""
    joints = "".join(
        f"JOINT {name}\n{{\nOFFSET {offset}\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
        "End Site\n{\nOFFSET 0 -4 0\n}\n}\n"
        for name, offset in (("LeftUpLeg", "1 -1 0"), ("RightUpLeg", "-1 -1 0"), ("Spine", "0 2 0"))
    )
    root = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    angles = rng.normal(size=(20, 12)) * 20
    made = []
    for name, height in (("inplace", 0), ("standing", 90)):
        rows = "\n".join(" ".join(map(str, [0, height, 0, *row])) for row in angles)
        head = f"HIERARCHY\nROOT Hips\n{{\nOFFSET 0 0 0\n{root}{joints}}}\n"
        write(tmp_path / name / "a.bvh", f"{head}MOTION\nFrames: 20\nFrame Time: 0.05\n{rows}\n")
        made.append(load(tmp_path / name))
    here, there = (store.clip(0) for store in made)
    np.testing.assert_allclose(here + np.float32([0, 90, 0]), there, atol=2e-5)
    clips = [Default().process(clip[None], np.array([20]), None, made[0].layout) for clip in (here, there)]
    np.testing.assert_allclose(clips[0], clips[1], atol=2e-5)
