import numpy as np
import pytest

from skel_data import SkeletonLayout, get_layout, layout_names


@pytest.mark.parametrize("name", layout_names())
def test_presets_are_whole(name):
    layout = get_layout(name)
    assert layout.name == name
    assert len(layout.bones) == layout.num_joints - 1
    for left, right in layout.across:
        assert layout.mirror[left] == right
        assert "left" in layout.joints[left]
        assert "right" in layout.joints[right]
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
    assert chain.across == ((1, 2),)
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
