import numpy as np
import pytest

from skel_data import SkeletonLayout, get_layout, layout_names


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
    assert layout.num_joints == int(name.split("-")[1])


def test_one_hand_has_no_sides():
    hand = get_layout("hand-21")
    assert hand.mirror == tuple(range(21))
    assert (hand.shoulders, hand.hips, hand.facing) == (None, None, ())
