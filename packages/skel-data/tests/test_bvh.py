import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import BadFile, Clip, SkeletonLayout, Source, import_dataset
from skel_data.readers.mocap._bvh import BVH, parse_bvh

TEXT = b"""HIERARCHY
ROOT Hips
{
  OFFSET 7 8 9
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT LeftLeg
  {
    OFFSET 1 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT LeftFoot
    {
      OFFSET 0 -2 0
      CHANNELS 3 Xrotation Yrotation Zrotation
      End Site
      {
        OFFSET 0 0 1
      }
    }
  }
  JOINT RightLeg {
    OFFSET -1 0 0
    CHANNELS 1 Zposition
    End Site
    {
      OFFSET 0 -2 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.008333
0 0 0 0 0 0 0 0 0 0 0 0 0
1 2 3 90 90 0 90 0 0 5 6 7 4
"""


@pytest.fixture
def folder(tmp_path):
    def make(files):
        (tmp_path / "walks").mkdir()
        for name, data in files.items():
            (tmp_path / "walks" / name).write_bytes(data)
        return Source(tmp_path / "walks")

    return make


def test_numbers():
    tree, positions = parse_bvh(TEXT)
    assert tree.joints == ("Hips", "LeftLeg", "LeftFoot", "RightLeg")
    assert tree.parents == (0, 0, 1, 0)
    expected = [
        # positions of channels, not added to the offset
        [[0, 0, 0], [1, 0, 0], [1, -2, 0], [-1, 0, 0]],
        # The hips turn about z, then about their own new x: x to y, y to z, z to x.
        # The left leg turns about its z besides, which takes the foot's -y to +x, so to y.
        [[1, 2, 3], [1, 3, 3], [1, 5, 3], [5, 1, 3]],
    ]
    np.testing.assert_allclose(positions, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\n", b"\r\n"), (b"\n{", b" {"), (b"  ", b"\t"), (b"\n", b"\n\n"), (b"rotation", b"ROTATION")],
)
def test_white_space_and_case_do_not_matter(old, new):
    assert np.array_equal(parse_bvh(TEXT.replace(old, new))[1], parse_bvh(TEXT)[1])


def test_the_layout_is_the_tree_of_the_files(folder, tmp_path):
    other = TEXT.replace(b"JOINT RightLeg", b"JOINT RightArm")
    files = {"0.bvh": b"\x89PNG", "1.bvh": TEXT, "2.BVH": TEXT, "3.bvh": other, "4.txt": b""}
    store = import_dataset("bvh", folder(files).path, tmp_path / "store")
    assert (store.dataset, store.units, store.names.tolist()) == ("walks", "unknown", ["1", "2"])
    assert store.layout.joints == ("Hips", "LeftLeg", "LeftFoot", "RightLeg")
    assert (store.layout.parents, store.layout.mirror) == ((0, 0, 1, 0), (0, 3, 2, 1))
    assert {bad.name: bad.reason for bad in store.bad_files} == {
        "0.bvh": "no MOTION: not a BVH file, or cut off",
        "3.bvh": "another tree than in the first file: joint 3 is RightArm under Hips, "
        "expected RightLeg under Hips",
    }


def test_shorter_and_longer_trees(folder):
    start, stop = TEXT.index(b"  JOINT RightLeg"), TEXT.index(b"}\nMOTION")
    shorter = TEXT[:start] + TEXT[stop:-3] + b"\n"
    shorter = shorter.replace(b" 0\n1 2", b"\n1 2")
    clips = list(BVH.read(folder({"1.bvh": TEXT, "2.bvh": shorter})))
    assert isinstance(clips[0], Clip)
    assert clips[1].reason.endswith("joint 3 is the end, expected RightLeg under Hips")


def test_joints_of_a_given_layout(folder):
    layout = SkeletonLayout.from_dict({"joints": ["LeftFoot", "Hips"], "bones": [["LeftFoot", "Hips"]]})
    source = folder({"1.bvh": TEXT, "2.bvh": TEXT.replace(b"LeftFoot", b"LeftToe")})
    assert BVH.describe(source, layout)[0].layout == layout
    clip, bad = BVH.read(source, layout)
    assert np.array_equal(clip.positions[:, 0], parse_bvh(TEXT)[1][:, [2, 0]].astype(np.float32))
    assert isinstance(bad, BadFile)
    assert bad.reason == "no joint LeftFoot; the file has Hips, LeftLeg, LeftToe, RightLeg"


def test_no_file_that_can_be_read(folder):
    source = folder({"1.bvh": b"", "2.bvh": TEXT[:100]})
    with pytest.raises(ValueError, match=r"walks: no \.bvh file that can be read; 1\.bvh: empty file"):
        BVH.describe(source, None)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (TEXT, b"", "no MOTION"),
        (b"MOTION", b"NOTION", "no MOTION"),
        (b"ROOT Hips", b"JOINT Hips", "line 2: JOINT Hips is not where"),
        (b"JOINT RightLeg", b"ROOT RightLeg", "line 20: ROOT RightLeg is not where"),
        (b"JOINT RightLeg", b"JOINT LeftLeg", "line 20: a second joint name LeftLeg"),
        (b"JOINT RightLeg", b"JOINT", "line 20: no joint name"),
        (b"OFFSET 1 0 0", b"", "joint LeftLeg has no OFFSET"),
        (b"OFFSET 1 0 0", b"OFFSET 1 0 x", "line 8: not a number.*'x'"),
        (b"OFFSET 1 0 0", b"OFFSET 1 0", "line 8: not a number.*'CHANNELS'"),
        (b"CHANNELS 1 Zp", b"CHANNELS 2 Zp", "line 22: CHANNELS must give"),
        (b"CHANNELS 1 Zp", b"CHANNELS 99999 Zp", "line 22: CHANNELS must give"),
        (b"1 Zposition", b"1 Wposition", "line 22: CHANNELS must give"),
        (b"3 Zrotation X", b"3 Xrotation X", "line 9: CHANNELS must give"),
        (b"  }\n}\nMOTION", b"  }\nMOTION", "cut off"),
        (b"}\nMOTION", b"}\n}\nMOTION", "line 29: expected ROOT"),
        (b"Frames: 2", b"Frames: many", "line 29: MOTION must be followed"),
        (b"Frames: 2", b"Frames: 3", "3 frames announced, 2 in the file"),
        (b"Frame Time: 0.008333\n", b"", "MOTION must be followed"),
        (b" 6 7 4\n", b" 6 7\n", "line 33: 12 numbers, the joints have 13 channels"),
        (b" 6 7 4\n", b" 6 7 inf\n", "line 33: not a number.*inf"),
        (b"\n1 2 3 90 90 0 90 0 0 5 6 7 4", b"", "2 frames announced, 1 in"),
    ],
)  # fmt: skip
def test_reasons(old, new, reason):
    assert old in TEXT
    with pytest.raises(ValueError, match=reason):
        parse_bvh(TEXT.replace(old, new))


@given(st.data())
@settings(max_examples=150)
def test_damage_gives_arrays_or_a_value_error(data):
    text = bytearray(TEXT)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        stop = at + data.draw(st.sampled_from([0, 1, 5, 40, 400]))
        text[at:stop] = data.draw(
            st.one_of(st.binary(max_size=4), st.sampled_from([b"1e999", b"nan", b"\n", b"9", b"{", b"} "]))
        )
    try:
        tree, positions = parse_bvh(bytes(text))
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert np.isfinite(positions).all()
        assert positions.shape[1:] == (len(tree.joints), 3)


@given(st.binary(max_size=200) | st.text("0123456789 \nMOTIRFrames:{}", max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_give_a_value_error(data):
    with pytest.raises(ValueError, match="."):
        parse_bvh(data)
