from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import (
    BadFile,
    Clip,
    Default,
    SkeletonLayout,
    Source,
    build_clips,
    import_dataset,
    missing_joints,
)
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
        "3.bvh": "another tree than most files have: joint 3 is RightArm under Hips, "
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


def test_a_damaged_file_in_an_archive_costs_no_other(tmp_path):
    path = tmp_path / "a.zip"
    rows = "\n".join(map(str, np.random.default_rng(0).random(2000))).encode()
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.bvh", rows)
        archive.writestr("b.bvh", TEXT)
        start = archive.getinfo("a.bvh").header_offset + 40
    data = bytearray(path.read_bytes())
    data[start : start + 60] = b"\xff" * 60
    path.write_bytes(data)
    store = import_dataset("bvh", path, tmp_path / "b.store")
    assert (store.names.tolist(), [bad.name for bad in store.bad_files]) == (["b"], ["a.bvh"])
    assert "cannot be read from the archive" in store.bad_files[0].reason


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
        (b"\nMOTION", b"\nROOT Two\n{\nOFFSET 0 0 0\n}\nMOTION", "line 29: a second ROOT Two.*each to"),
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
        (b"Frames: 2", b"Frames: 4", "4 frames announced, 2 in the file; cut off.*write Frames: 2"),
        (b"Frame Time: 0.008333\n", b"", "MOTION must be followed"),
        (b" 0\n1 2 3", b"\n1 x 3", "line 32: 12 numbers, the joints have 13 channels"),
        (b"Frames: 2", b"Frames: 3x", "MOTION must be followed"),
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
        assert (np.isfinite(positions).all((1, 2)) | np.isnan(positions).any((1, 2))).all()
        assert positions.shape[1:] == (len(tree.joints), 3)


@given(st.binary(max_size=200) | st.text("0123456789 \nMOTIRFrames:{}", max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_give_a_value_error(data):
    with pytest.raises(ValueError, match="."):
        parse_bvh(data)


FRAME = b"1 2 3 90 90 0 90 0 0 5 6 7 4\n"


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + TEXT,
        TEXT.decode().encode("utf-16"),
        TEXT.replace(b"\n", b"\r"),
        TEXT.replace(b"Frames: 2", b"Frames:2").replace(b"Time: 0", b"Time:0"),
        TEXT.replace(b"Frames: 2", b"frames 2"),
        TEXT.replace(b"Frames: 2", b"Frames: 1"),
        TEXT.replace(b"Frames: 2", b"Frames: 3"),
        TEXT.replace(b" 0 90 0 0 5", b" 0\n90 0 0 5"),
        TEXT.replace(b"ROOT Hips", b"# made by hand\nROOT Hips  // the root"),
        TEXT.replace(b"MOTION", b"# { } JOINT\nMOTION"),
    ],
)  # fmt: skip
def test_what_common_tools_write_is_read(text):
    tree, positions = parse_bvh(text)
    assert tree == parse_bvh(TEXT)[0]
    assert np.array_equal(positions, parse_bvh(TEXT)[1])


def test_equal_names_of_joints():
    tree, positions = parse_bvh(TEXT.replace(b"JOINT RightLeg", b"JOINT LeftLeg"))
    assert tree.joints == ("Hips", "LeftLeg", "LeftFoot", "LeftLeg 2")
    assert np.array_equal(positions, parse_bvh(TEXT)[1])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"nan" + FRAME[1:], "line 34: not a number, or one that is not finite or far off: 'nan'"),
        (FRAME[:-4] + b"\n", "line 34: 11 numbers, the joints have 13 channels"),
        (FRAME[:-2] + b"x\n", "line 34: not a number, or one that is not finite or far off: 'x'"),
    ],
)
def test_a_damaged_frame_costs_no_other(folder, tmp_path, row, reason):
    text = TEXT.replace(b"Frames: 2", b"Frames: 4") + row + FRAME
    store = import_dataset("bvh", folder({"a.bvh": text}).path, tmp_path / "a.store")
    clip, whole = store.clip(0)[:, 0], parse_bvh(TEXT)[1].astype(np.float32)
    assert np.isnan(clip[2]).any(-1).sum() > 0
    assert np.allclose(clip[[0, 1, 3]], whole[[0, 1, 1]])
    assert [bad.reason for bad in store.bad_files] == [f"{reason}; the frame is missing in the clip"]
    assert store.rates.tolist() == [120.005]


def test_the_tree_that_most_files_share(folder, tmp_path):
    other = TEXT.replace(b"JOINT RightLeg", b"JOINT RightArm")
    files = folder({"0.bvh": other, "1.bvh": TEXT, "2.bvh": TEXT, "3.bvh": TEXT})
    store = import_dataset("bvh", files.path, tmp_path / "a.store")
    assert store.names.tolist() == ["1", "2", "3"]
    assert store.notes[0].startswith("1 of 4 files has another tree than most")


def test_a_root_that_stays_at_the_origin_is_there(folder, tmp_path):
    """Mixamo calls it "in place"; the clip is that of the same figure elsewhere."""
    files = {
        "a.bvh": TEXT,
        "b.bvh": TEXT.replace(b"\n0 0 0 0", b"\n10 0 0 0").replace(b"\n1 2 3", b"\n11 2 3"),
    }
    store = import_dataset("bvh", folder(files).path, tmp_path / "a.store")
    assert missing_joints(store).tolist() == [0, 0, 0, 0]
    clips = build_clips(store, Default(frames=2, face=False))
    assert np.allclose(clips[0], clips[1], atol=1e-6)
    gone = import_dataset("bvh", tmp_path / "walks", tmp_path / "b.store", zeros="missing")
    assert missing_joints(gone)[0] > 0
