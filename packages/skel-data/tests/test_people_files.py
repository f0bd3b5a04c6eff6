"""Readers ``alphapose``, ``openpifpaf``, ``image-json``, ``coco-annotations`` and ``yolo``."""

import json

import numpy as np
import pytest

from skel_data import get_layout, import_dataset


def joints(seed=0, count=17):
    return np.random.default_rng(seed).uniform(1, 9, (count, 3)).round(3)


def flat(seed=0, count=17):
    return joints(seed, count).reshape(-1).tolist()


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def same(clip, expected):
    return np.array_equal(clip, np.asarray(expected, np.float32))


@pytest.fixture
def load(tmp_path):
    def run(kind, **settings):
        return import_dataset(kind, tmp_path / "d", tmp_path / "a.store", overwrite=True, **settings)

    return run


# AlphaPose

PEOPLE = [(t, who) for t in range(4) for who in ((1, 2) if t % 2 else (2, 1))]
ALPHAPOSE = {
    "list": [{"image_id": f"{t}.jpg", "keypoints": flat(9 * t + who), "idx": who} for t, who in PEOPLE],
    "ids in lists": [
        {"image_id": f"v_{t}.png", "keypoints": flat(9 * t + who), "idx": [float(who)]} for t, who in PEOPLE
    ],
    "tracker": {
        f"{t}.jpg": [
            {"keypoints": flat(9 * t + who), "scores": 2.1, "idx": who} for frame, who in PEOPLE if frame == t
        ]
        for t in range(4)
    },
}


@pytest.mark.parametrize("form", ALPHAPOSE)
def test_alphapose(tmp_path, load, form):
    dump(tmp_path / "d" / "a.json", ALPHAPOSE[form])
    store = load("alphapose")
    assert store.layout == get_layout("coco-17")
    clip, tracks = store.clip(0), store.tracks(0)
    for t in range(4):
        for who in (1, 2):
            (slot,) = np.flatnonzero(tracks[t] == who + 1)
            assert same(clip[t, slot], joints(9 * t + who))


@pytest.mark.parametrize(
    "frame",
    [
        {"version": "x", "bodies": [{"joints": flat(0, 18)}]},
        {"people": [{"pose_keypoints_2d": flat(0, 18)}]},
    ],
)
def test_alphapose_cmu_and_open(tmp_path, load, frame):
    dump(tmp_path / "d" / "a.json", {f"{t}.jpg": frame if t != 1 else {"bodies": []} for t in range(3)})
    store = load("alphapose")
    assert (store.layout, store.clip(0).shape) == (get_layout("openpose-18"), (3, 1, 18, 3))
    assert same(store.clip(0)[2, 0], joints(0, 18))


def test_alphapose_halpe_and_others(tmp_path, load):
    dump(tmp_path / "d" / "a.json", [{"image_id": "1.jpg", "keypoints": flat(0, 26)}])
    assert load("alphapose").layout == get_layout("halpe-26")
    dump(tmp_path / "d" / "a.json", [{"image_id": "1.jpg", "keypoints": flat(0, 136)}])
    store = load("alphapose")
    assert (store.layout, store.clip(0).shape[2]) == (get_layout("halpe-136"), 136)
    dump(tmp_path / "d" / "a.json", [{"image_id": "1.jpg", "keypoints": flat(0, 135)}])
    with pytest.raises(ValueError, match="135 joints, so a layout must be given"):
        load("alphapose")


# OpenPose's form of other programs


@pytest.mark.parametrize("name", ["cam1_{:06}.json", "{}.json", "cam1_{:012}_keypoints.json"])
def test_openpose_files_of_other_names(tmp_path, load, name):
    for t in range(4):
        content = {"people": [{"person_id": [-1], "pose_keypoints_2d": flat(t, 26)}] if t != 1 else []}
        dump(tmp_path / "d" / "walk" / name.format(t), content)
    dump(tmp_path / "d" / "walk" / "about.json", {})
    store = load("openpose")
    assert (store.layout.name, store.clip(0).shape, store.bad_files) == ("halpe-26", (4, 1, 26, 3), ())
    assert same(store.clip(0)[3, 0], joints(3, 26))


# openpifpaf


@pytest.mark.parametrize("lines", [True, False])
def test_openpifpaf(tmp_path, load, lines):
    frames = [
        {"frame": t + 1, "predictions": [{"keypoints": flat(t), "score": 0.9, "id_": 4}] if t else []}
        for t in range(3)
    ]
    dump(tmp_path / "d" / "a.json", "\n".join(map(json.dumps, frames)) if lines else frames)
    store = load("openpifpaf")
    assert store.tracks(0).tolist() == [[0], [5], [5]]
    assert same(store.clip(0)[2, 0], joints(2))


@pytest.mark.parametrize("suffix", [".json", ".jpg.predictions.json"])
def test_images(tmp_path, load, suffix):
    for name in ("walk", "run"):
        for t in range(4):
            person = (
                {"keypoints": flat(t)}
                if "pred" in suffix
                else {"keypoints": joints(t)[:, :2].tolist(), "keypoint_scores": joints(t)[:, 2].tolist()}
            )
            dump(tmp_path / "d" / name / f"{t:06}{suffix}", [person] if t != 2 else [])
    dump(tmp_path / "d" / "run" / f"000003{suffix}", "{")
    store = load("image-json")
    assert (store.names.tolist(), store.lengths.tolist()) == (["run", "walk"], [4, 4])
    assert same(store.clip(1)[:, 0], [joints(0), joints(1), np.zeros((17, 3)), joints(3)])
    assert [bad.name for bad in store.bad_files] == [f"run/000003{suffix}"]


def test_one_image(tmp_path, load):
    dump(tmp_path / "d" / "c.json", [{"keypoints": flat(0)}, {"keypoints": flat(1)}])
    store = load("image-json")
    assert (store.names.tolist(), store.clip(0).shape) == (["c"], (1, 2, 17, 3))


# COCO results


def test_videos_of_one_file(tmp_path, load):
    images = [(video, t) for video in ("a", "b_2") for t in range(3) if (video, t) != ("b_2", 1)]
    results = [
        {"image_id": f"{video}_{t:04}.jpg", "keypoints": flat(t + len(video)), "score": 1}
        for video, t in images
    ]
    dump(tmp_path / "d" / "r.json", [*results, {"image_id": "c_0.jpg", "keypoints": [1], "score": 1}])
    store = load("coco-keypoints")
    assert (store.names.tolist(), store.lengths.tolist()) == (["r_a", "r_b_2"], [3, 2])
    assert same(store.clip(1)[:, 0], [joints(3), joints(5)])
    assert [bad.name for bad in store.bad_files] == ["r_c"]


# COCO annotations


def coco(clips=("a",), flags=False, **image):
    images, annotations = [], []
    for clip in clips:
        for t in range(4):
            number = len(images) + 100
            images.append({"id": number, "file_name": f"x/{clip}/{t:06}.jpg", **image})
            values = joints(t)
            if flags:
                values[:, 2] = np.arange(17) % 3
            annotations.append({"image_id": number, "keypoints": values.reshape(-1).tolist(), "track_id": 0})
    annotations[2]["keypoints"] = [0] * 51
    return {"images": images, "annotations": annotations, "categories": []}


def test_coco_annotations(tmp_path, load):
    dump(tmp_path / "d" / "set.json", coco(("a", "b")))
    store = load("coco-annotations")
    assert (store.names.tolist(), store.layout) == (["set_a", "set_b"], get_layout("coco-17"))
    assert same(store.clip(1)[:, 0], [joints(t) for t in range(4)])
    assert store.tracks(0).tolist() == [[1], [1], [0], [1]]


def test_coco_flags_of_visibility(tmp_path, load):
    dump(tmp_path / "d" / "set.json", coco(flags=True))
    clip = load("coco-annotations").clip(0)
    assert clip[0, 0, :3, 2].tolist() == [0, 1, 1]
    assert same(clip[0, 0, 1:3, :2], joints(0)[1:3, :2])
    assert not clip[0, 0, 0].any()


POSETRACK = ["nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder"]
POSETRACK += [
    f"{side}_{joint}" for joint in ("elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
]


@pytest.mark.parametrize(
    ("joints_named", "layout"),
    [
        ([joint.replace(" ", "_") for joint in get_layout("coco-17").joints], "coco-17"),
        (POSETRACK, "posetrack-17"),
        ([f"kp_{number}" for number in range(17)], "coco-17"),
        (["nose"], "coco-17"),  # of another category than the people's
    ],
)
def test_coco_annotations_that_name_their_joints(tmp_path, load, joints_named, layout):
    categories = [{"name": "ball"}, {"name": "person", "keypoints": joints_named}]
    dump(tmp_path / "d" / "set.json", {**coco(), "categories": categories})
    store = load("coco-annotations")
    assert store.layout == get_layout(layout)
    assert same(store.clip(0)[3, 0], joints(3))


def test_coco_annotations_in_an_order_of_their_own(tmp_path, load):
    categories = [{"keypoints": [*POSETRACK[::-1]]}]
    dump(tmp_path / "d" / "set.json", {**coco(), "categories": categories})
    with pytest.raises(ValueError, match="right_ankle, left_ankle.* so a layout must be given"):
        load("coco-annotations")
    assert load("coco-annotations", layout="coco-17").layout.name == "coco-17"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"images": [{"id": 1}, {"id": 1}]}, "a second time"),
        ({"annotations": [{"image_id": 7, "keypoints": [1, 2, 3]}]}, "not among the images"),
        ({"images": 3}, "must be a list of objects"),
    ],
)
def test_coco_annotations_that_are_none(tmp_path, load, change, reason):
    dump(tmp_path / "d" / "a.json", coco())
    dump(tmp_path / "d" / "b.json", {**coco(), **change})
    assert reason in load("coco-annotations").bad_files[0].reason


def annotations(people):
    images = [{"id": t, "file_name": f"{t}.jpg"} for t in range(4)]
    return {
        "images": images,
        "annotations": [{"image_id": t, "keypoints": one} for t, one in enumerate(people)],
    }


FORMS = {
    "alphapose": lambda people: [{"image_id": f"{t}.jpg", "keypoints": one} for t, one in enumerate(people)],
    "alphapose by image": lambda people: {f"{t}.jpg": [{"keypoints": one}] for t, one in enumerate(people)},
    "openpifpaf": lambda people: [
        {"frame": t, "predictions": [{"keypoints": one}]} for t, one in enumerate(people)
    ],
    "coco-annotations": annotations,
}


@pytest.mark.parametrize("bad", ["x", [1.0, 2.0], [None], [float("inf")] * 51, flat(2, 18)], ids=range(5))
@pytest.mark.parametrize("form", FORMS)
def test_a_person_who_cannot_be_read_costs_no_other(tmp_path, load, form, bad):
    dump(tmp_path / "d" / "a.json", FORMS[form]([flat(0), flat(1), bad, flat(3)]))
    store = load(form.split()[0])
    assert [bad.reason.startswith("frame 2: ") for bad in store.bad_files] == [True]
    assert [frame.any() for frame in store.clip(0)] == [True, True, False, True]
    assert same(store.clip(0)[3, 0, :, :2], joints(3)[:, :2])


@pytest.mark.parametrize("form", ["alphapose by image", "openpifpaf"])
def test_a_frame_that_is_none_costs_no_other(tmp_path, load, form):
    content = FORMS[form]([flat(t) for t in range(4)])
    if form == "openpifpaf":
        content[1]["predictions"] = 3
    else:
        content["1.jpg"] = 3
    dump(tmp_path / "d" / "a.json", content)
    store = load(form.split()[0])
    assert store.bad_files[0].reason.endswith("must be a list of objects, it is 3; left out of the clip")
    assert [frame.any() for frame in store.clip(0)] == [True, False, True, True]


# YOLO


@pytest.mark.parametrize(
    ("behind", "track"),
    [("", None), (" 0.93", None), (" 3", 3), (" 0.93 3", 3), (" inf", None), (" 0.9 nan", None)],
    ids=repr,
)
@pytest.mark.parametrize("channels", [2, 3])
def test_yolo(tmp_path, load, behind, track, channels):
    for t in (1, 2, 4):
        values = " ".join(map(str, joints(t)[:, :channels].reshape(-1)))
        dump(tmp_path / "d" / "labels" / f"clip_{t}.txt", f"0 0.5 0.5 0.2 0.6 {values}{behind}\n")
    dump(tmp_path / "d" / "labels" / "clip_5.txt", "0 1 2\n")
    store = load("yolo")
    assert (store.names.tolist(), store.layout.confidence) == (["clip"], channels == 3)
    assert same(store.clip(0)[3, 0], joints(4)[:, :channels])
    assert not store.clip(0)[2].any()
    tracks = store.tracks(0)[[0, 1, 3], 0].tolist()
    assert tracks == ([track + 1] * 3 if track else tracks)
    assert "3 numbers a line" in store.bad_files[0].reason
