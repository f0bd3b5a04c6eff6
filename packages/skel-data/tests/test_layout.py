import time

import numpy as np
import pytest

from skel_data import (
    AGCN300,
    CTRGCN,
    PIPELINES,
    CrosSCLR50,
    Default,
    SkeletonLayout,
    apply_pipeline,
    get_layout,
    layout_names,
)
from skel_data._layout import LEFT, MIDDLE, RIGHT


@pytest.mark.parametrize("name", layout_names())
def test_presets_are_whole(name):
    layout = get_layout(name)
    assert layout.name == name
    assert len(layout.bones) == layout.num_joints - 1
    assert layout.facing == tuple(pair for pair in (layout.shoulders, layout.hips) if pair)
    for left, right in layout.facing:
        assert layout.mirror[left] == right
        assert layout.joints[left].startswith("l")  # "left hip", "lhip"
        assert layout.joints[right].startswith("r")
    grouped = sorted(joint for _, group in layout.parts for joint in group)
    assert grouped == list(range(layout.num_joints))
    for child, parent in layout.bones:  # the mirror image of a bone is a bone, and the root stays
        assert layout.parents[layout.mirror[child]] == layout.mirror[parent] or not layout.parts


@pytest.mark.parametrize("name", layout_names())
def test_dict_round_trip(name):
    layout = get_layout(name)
    assert SkeletonLayout.from_dict(layout.to_dict()) == layout


def test_sides_are_found_by_name(chain):
    assert chain.mirror == (0, 2, 1, 4, 3)
    assert (chain.shoulders, chain.hips, chain.facing) == (None, (1, 2), ((1, 2),))
    assert chain.root == chain.center == 0
    assert chain.channels == 3


def test_file(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text('joints = ["a", "b"]\nbones = [["b", "a"]]\ndims = 2\nconfidence = true\n')
    layout = get_layout(path)
    assert (layout.name, layout.parents, layout.channels) == ("two", (0, 0), 3)
    path.write_text("joints = [")
    with pytest.raises(ValueError, match="two.toml"):
        get_layout(path)
    with pytest.raises(FileNotFoundError):
        get_layout(tmp_path / "three.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bones": [["a", "c"]]}, "no joint 'c'"),
        ({"bones": [["b", "a"], ["b", "a"]]}, "two parents"),
        ({"bones": []}, "its own parent"),
        ({"bones": [["a", "b"], ["b", "a"]]}, "its own parent"),
        ({"joints": ["a", "a"], "bones": []}, "distinct"),
        ({"dims": 4}, "dims"),
        ({"edges": []}, "unknown keys"),
        ({"center": 2}, "no joint 2"),
        ({"bones": ["ab"]}, "pairs"),
    ],
)
def test_errors_name_the_field(change, message):
    with pytest.raises(ValueError, match=message):
        SkeletonLayout.from_dict({"joints": ["a", "b"], "bones": [["b", "a"]], **change})


def test_unknown_preset_lists_the_others():
    with pytest.raises(ValueError, match="ntu-25"):
        get_layout("ntu-26")


def test_ntu_bones_are_the_published_pairs():
    # 1-based (child, parent) of the field's bone stream
    text = "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18"
    pairs = [
        tuple(map(int, pair.split("-"))) for pair in f"{text} 20-19 21-21 22-23 23-8 24-25 25-12".split()
    ]
    expected = np.array([parent for _, parent in sorted(pairs)]) - 1
    assert np.array_equal(get_layout("ntu-25").parents, expected)


def test_openpose_bones_are_the_drawn_pairs():
    # (parent, child) of BODY_25 in OpenPose's own numbers
    text = "1-8 1-2 1-5 2-3 3-4 5-6 6-7 8-9 9-10 10-11 8-12 12-13 13-14 1-0 0-15 15-17 0-16 16-18"
    pairs = [
        tuple(map(int, pair.split("-"))) for pair in f"{text} 14-19 19-20 14-21 11-22 22-23 11-24".split()
    ]
    assert sorted((child, parent) for parent, child in pairs) == sorted(get_layout("openpose-25").bones)


def test_azure_parents_are_those_of_its_body_tracking():
    parents = (
        0,
        0,
        1,
        2,
        2,
        4,
        5,
        6,
        7,
        8,
        7,
        2,
        11,
        12,
        13,
        14,
        15,
        14,
        0,
        18,
        19,
        20,
        0,
        22,
        23,
        24,
        3,
        26,
    )
    assert get_layout("azure-32").parents == (*parents, 26, 26, 26, 26)


def test_faces_mirror_as_the_68_points_of_300_w():
    text = "0-16 1-15 2-14 3-13 4-12 5-11 6-10 7-9 17-26 18-25 19-24 20-23 21-22 31-35 32-34 36-45 37-44"
    text += " 38-43 39-42 40-47 41-46 48-54 49-53 50-52 55-59 56-58 60-64 61-63 65-67"
    for name, first in (("coco-wholebody-133", 23), ("halpe-136", 26)):
        mirror = get_layout(name).mirror
        pairs = {(a - first, mirror[a] - first) for a in range(first, first + 68) if a < mirror[a]}
        assert pairs == {tuple(map(int, pair.split("-"))) for pair in text.split()}


def test_smpl_parents_are_those_of_the_body_model():
    parents = (0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
    assert get_layout("smpl-24").parents == parents


@pytest.mark.parametrize(
    ("name", "places"),
    [
        (
            "h36m-17",
            {0: "pelvis", 1: "right hip", 4: "left hip", 8: "thorax", 10: "head", 11: "left shoulder"},
        ),
        ("mediapipe-33", {0: "nose", 7: "left ear", 12: "right shoulder", 15: "left wrist", 24: "right hip"}),
        ("mediapipe-33", {10: "right mouth", 17: "left pinky", 22: "right thumb", 32: "right foot index"}),
        ("openpose-25", {1: "neck", 4: "right wrist", 8: "mid hip", 16: "left eye", 19: "left big toe"}),
        (
            "openpose-18",
            {1: "neck", 2: "right shoulder", 5: "left shoulder", 8: "right hip", 14: "right eye"},
        ),
        ("openpose-15", {0: "head", 2: "right shoulder", 5: "left shoulder", 11: "left hip", 14: "chest"}),
        (
            "halpe-26",
            {16: "right ankle", 17: "head", 18: "neck", 19: "hip", 21: "right big toe", 24: "left heel"},
        ),
        ("halpe-136", {23: "right small toe", 26: "face 0", 94: "left hand root", 135: "right pinky 4"}),
        ("coco-wholebody-133", {17: "left big toe", 20: "right big toe", 23: "face 0", 91: "left hand root"}),
        ("azure-32", {4: "left clavicle", 10: "left thumb", 18: "left hip", 26: "head", 28: "left eye"}),
        ("kinect-20", {0: "hip center", 3: "head", 4: "left shoulder", 8: "right shoulder", 16: "right hip"}),
        ("utd-20", {0: "head", 1: "shoulder center", 3: "hip center", 4: "left shoulder", 16: "right hip"}),
        (
            "ntu-25",
            {0: "spine base", 2: "neck", 20: "spine shoulder", 21: "left hand tip", 24: "right thumb"},
        ),
        ("panoptic-19", {0: "neck", 2: "pelvis", 3: "left shoulder", 9: "right shoulder", 16: "left ear"}),
        (
            "xsens-23",
            {4: "t8", 7: "right shoulder", 11: "left shoulder", 15: "right upper leg", 22: "left toe"},
        ),
        ("jhmdb-15", {1: "belly", 3: "right shoulder", 6: "left hip", 9: "right knee", 14: "left ankle"}),
        ("sbu-15", {2: "torso", 3: "left shoulder", 8: "right hand", 9: "left hip", 14: "right foot"}),
        ("hand-22", {1: "palm", 2: "thumb base", 6: "index base", 13: "middle tip", 21: "pinky tip"}),
        ("posetrack-17", {1: "head bottom", 2: "head top", 3: "left ear", 5: "left shoulder"}),
        ("smpl-24", {0: "pelvis", 3: "spine 1", 9: "spine 3", 12: "neck", 15: "head", 23: "right hand"}),
        (
            "hand-21",
            {0: "wrist", 4: "thumb tip", 5: "index mcp", 12: "middle tip", 16: "ring tip", 20: "pinky tip"},
        ),
    ],
)
def test_order_of_joints(name, places):
    layout = get_layout(name)
    assert {place: layout.joints[place] for place in places} == places
    assert layout.num_joints == int(name.rpartition("-")[2])


def test_one_hand_has_no_sides():
    hand = get_layout("hand-21")
    assert hand.mirror == tuple(range(21))
    assert (hand.shoulders, hand.hips, hand.facing) == (None, None, ())


def test_sides():
    jhmdb = get_layout("jhmdb-15")  # has the right side first
    names = {"left": LEFT, "right": RIGHT}
    for joint, side in zip(jhmdb.joints, jhmdb.sides, strict=True):
        assert side == names.get(joint.split()[0], MIDDLE)


def test_sides_without_names():
    data = {
        "joints": ["a", "b", "c", "d", "e"],
        "bones": [["b", "a"], ["c", "a"], ["d", "b"], ["e", "c"]],
        "mirror": [["b", "c"], ["d", "e"]],
    }
    by_shoulders = SkeletonLayout.from_dict({**data, "shoulders": ["c", "b"]})
    assert by_shoulders.sides == (MIDDLE, RIGHT, LEFT, RIGHT, LEFT)
    assert by_shoulders.to_dict()["mirror"] == [["c", "b"], ["e", "d"]]
    parts = {"left_arm": ["b", "d"], "right_arm": ["c", "e"]}
    assert SkeletonLayout.from_dict({**data, "parts": parts}).sides == (0, 1, 2, 1, 2)
    assert set(SkeletonLayout.from_dict(data).sides) == {MIDDLE}
    short = SkeletonLayout.from_dict({"joints": ["hip", "rknee", "lknee"], "bones": [[1, 0], [2, 0]]})
    assert short.sides == (MIDDLE, RIGHT, LEFT)


@pytest.mark.parametrize("name", layout_names())
def test_mirror_pairs_are_written_left_first(name):
    layout = get_layout(name)
    for left, right in layout.to_dict()["mirror"]:
        assert layout.sides[layout.joints.index(left)] == 1
        assert layout.sides[layout.joints.index(right)] == 2


@pytest.mark.parametrize(
    ("left", "right", "shoulders", "hips"),
    [
        (["left shoulder", "left hip"], ["right shoulder", "right hip"], (1, 3), (2, 4)),
        (["LShoulder", "LHip"], ["RShoulder", "RHip"], (1, 3), (2, 4)),
        (["l_shoulder", "l_hip"], ["r_shoulder", "r_hip"], (1, 3), (2, 4)),
        (["mixamorig:LeftShoulder", "LeftUpLeg"], ["mixamorig:RightShoulder", "RightUpLeg"],
         (1, 3), (2, 4)),
        (["lclavicle", "lhipjoint"], ["rclavicle", "rhipjoint"], (1, 3), (2, 4)),
        (["left shoulder blade", "left shoulder"], ["right shoulder blade", "right shoulder"], (2, 4), None),
        (["left shoulder front", "left shoulder back"], ["right shoulder front", "right shoulder back"], None,
         None),  # which of them?
        (["left arm", "left leg"], ["right arm", "right leg"], None, None),
    ],
)  # fmt: skip
def test_shoulders_and_hips_are_found_by_name(left, right, shoulders, hips):
    joints = ["root", *left, *right]
    layout = SkeletonLayout.from_dict({"joints": joints, "bones": [[joint, 0] for joint in range(1, 5)]})
    assert (layout.shoulders, layout.hips) == (shoulders, hips)
    swapped = {"mirror": [[right[0], left[0]], [right[1], left[1]]]}
    again = SkeletonLayout.from_dict({"joints": joints, "bones": layout.to_dict()["bones"], **swapped})
    assert (again.shoulders, again.hips) == (shoulders, hips)


def test_layouts_of_earlier_versions_say_across():
    data = get_layout("ntu-25").to_dict()
    shoulders, hips = data.pop("shoulders"), data.pop("hips")
    assert SkeletonLayout.from_dict({**data, "across": [shoulders, hips]}) == get_layout("ntu-25")
    knees = ["left knee", "right knee"]
    several = SkeletonLayout.from_dict({**data, "across": [shoulders, knees, hips]})
    assert (several.shoulders, several.hips) == ((4, 8), (12, 16))
    assert several.facing == ((4, 8), (13, 17), (12, 16))
    assert SkeletonLayout.from_dict(several.to_dict()) == several
    for across, expected in (([], (None, None)), ([knees], ((13, 17), None)), ([hips], (None, (12, 16)))):
        layout = SkeletonLayout.from_dict({**data, "across": across})
        assert (layout.shoulders, layout.hips) == expected
        assert len(layout.facing) == len(across)


def test_own_layout_of_known_joints_gives_the_clips_of_the_preset():
    preset = get_layout("ntu-25")
    own = SkeletonLayout.from_dict(
        {"joints": preset.joints, "bones": preset.to_dict()["bones"], "center": "spine shoulder"}
    )
    clips = [np.random.default_rng(seed).normal(size=(40, 2, 25, 3)).astype(np.float32) for seed in range(3)]
    for name in PIPELINES:
        pipeline = PIPELINES[name]()
        np.testing.assert_array_equal(
            apply_pipeline(pipeline, own, clips), apply_pipeline(pipeline, preset, clips)
        )


@pytest.mark.parametrize(
    ("pipeline", "known", "missing"),
    [
        (AGCN300(), [], "shoulders and hips"),
        (AGCN300(), ["shoulders"], "hips"),
        (CTRGCN(), ["hips"], "shoulders"),
        (CrosSCLR50(), ["hips"], "shoulders"),
        (CTRGCN(centred=False), [], None),
        (CrosSCLR50(), [], None),  # documented: clips of a hand are not turned
        (Default(), [], None),
    ],
)
def test_pipelines_refuse_layouts_without_the_joints_they_need(pipeline, known, missing):
    data = get_layout("ntu-25").to_dict()
    layout = SkeletonLayout.from_dict({**data, **{key: [] for key in {"shoulders", "hips"} - {*known}}})
    clips = [np.ones((3, 1, 25, 3), np.float32)]
    if missing is None:
        assert len(apply_pipeline(pipeline, layout, clips)) == 1
        return
    with pytest.raises(ValueError, match=f"pipeline {pipeline.name} needs {missing}, which layout ntu-25"):
        apply_pipeline(pipeline, layout, clips)


def test_hops():
    ntu = get_layout("ntu-25")
    assert ntu.hops[3][2] == 1
    assert ntu.hops[3][0] == 4  # head, neck, spine shoulder, spine middle, spine base
    assert np.array_equal(ntu.hops, np.transpose(ntu.hops))
    assert np.array_equal(
        np.argwhere(np.array(ntu.hops) == 1), sorted([*ntu.bones, *[b[::-1] for b in ntu.bones]])
    )


def test_many_joints_are_checked_quickly():
    count = 20_000
    chain = {"joints": list(map(str, range(count))), "bones": [[j + 1, j] for j in range(count - 1)]}
    started = time.process_time()
    assert SkeletonLayout.from_dict(chain).root == 0
    chain["bones"][0] = [1, count - 1]  # a ring
    with pytest.raises(ValueError, match="joint '1' does not lead to the root"):
        SkeletonLayout.from_dict(chain)
    assert time.process_time() - started < 20  # in quadratic time it would be minutes
