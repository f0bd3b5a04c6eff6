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


ODD = {  # lengths, labels: what a table of clips may hold
    "short": ([1, 2, 1, 2], [0, 1, 0, 1]),
    "long": ([10_000, 30], [0, 1]),
    "one class": ([3, 3], [0, 0]),
    "no labels": ([3, 3], None),
    "two": ([3, 3], [0, 1]),
    "imbalanced": ([3] * 12, [0] * 9 + [1, 1, 2]),
    "gaps": ([3] * 3, [0, 3, 7]),
    "from one": ([3] * 3, [1, 2, 3]),
    "no frame": ([0, 3, 3], [0, 1, 0]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sets(tmp_path, name):
    """Labels stay: numbers without clips are classes, too. A clip without frames is left out."""
    lengths, labels = ODD[name]
    positions = rng.normal(size=(sum(lengths), 20, 3)).astype(np.float32)
    given = {} if labels is None else {"labels": labels}
    np.savez(tmp_path / "a.npz", positions=positions, lengths=lengths, **given)
    store = load(tmp_path / "a.npz", layout="kinect-20")
    good = [clip for clip, length in enumerate(lengths) if length]
    clips = np.split(positions, np.cumsum(lengths)[:-1])
    for index, clip in enumerate(good):
        check(store, clips[clip][:, None], "kinect-20", "unknown", index)
    assert store.labels.tolist() == [-1 if labels is None else labels[clip] for clip in good]
    assert store.classes == (() if labels is None else tuple(map(str, range(max(labels) + 1))))
    assert [bad.name for bad in store.bad_files] == [str(i) for i, length in enumerate(lengths) if not length]


def test_a_class_of_the_test_part_alone_is_counted(tmp_path):
    facts = {"labels": [0, 1, 0, 1, 2, 2], "subjects": [0, 0, 0, 0, 1, 1], "split": [1, 1, 1, 1, 2, 2]}
    np.savez(tmp_path / "a.npz", positions=np.ones((12, 20, 3)), lengths=[2] * 6, **facts)
    split = get_split(load(tmp_path / "a.npz", layout="kinect-20"), "listed")
    assert (split.train.tolist(), split.test.tolist()) == ([0, 1, 2, 3], [4, 5])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"positions": np.array([np.ones((2, 20, 3)), np.ones((3, 20, 3))], object)}, "one after another"),
        ({"names": np.array(["a", "b"], object)}, "np.array"),
        ({"split": np.array([True, False])}, "write 1 for train and 2 for test"),
    ],
)
def test_arrays_that_are_refused_say_what_to_do(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **{"positions": np.ones((4, 20, 3)), "lengths": [2, 2], **arrays})
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "a.npz", layout="kinect-20")


def test_equal_names_stay_apart(tmp_path):
    positions = rng.normal(size=(6, 20, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", positions=positions, lengths=[3, 3], names=["a", "a"], labels=[0, 1])
    store = load(tmp_path / "a.npz", layout="kinect-20")
    for index in (0, 1):
        check(store, positions[3 * index : 3 * index + 3, None], "kinect-20", "unknown", index)
    assert (store.names.tolist(), store.labels.tolist()) == (["a", "a"], [0, 1])


BODY = np.where(np.arange(3) == 2, 0.5, people() % 64 + 1).astype(np.float32)
OTHERS = {  # of annotations: what is written, and the clip and the class that come of it
    "number of numpy": ({"label": np.int64(1)}, BODY, 1),
    "frames of numpy": ({"total_frames": np.int64(T)}, BODY, 1),
    "without label": ({"label": None}, BODY, -1),
    "unknown label": ({"label": -1}, BODY, -1),
    "without fields": ({"img_shape": None, "original_shape": None}, BODY, 1),
    "without total": ({"total_frames": None}, BODY, 1),
    "frame numbers": ({"frame_inds": np.arange(T)}, BODY, 1),
    "one frame too many told": ({"total_frames": T + 1}, BODY, 1),
    "whole number as name": ({"frame_dir": 7}, BODY, 1),
}


def annotation(body, **changed):
    """An annotation of pyskl; None leaves a key out."""
    one = {"frame_dir": "v0", "label": 1, "total_frames": len(body), "img_shape": (480, 640)}
    one |= {"keypoint": body[..., :2].swapaxes(0, 1), "keypoint_score": body[..., 2].swapaxes(0, 1)} | changed
    return {key: value for key, value in one.items() if value is not None or key.endswith("shape")}


def annotated(tmp_path, *notes, **about):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"annotations": list(notes), **about}))
    return load(tmp_path / "a.pkl")


@pytest.mark.parametrize("form", OTHERS)
def test_other_annotations(tmp_path, form):
    changed, wanted, label = OTHERS[form]
    store = annotated(tmp_path, annotation(BODY, **changed), annotation(BODY + 1, frame_dir="v1"))
    check(store, wanted, "coco-17", "pixels")
    check(store, BODY + 1, "coco-17", "pixels", 1)
    assert store.labels.tolist() == [label, 1]
    assert store.names.tolist() == [str(changed.get("frame_dir", "v0")), "v1"]


def test_annotations_with_gaps_people_and_without_scores(tmp_path):
    """Points that are NaN are missing; five people are five; without scores there are coordinates alone."""
    points = BODY.copy()
    points[0, 0, :3, :2] = np.nan
    crowd = people(17, 5)
    store = annotated(tmp_path, annotation(points), annotation(crowd, frame_dir="v1"))
    check(store, points, "coco-17", "pixels")
    np.testing.assert_array_equal(persons(store, 1), crowd)
    plain = annotation(BODY)
    del plain["keypoint_score"]
    (tmp_path / "plain").mkdir()
    check(annotated(tmp_path / "plain", plain), BODY[..., :2], "coco-17", "pixels")


def test_an_annotation_without_frames_costs_no_other(tmp_path):
    store = annotated(tmp_path, annotation(BODY[:0]), annotation(BODY, frame_dir="v1"))
    check(store, BODY, "coco-17", "pixels")
    assert (store.names.tolist(), [bad.name for bad in store.bad_files]) == (["v1"], ["v0"])


@pytest.mark.parametrize("lists", [None, {"train": np.array(["v0"]), "test": np.array(["v1"])}])
def test_lists_of_annotations(tmp_path, lists):
    notes = [annotation(BODY), annotation(BODY, frame_dir="v1")]
    store = annotated(tmp_path, *notes, split=lists)
    if lists is not None:
        split = get_split(store)
        assert (split.name, split.train.tolist(), split.test.tolist()) == ("listed", [0], [1])
    for form in (notes, {note["frame_dir"]: note for note in notes}):
        (tmp_path / "b.pkl").write_bytes(pickle.dumps(form))
        check(load(tmp_path / "b.pkl", overwrite=True), BODY, "coco-17", "pixels", 1)


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (annotation(people(13)), "13 joints x 2 coordinates with keypoint_score, so a layout must be given"),
        (
            {"keypoint": np.ones((1, T, 17, 3)), "label": 0, "frame_dir": "v0"},
            "given, such as coco-17 or h36m-17",
        ),
        (annotation(BODY, label=[0, 1]), "write one class, or -1"),
    ],
)
def test_annotations_that_are_refused_say_what_to_do(tmp_path, note, message):
    with pytest.raises(ValueError, match=message):
        annotated(tmp_path, note)


def test_mmpose_gaps_and_three_dimensions(tmp_path):
    """A point that is NaN costs that point; the 3-D lifter's joints are those of H36M, z up, with a score."""
    broken = people()
    broken[2, 0, :, :2] = np.nan
    frames = [{"frame_id": t + 1, "instances": [mmpose(broken[t, 0])]} for t in range(T)]
    write(tmp_path / "gap" / "c.json", frames)
    check(load(tmp_path / "gap"), broken, "coco-17", "pixels")
    solid = people(17, 1, 3)
    frames = [{"frame_id": t + 1, "instances": [mmpose(solid[t, 0])]} for t in range(T)]
    write(tmp_path / "solid" / "c.json", frames)
    upright = solid[..., [0, 2, 1, 3]] * np.float32([1, 1, -1, 1])
    check(load(tmp_path / "solid"), upright, "h36m-17", "metres")


@pytest.mark.parametrize(
    ("person", "message"),
    [(None, "no person in any file"), ({"pose_keypoints_3d": [1.0] * 100}, "3-D reconstruction")],
)
def test_openpose_that_is_refused_says_why(tmp_path, person, message):
    for t in range(T):
        found = [] if person is None else [{"pose_keypoints_2d": [], **person}]
        write(tmp_path / "data" / f"a_{t:012}_keypoints.json", {"people": found})
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "data")


def test_unlabelled(tmp_path):
    """All clips are there for pretraining; a split says that there is nothing to test on."""
    np.savez(tmp_path / "a.npz", positions=rng.normal(size=(24 * 3, 20, 3)), lengths=np.full(24, 3))
    store = load(tmp_path / "a.npz", layout="kinect-20")
    assert (len(store), store.labels.tolist(), store.classes) == (24, [-1] * 24, ())
    assert len(get_split(store, needs_test=False).train) == 24
