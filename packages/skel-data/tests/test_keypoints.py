import json
import tarfile
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import get_layout, import_dataset, missing_joints
from skel_data.readers.keypoints import _coco_keypoints, _mediapipe, _openpose
from skel_data.readers.keypoints._association import assign


def joints(seed=0, count=17, channels=3):
    return np.random.default_rng(seed).uniform(0.1, 1, (count, channels)).round(3)


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def same(clip, expected):
    return np.array_equal(clip, np.asarray(expected, np.float32))


def same_people(found, expected):
    """The same two bodies, in either order."""
    return same(found, expected) or same(found[::-1], expected)


# OpenPose


def person(seed=0, track=None, count=25):
    found = {"pose_keypoints_2d": joints(seed, count).reshape(-1).tolist(), "face_keypoints_2d": []}
    return found if track is None else {"person_id": [track], **found}


def openpose(folder, frames, name="walk"):
    """Write frames: lists of people, by number."""
    for number, people in frames.items():
        content = {"version": 1.3, "people": people} if isinstance(people, list) else people
        dump(folder / f"{name}_{number:012}_keypoints.json", content)


@pytest.fixture
def load(tmp_path):
    """Import the folder `data`, or a file in it."""

    def run(kind, source="data", **settings):
        path = tmp_path / source
        return import_dataset(kind, path, tmp_path / "a.store", overwrite=True, **settings)

    return run


def test_a_layout_without_scores_has_none_that_are_low(tmp_path):
    np.savez(tmp_path / "a.npz", positions=np.ones((4, 17, 2)), lengths=[4])
    with pytest.raises(ValueError, match=r"min_score is 0.5, but layout coco-17 has no scores"):
        import_dataset("npz", tmp_path / "a.npz", tmp_path / "a.store", layout="coco-17", min_score=0.5)
    assert not (tmp_path / "a.store").exists()


def test_joints_of_a_low_score_are_missing(tmp_path, load):
    openpose(tmp_path / "data", {number: [person(number)] for number in range(6)})
    every, some = load("openpose").clip(0).copy(), load("openpose", min_score=0.5)
    low = every[..., 2] < 0.5
    assert 0 < low.mean() < 1
    assert not some.clip(0)[low].any()
    np.testing.assert_array_equal(some.clip(0)[~low], every[~low])
    assert some.info.min_score == 0.5
    assert "min_score" not in load("openpose").header
    assert load("openpose", min_score=0).hash == load("openpose").hash
    with pytest.raises(ValueError, match="no usable clip"):
        load("openpose", min_score=2)
    with pytest.raises(ValueError, match="min_score must be 0 or more and finite, got nan"):
        load("openpose", min_score=float("nan"))


def test_openpose_in_three_dimensions_is_refused(tmp_path, load):
    body = {"pose_keypoints_2d": [], "pose_keypoints_3d": [0.5] * 100}
    openpose(tmp_path / "data", {number: [body] for number in range(3)})
    with pytest.raises(ValueError, match=r"OpenPose's 3-D reconstruction .* import those with format npy"):
        load("openpose")


@pytest.mark.parametrize(
    ("count", "name"),
    [
        *((count, f"openpose-{count}") for count in (25, 18, 15)),
        *((17, "coco-17"), (26, "halpe-26"), (133, "coco-wholebody-133")),  # Pose2Sim
    ],
)
def test_openpose(tmp_path, load, count, name):
    openpose(
        tmp_path / "data", {0: [person(0, -1, count)], 1: [], 2: [person(1, -1, count), person(2, -1, count)]}
    )
    store = load("openpose")
    assert store.layout == get_layout(name)
    assert (store.names.tolist(), store.labels.tolist(), store.units) == (["walk"], [-1], "pixels")
    clip = store.clip(0)
    assert clip.shape == (3, 2, count, 3)
    assert same(clip[0, 0], joints(0, count))
    assert same_people(clip[2], [joints(1, count), joints(2, count)])
    assert (clip[1] == 0).all()
    assert store.tracks(0).tolist() == [[1, 0], [0, 0], [1, 2]]


def test_openpose_of_version_1_0_has_another_key(tmp_path, load):
    old = {"pose_keypoints": joints(count=18).reshape(-1).tolist(), "face_keypoints": []}
    openpose(tmp_path / "data", {number: [old] for number in range(3)})
    store = load("openpose")
    assert store.layout.name == "openpose-18"
    assert same(store.clip(0), [[joints(count=18)]] * 3)


def test_openpose_tracks(tmp_path, load):
    openpose(tmp_path / "data", {0: [person(0, 0)], 1: [person(1, 7), person(0, 0)], 2: [person(2, -1)]})
    assert load("openpose").tracks(0).tolist() == [[1, 0], [8, 1], [1, 0]]  # the nearest


def test_openpose_frames_left_out_are_empty_but_a_step_is_not(tmp_path, load):
    openpose(tmp_path / "data", {4: [person()], 6: [person()], 10: [person()]}, "a")
    openpose(tmp_path / "data", {1: [person()], 2: [person()]}, "b_1")
    store = load("openpose")
    assert store.names.tolist() == ["a", "b_1"]
    assert store.lengths.tolist() == [4, 2]
    assert store.tracks(0).tolist() == [[1], [1], [0], [1]]


def test_openpose_bad_frames_cost_no_clip(tmp_path, load):
    frames = {
        0: [person()],
        1: "{",
        2: {"people": 3},
        3: [{"pose_keypoints_2d": [1, 2]}],
        4: [{}],
        5: [person(count=18)],
        6: '{"people": [{"pose_keypoints_2d": [NaN, 1, 1]}]}',
        7: [{"pose_keypoints_2d": ["1", 2, 3]}],
        8: [{"pose_keypoints_2d": [], "hand_left_keypoints_2d": [1, 1, 1]}],
        9: [person()],
    }
    openpose(tmp_path / "data", frames)
    dump(tmp_path / "data" / "walk_x_keypoints.json", {})
    dump(tmp_path / "data" / "settings.json", {})
    store = load("openpose")
    assert store.tracks(0)[:, 0].tolist() == [1, *[0] * 8, 1]
    reasons = [
        "unexpected name",
        "not JSON, or cut off",
        "no list of people",
        "has 2 numbers",
        "must be a list of numbers",
        "18 joints, the frames before have 25",
        "1 joint, the frames before have 25",
        "must be a list of numbers",
    ]
    assert len(store.bad_files) == len(reasons)
    for reason in reasons:
        assert any(reason in bad.reason for bad in store.bad_files), reason
    assert [bad.name[5:17] for bad in store.bad_files if bad.name.startswith("walk_0")] == [
        f"{number:012}" for number in range(1, 8)
    ]


def test_openpose_without_people_or_layout(tmp_path, load):
    openpose(tmp_path / "data", {0: [], 1: []})
    with pytest.raises(ValueError, match="no person in any file"):
        load("openpose")
    openpose(tmp_path / "data", {0: [person(count=20)]}, "other")
    with pytest.raises(ValueError, match="20 joints, so a layout"):
        load("openpose")
    openpose(tmp_path / "data", {0: [person(count=15)]}, "other")
    with pytest.raises(ValueError, match="no person in any of 2 frames"):
        load("openpose", layout="jhmdb-15", strict=True)
    store = load("openpose", layout="jhmdb-15")
    assert (store.layout.name, store.layout.channels) == ("jhmdb-15", 3)
    assert [bad.name for bad in store.bad_files] == ["walk"]


def test_openpose_folders(tmp_path, load):
    for place, name in (("run/one", "one"), ("run/two", "two"), ("sit/three", "three")):
        openpose(tmp_path / "data" / place, {0: [person()]}, name)
    store = load("openpose")
    assert dict(zip(store.names, store.labels, strict=True)) == {"one": 0, "two": 0, "three": 1}
    assert store.classes == ("run", "sit")
    openpose(tmp_path / "flat" / "run", {0: [person()]}, "one")
    openpose(tmp_path / "flat" / "run", {0: [person()]}, "two")
    openpose(tmp_path / "flat" / "sit", {0: [person()]}, "three")
    store = load("openpose", "flat")
    assert (store.labels.tolist(), store.classes) == ([0, 0, 1], ("run", "sit"))
    for name in "ab":  # a folder a video is no class
        openpose(tmp_path / "videos" / name, {0: [person()]}, name)
    assert load("openpose", "videos").classes == ()


def test_openpose_frames_in_any_order(tmp_path, load):
    openpose(tmp_path / "data", {number: [person(number)] for number in range(4)}, "a")
    openpose(tmp_path / "data", {number: [person(number)] for number in range(2)}, "b")
    openpose(tmp_path / "data", {0: [person()]}, "")
    paths = sorted((tmp_path / "data").iterdir(), key=lambda path: path.name[::-1], reverse=True)
    with tarfile.open(tmp_path / "data.tar", "w") as archive:
        for path in paths:
            archive.add(path, f"out/{path.name}")
    folder, tar = load("openpose"), import_dataset("openpose", tmp_path / "data.tar", tmp_path / "b.store")
    assert sorted(folder.digests) == sorted(tar.digests)
    assert sorted(folder.names) == ["a", "b", "data"]
    assert sorted(tar.names) == ["a", "b", "out"]
    clip = folder.clip(folder.names.tolist().index("a"))
    assert same(clip[:, 0], [joints(number, 25) for number in range(4)])


# COCO


def result(image, seed=0, **more):
    return {
        "image_id": image,
        "category_id": 1,
        "keypoints": joints(seed).reshape(-1).tolist(),
        "score": 0.9,
        **more,
    }


def instance(seed=0, **more):
    values = joints(seed)
    return {"keypoints": values[:, :2].tolist(), "keypoint_scores": values[:, 2].tolist(), **more}


def parse_coco(content):
    return _coco_keypoints.parse("a", content if isinstance(content, bytes) else json.dumps(content).encode())


def test_coco(tmp_path, load):
    dump(tmp_path / "data" / "a.json", [result(3, 0), result(5, 2), result(5, 3), result(4, 1)])
    store = load("coco-keypoints", "data/a.json")
    assert store.layout == get_layout("coco-17")
    assert (store.dataset, store.names.tolist(), store.labels.tolist()) == ("a", ["a"], [-1])
    clip = store.clip(0)
    assert same(clip[:2, 0], [joints(0), joints(1)])
    assert same_people(clip[2], [joints(2), joints(3)])
    assert store.tracks(0).tolist() == [[1, 0], [1, 0], [1, 2]]


@pytest.mark.parametrize(
    "images",
    [
        ("frame_9.jpg", "frame_10.jpg", "frame_12.jpg"),
        ("cam2/9", "cam2/10", "cam2/12"),
        ("9.mp4", "10.mp4", "12.mp4"),
    ],
)
def test_coco_frames_in_text(images):
    clip = parse_coco([result(image, seed) for seed, image in reversed(list(enumerate(images)))])
    assert same(clip.positions[[0, 1, 3], 0], [joints(0), joints(1), joints(2)])
    assert (clip.positions[2] == 0).all()


def test_coco_tracks():
    clip = parse_coco([result(0, 0, track_id=4), result(1, 1, track_id=2), result(1, 0, track_id=4)])
    assert clip.tracks.tolist() == [[5, 0], [3, 5]]


def test_mmpose():
    frames = [
        {"frame_id": 2, "instances": [instance(1), instance(2)]},
        {"frame_id": 1, "instances": [instance(0)]},
        {"frame_id": 3, "instances": []},
    ]
    for content in ({"meta_info": {}, "instance_info": frames}, frames):
        clip = parse_coco(content)
        assert clip.positions.shape == (3, 2, 17, 3)
        assert same(clip.positions[0, 0], joints(0))
        assert same_people(clip.positions[1], [joints(1), joints(2)])
        assert clip.tracks is None
    frames[0]["instances"][1]["track_id"] = 0
    assert parse_coco(frames).tracks.tolist() == [[-1, 0], [-1, 1], [0, 0]]


def test_other_joints_need_a_layout(tmp_path, load):
    people = [instance(0)]
    people[0]["keypoints"] = joints(1).tolist()  # x, y, z
    dump(tmp_path / "data" / "a.json", [{"frame_id": 0, "instances": people}])
    assert load("coco-keypoints").layout.name == "h36m-17"
    with pytest.raises(ValueError, match=r"\(17, 4\), layout kinect-20 has \(20, 4\)"):
        load("coco-keypoints", layout="kinect-20")
    store = load("coco-keypoints", layout="h36m-17", units="feet")
    assert (store.layout.name, store.clip(0).shape, store.units) == ("h36m-17", (1, 1, 17, 4), "feet")


@pytest.mark.parametrize("images", [False, True])
def test_mmpose_in_three_dimensions(tmp_path, load, images):
    """Its lifted joints are in metres and z points up: they are turned, and the import says so."""
    people = [instance(0)]
    x, y, z = (rng := np.random.default_rng(0)).normal(size=(3, 17))
    people[0] |= {
        "keypoints": np.stack([x, y, z], 1).tolist(),
        "keypoint_scores": (1 - rng.random(17)).tolist(),
    }
    dump(tmp_path / "data" / "a_1.json", people if images else [{"frame_id": 0, "instances": people}])
    store = load("image-json" if images else "coco-keypoints")
    assert (store.layout.name, store.layout.dims, store.units) == ("h36m-17", 3, "metres")
    expected = np.stack([x, z, -y, people[0]["keypoint_scores"]], 1).astype(np.float32)
    np.testing.assert_array_equal(store.clip(0)[0, 0], expected)
    assert store.notes == ("turned so that y points up; in the source z does",)
    kept = load("image-json" if images else "coco-keypoints", up="y")
    np.testing.assert_array_equal(kept.clip(0)[0, 0, :, 1], y.astype(np.float32))


def test_folders_are_classes(tmp_path, load):
    for place in ("train/sit/a", "train/run/b", "test/run/c"):
        dump(tmp_path / "data" / f"{place}.json", [result(0)])
    store = load("coco-keypoints")
    assert store.classes == ("run", "sit")
    assert dict(zip(store.names, store.labels, strict=True)) == {"a": 1, "b": 0, "c": 0}
    dump(tmp_path / "data" / "d.json", [result(0)])  # one that lies in no folder
    store = load("coco-keypoints")
    assert (store.classes, set(store.labels.tolist())) == ((), {-1})
    assert load("coco-keypoints", "data/train/sit").classes == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "no person in any of 0 frames"),
        ({}, "no list of people or of frames"),
        (3, "no list of people or of frames"),
        ([3], "no list of people or of frames"),
        ([{}], "image_id must be a number, or text with one, not null"),
        ([result("a.jpg")], "image_id must be a number"),
        ([result(True)], "image_id must be a number"),
        ([result("a1.jpg"), result("a1.png")], "'a1.png' and 'a1.jpg' have one number and one name"),
        ([result(0), result(1), result(10**12)], "more than 1000000 bodies are no recording"),
        ([{**result(0), "keypoints": [1] * 50}], "50 numbers"),
        ([{**result(0), "keypoints": [10**400] * 51}], "must be a list of numbers"),
        ([{**result(0), "keypoints": [True] * 51}], "must be a list of numbers"),
        ([{**result(0), "keypoints": [[1, 2], 3]}], "must be a list of numbers"),
        ([result(0, track_id="x")], "a track must be a whole number, not 'x'"),
        ([result(0, track_id=1), result(0, track_id=1)], "frame 0: the same track twice"),
        ({"instance_info": [{"frame_id": 0, "instances": 3}]}, "no list of people under"),
        ({"instance_info": [{"frame_id": None, "instances": []}]}, "frame_id must be a whole number"),
        ([{"frame_id": 0, "instances": []}] * 2, "frame_id must be a whole number, each once"),
        ([{"frame_id": 0, "instances": [{**instance(), "keypoint_scores": [1]}]}], "17 keypoints but 1"),
        (
            [{"frame_id": 0, "instances": [{**instance(), "keypoints": [1, 2]}]}],
            "list of numbers for each joint",
        ),
        (b"[", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'[{"image_id": 0, "keypoints": [Infinity, 1, 1]}]', "too large"),
        (b'[{"image_id": 0, "keypoints": [1e999, 1, 1]}]', "too large"),
    ],
)
def test_coco_reasons(content, reason):
    with pytest.raises(ValueError, match=reason):
        parse_coco(content)


def test_bad_files_cost_no_good_one(tmp_path, load):
    dump(tmp_path / "data" / "a.json", [result(0)])
    dump(tmp_path / "data" / "b.json", "")
    dump(tmp_path / "data" / "c.json", [{"image_id": 0, "keypoints": [1e300] * 51}])
    store = load("coco-keypoints")
    assert store.names.tolist() == ["a"]
    assert [bad.name for bad in store.bad_files] == ["b.json", "c"]
    assert store.bad_files[0].reason == "empty file"
    assert "a coordinate of inf" in store.bad_files[1].reason


# MediaPipe


def landmarks(seed=0, **more):
    return [
        {**dict(zip(("x", "y", "z", "visibility"), row, strict=True)), "presence": 1, **more}
        for row in joints(seed, 33, 4).tolist()
    ]


def parse_mediapipe(content):
    return _mediapipe.parse("a", content if isinstance(content, bytes) else json.dumps(content).encode())


def test_mediapipe(tmp_path, load):
    frames = [[landmarks(0)], None, [], [landmarks(1), landmarks(2)]]
    dump(tmp_path / "data" / "a.json", frames)
    dump(tmp_path / "data" / "b.json", {"fps": 30, "frames": frames})
    store = load("mediapipe")
    assert store.layout == get_layout("mediapipe-33")
    assert store.names.tolist() == ["a", "b"]
    assert store.digests[0] == store.digests[1]
    clip = store.clip(0)
    assert clip.shape == (4, 2, 33, 4)
    up = (1, -1, -1, 1)  # MediaPipe's y points down
    assert same(clip[0, 0], joints(0, 33, 4) * up)
    assert same_people(clip[3], [joints(1, 33, 4) * up, joints(2, 33, 4) * up])
    assert store.tracks(0).tolist() == [[1, 0], [0, 0], [0, 0], [1, 2]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "no person in any of 0 frames"),
        ([None, []], "no person in any of 2 frames"),
        ({}, "no list of frames"),
        ([{"pose_landmarks": []}], "no person in any of 1 frame"),
        ([[landmarks()[:32]]], "32 landmarks of 4 numbers, expected 33 or 21"),
        ([[[{"x": 1, "y": 1}] * 33]], "a landmark must have x, y, z"),
        ([[[1] * 33]], "a person of 33 numbers"),
        ([[landmarks(x="1")]], "list of numbers"),
    ],
)
def test_mediapipe_reasons(content, reason):
    with pytest.raises(ValueError, match=reason):
        parse_mediapipe(content)


# Anything


GOOD = {
    "coco": json.dumps([result(0), result("1.jpg", track_id=3)]).encode(),
    "mmpose": json.dumps({"instance_info": [{"frame_id": 1, "instances": [instance()]}]}).encode(),
    "mediapipe": json.dumps([[landmarks()], None]).encode(),
    "openpose": json.dumps({"people": [person(track=1)]}).encode(),
}


def parse_any(kind, data):
    if kind == "openpose":
        return list(_openpose.parse("a", -1, [("a_0_keypoints.json", 0, data)]))[-1]
    return (_mediapipe if kind == "mediapipe" else _coco_keypoints).parse("a", data)


@pytest.mark.parametrize("kind", GOOD)
def test_good(kind):
    assert parse_any(kind, GOOD[kind]).positions.any()


@pytest.mark.parametrize("kind", GOOD)
@given(data=st.data())
def test_damage_gives_a_clip_or_a_value_error(kind, data):
    good = GOOD[kind]
    at, length = data.draw(st.integers(0, len(good))), data.draw(st.integers(0, 40))
    try:
        clip = parse_any(kind, good[:at] + data.draw(st.binary(max_size=5)) + good[at + length :])
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        assert (clip[-1] if isinstance(clip, list) else clip).positions.ndim == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["people", "frames", "instances", "image_id", "frame_id", "keypoints", "track_id", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@pytest.mark.parametrize("kind", GOOD)
@given(content=JSON)
@settings(max_examples=40)
def test_any_json_gives_a_clip_or_a_value_error(kind, content):
    try:
        parse_any(kind, json.dumps(content).encode())
    except ValueError as error:
        reason = str(error)
        assert reason


# Who is who


def at(x, track=None, seed=0):
    """A body of 17 joints around a place."""
    own = np.random.default_rng(seed).uniform((x, 0), (x + 40, 40), (17, 2))
    return np.column_stack([own, np.full(17, 0.9)]).reshape(-1).tolist()


def alphapose(ids, steps=20):
    """Two people who walk, whose order in the file swaps in every frame."""
    found = []
    for number in range(steps):
        both = [(100 + number, ids[0]), (300 - number, ids[1])]
        for x, who in both if number % 2 else reversed(both):
            more = {} if who is None else {"idx": who}
            found.append({"image_id": f"{number}.jpg", "keypoints": at(x), "score": 2.5, **more})
    return found


@pytest.mark.parametrize("ids", [(1, 2), (1.0, 2.0), ([1.0], [2.0]), ("1", "2"), (None, None), (1, None)])
def test_two_people_whose_order_swaps_stay_two(ids):
    clip = parse_coco(alphapose(ids))
    usual = np.tile([1, 2], (20, 1))
    tracks = usual if clip.tracks is None else clip.tracks
    means = clip.positions[..., 0].mean(-1)
    assert len(np.unique(tracks)) == 2
    moves = [np.diff(means[tracks == who]) for who in np.unique(tracks)]
    assert sorted(set(np.sign(move)).pop() for move in moves) == [-1, 1]
    assert all(np.allclose(np.abs(move), 1, atol=1e-3) for move in moves)
    if ids[0] is not None and ids[1] is not None:
        assert np.unique(tracks).tolist() == [2, 3]
    if ids == (None, None):  # without ids a person keeps a slot
        assert np.array_equal(tracks, usual)


def test_openpose_people_are_associated_by_place(tmp_path, load):
    def body(x):
        return {
            "person_id": [-1],
            "pose_keypoints_2d": (joints(0, 25) * (50, 50, 1) + (x, 0, 0)).reshape(-1).tolist(),
        }

    frames = {number: [body(100), body(500)][:: 1 if number % 2 else -1] for number in range(20)}
    frames[7], frames[8] = [body(500)], []
    openpose(tmp_path / "data", frames)
    clip = load("openpose").clip(0)
    means = clip[..., 0].mean(-1)
    assert means[0].tolist() == means[19].tolist()
    assert ((means == means[0]) | (means == 0)).all()
    assert (means[7:9] == 0).sum() == 3


def test_absurd_places_are_told_without_a_warning(tmp_path, load):
    frames = [{"image_id": number, "keypoints": at(x)} for number in range(3) for x in (0, 500)]
    frames[2]["keypoints"][0] = 1e308
    dump(tmp_path / "data" / "a.json", frames)
    dump(tmp_path / "data" / "b.json", frames[:2])
    assert [bad.reason for bad in load("coco-keypoints").bad_files] == ["a coordinate of inf"]


def test_somebody_far_off_is_somebody_else():
    frames = [{"frame_id": number, "instances": []} for number in range(4)]
    for number, x in enumerate((0, 5, 400, 405)):
        points = [np.reshape(at(place), (17, 3))[:, :2].tolist() for place in (x, 1000)]
        frames[number]["instances"] = [{"keypoints": own, "keypoint_scores": [1] * 17} for own in points]
    clip = parse_coco(frames)
    assert clip.tracks.tolist() == [[1, 2], [1, 2], [3, 2], [3, 2]]


def test_assignment_is_optimal():
    random = np.random.default_rng(0)
    for rows, columns in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (3, 5), (5, 3), (1, 4), (4, 1)] * 20:
        costs = random.integers(0, 6, (rows, columns)).astype(float)
        found = assign(costs)
        taken = [column for column in found if column >= 0]
        assert len(set(taken)) == len(taken) == min(rows, columns)
        total = sum(costs[row, column] for row, column in enumerate(found) if column >= 0)
        wide = costs if rows <= columns else costs.T
        choices = permutations(range(max(rows, columns)), min(rows, columns))
        assert total == min(sum(wide[i, c] for i, c in enumerate(choice)) for choice in choices)


@pytest.mark.parametrize("bad", ["null", "text", "short", "other"])
def test_a_damaged_person_costs_no_other(bad):
    people = [result(number) for number in range(6)]
    people[2] = {
        "null": {**people[2], "keypoints": None},
        "text": {**people[2], "keypoints": ["x"] * 51},
        "short": {**people[2], "keypoints": people[2]["keypoints"][:-1]},
        "other": {**people[2], "keypoints": [1.0] * 54},
    }[bad]
    found, clip = parse_coco(people)
    assert found.reason.startswith("frame 2: ")
    assert found.reason.endswith("; left out of the clip")
    assert (clip.positions[2] == 0).all()
    assert clip.positions[[0, 1, 3, 4, 5]].all()


def test_nan_is_a_missing_joint(tmp_path, load):
    people = [result(number) for number in range(3)]
    people[1]["keypoints"][3:6] = [float("nan"), float("nan"), 0.0]
    dump(tmp_path / "data" / "a.json", people)
    store = load("coco-keypoints")
    assert np.isnan(store.clip(0)[1, 0, 1, :2]).all()
    assert np.isfinite(np.delete(store.clip(0), 1, 2)).all()
    assert missing_joints(store).tolist() == [0, 1 / 3, *[0] * 15]


@pytest.mark.parametrize(
    ("count", "name"), [(17, "coco-17"), (26, "halpe-26"), (133, "coco-wholebody-133"), (136, "halpe-136")]
)
def test_the_layout_by_the_number_of_joints(tmp_path, load, count, name):
    dump(tmp_path / "data" / "a.json", [{"image_id": 0, "keypoints": joints(0, count).reshape(-1).tolist()}])
    assert load("coco-keypoints").layout == get_layout(name)


def test_frame_rate_of_mmpose(tmp_path, load):
    frames = [{"instances": [instance(number)]} for number in range(3)]
    dump(tmp_path / "data" / "a.json", {"meta_info": {"fps": 29.97}, "instance_info": frames})
    assert load("coco-keypoints").rates.tolist() == [29.97]
