import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import BadFile, Clip, Source
from skel_data.readers.datasets._pku_mmd import PKU_MMD_1, PKU_MMD_2, parse, parse_list

LABELS = b"34,2,3,2\r\n1,3,6,1\r\n"
LIST = b"Training videos: \n0002-M, 0002-R, 0003-M, \nValidation videos: \n0004-L, 0002-L\n"


def recording(frames=6, seed=0):
    positions = np.random.default_rng(seed).normal(size=(frames, 2, 25, 3)).round(6)
    positions[: frames // 2, 1] = 0
    rows = [" ".join(f"{value:.6f}" for value in row.ravel()) for row in positions]
    return positions.astype(np.float32), " \n".join(rows).encode() + b" \n"


def read(reader, folder):
    entries = list(reader.read(Source(folder)))
    clips = {clip.name: clip for clip in entries if isinstance(clip, Clip)}
    return clips, {bad.name: bad.reason for bad in entries if isinstance(bad, BadFile)}


@pytest.fixture
def folder(tmp_path):
    """Three recordings of phase I with labels and lists."""
    for name in ("Data/PKU_Skeleton_Renew", "Label/Train_Label_PKU_final", "Split"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for seed, name in enumerate(["0002-L", "0002-M", "0002-R"]):
        (tmp_path / f"set/Data/PKU_Skeleton_Renew/{name}.txt").write_bytes(recording(seed=seed)[1])
        (tmp_path / f"set/Label/Train_Label_PKU_final/{name}.txt").write_bytes(LABELS)
    (tmp_path / "set/Split/cross-subject.txt").write_bytes(LIST)
    (tmp_path / "set/Split/cross-view.txt").write_bytes(b"Training\n0002-L\nTesting\n0002-M\n")
    return tmp_path / "set"


def test_rows_of_labels_are_clips(folder):
    clips, bad = read(PKU_MMD_1, folder)
    assert bad == {}
    assert list(clips) == [f"0002-{camera}_{row}" for camera in "LMR" for row in ("01", "02")]
    positions = recording(seed=1)[0]
    assert np.array_equal(clips["0002-M_01"].positions, positions[1:3])  # frames 2 and 3, counted from 1
    assert np.array_equal(clips["0002-M_02"].positions, positions[2:6])
    assert [clips[f"0002-{camera}_01"].camera for camera in "LMR"] == [1, 2, 3]
    clip = clips["0002-L_01"]
    assert (clip.label, clip.subject, clip.setup, clip.replication) == (33, -1, -1, -1)
    assert PKU_MMD_1.classes[clip.label] == "standing up"
    assert [clips[f"0002-{camera}_02"].split for camera in "LMR"] == [(2, 1), (1, 2), (1, 0)]


def test_phase_two(folder, tmp_path):
    second = tmp_path / "second"
    for name in ("skeleton", "label"):
        (second / name).mkdir(parents=True)
    (second / "skeleton/A03N13-R.txt").write_bytes(recording()[1])
    (second / "label/A03N13-R.txt").write_bytes(b"51,1,6")
    (second / "cross_subject_v2.txt").write_bytes(b"train\nA01N01-L,A03N13-R\ntest\nA02N02-L")
    (second / "cross_view_v2.txt").write_bytes(b"train\nA01N01-L\ntest\nA01N02-L,A03N13-R")
    clips, bad = read(PKU_MMD_2, second)
    assert bad == {}
    clip = clips["A03N13-R_01"]
    assert (clip.label, clip.subject, clip.camera, clip.split) == (50, 13, 3, (1, 2))
    # Each phase refuses the other's recordings
    clips, bad = read(PKU_MMD_2, folder)
    assert (clips, len(bad)) == ({}, 8)
    clips, bad = read(PKU_MMD_1, second)
    assert (clips, len(bad)) == ({}, 4)


def test_lists_are_not_needed(folder):
    (folder / "Split/cross-view.txt").unlink()
    (folder / "Split/cross-subject.txt").write_bytes(b"hello")
    clips, bad = read(PKU_MMD_1, folder)
    assert {clip.split for clip in clips.values()} == {(0, 0)}
    assert list(bad) == ["Split/cross-subject.txt"]


def test_what_is_missing_is_told_once(folder):
    (folder / "Data/PKU_Skeleton_Renew/0002-L.txt").unlink()
    (folder / "Data/PKU_Skeleton_Renew/0002-M.txt").write_bytes(b"")
    (folder / "Label/Train_Label_PKU_final/0002-R.txt").unlink()
    (folder / "readme.txt").write_text("hello")
    clips, bad = read(PKU_MMD_1, folder)
    assert clips == {}
    assert set(bad) == {
        "Label/Train_Label_PKU_final/0002-L.txt",
        "Data/PKU_Skeleton_Renew/0002-M.txt",
        "Data/PKU_Skeleton_Renew/0002-R.txt",
        "readme.txt",
    }
    assert "no recording" in bad["Label/Train_Label_PKU_final/0002-L.txt"]
    assert bad["Data/PKU_Skeleton_Renew/0002-M.txt"] == "empty file"
    assert "no label file" in bad["Data/PKU_Skeleton_Renew/0002-R.txt"]
    assert "unexpected name" in bad["readme.txt"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1,3,7,1", "from frame 3 to 7 of 6"),
        (b"1,0,3,1", "from frame 0 to 3"),
        (b"1,5,3,1", "from frame 5 to 3"),
        (b"0,1,3,1", "label 0"),
        (b"52,1,3,1", "label 52"),
        (b"1,1.5,3,1", "expected label,first frame"),
        (b"1,3", "expected label,first frame"),
        (b"1,2,3,1,9", "expected label,first frame"),
        (b"1,9999999999,3,1", "expected label,first frame"),
        (b"", "expected label,first frame"),
    ],
)
def test_bad_rows_cost_no_good_one(row, reason):
    bad, good = parse("0002-L", recording()[1], row + b"\n2, 1, 6, 2\n\n")
    assert (bad.name, good.name, good.label) == ("0002-L_01", "0002-L_02", 1)
    assert "row 1 of the labels" in bad.reason
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("A01N01-L", recording()[1], "unexpected name"),
        ("0002-L", b" \n", "no row"),
        ("0002-L", b"\x89PNG\r\n\x1a\n", "line 1: 1 field"),
    ],
)
def test_bad_recordings(name, data, reason):
    with pytest.raises(ValueError, match=reason):
        parse(name, data, LABELS)


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (recording()[1][:-100], 5, "fields, expected 150; the frame is missing"),
        (
            recording()[1].replace(b"0.000000", b"0.000x", 1),
            0,
            "not a number: b'0.000x'; the frame is missing",
        ),
    ],
)
def test_a_damaged_row_costs_its_frame_only(data, line, reason):
    whole = {clip.name: clip for clip in parse("0002-L", recording()[1], b"1,1,6,1\n")}
    told, clip = parse("0002-L", data, b"1,1,6,1\n")
    assert told.reason.startswith(f"line {line + 1}: ")
    assert told.reason.endswith(reason)
    assert np.isnan(clip.positions[line]).all()
    others = np.delete(clip.positions, line, 0)
    assert np.array_equal(others, np.delete(whole["0002-L_01"].positions, line, 0))


def test_list():
    assert parse_list(LIST) == {"0002-M": 1, "0002-R": 1, "0003-M": 1, "0004-L": 2, "0002-L": 2}
    assert parse_list(LIST.replace(b"0002-R, ", b"\r\n0002-R, ")) == parse_list(LIST)  # over several lines


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "recordings for training, then"),
        (b"train\n0002-L\n", "recordings for training, then"),
        (b"train\nA01N01-L\ntest\nA01N02-L\n", "recordings for training, then"),
        (b"0002-L\ntest\n0003-L\n", "line 1: '0002-L'"),
        (b"train\n0002-L, 2-M\ntest\n0003-L\n", "line 2: '2-M'"),
        (b"train\n0002-L\ntest\n0002-L\n", "line 4: 0002-L is for training and for testing"),
        (b"train\n0002-L\ntest\n0003-L\nmore\n0004-L", "line 6"),
    ],
)
def test_bad_lists(data, reason):
    with pytest.raises(ValueError, match=reason):
        parse_list(data)


def test_classes():
    assert PKU_MMD_1.classes == PKU_MMD_2.classes
    assert len(set(PKU_MMD_1.classes)) == 51
    assert list(PKU_MMD_1.classes) == sorted(PKU_MMD_1.classes)  # the set numbers them by the alphabet


GOOD = recording(frames=3)[1]


@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 40),
    st.binary(max_size=5),
    st.binary(max_size=30) | st.text("0123,\r\n", max_size=30).map(str.encode),
)
@settings(max_examples=100)
def test_damage_gives_clips_or_a_value_error(at, length, put, labels):
    try:
        found = parse("0002-L", GOOD[:at] + put + GOOD[at + length :], labels)
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        rows = [entry for entry in found if not getattr(entry, "reason", "").endswith("the frame is missing")]
        assert len(rows) == 1 + labels.rstrip().count(b"\n")
        assert all(isinstance(entry, BadFile) or entry.positions.shape[1:] == (2, 25, 3) for entry in found)


@given(st.binary(max_size=200) | st.text("0123456789 \r\n.-e_#,", max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_are_no_recording(data):
    with pytest.raises(ValueError, match="."):
        parse("0002-L", data, LABELS)


@given(st.binary(max_size=100) | st.text("0002-LMR, \nab", max_size=100).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_are_a_list_or_a_value_error(data):
    try:
        parts = parse_list(data)
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        assert set(parts.values()) == {1, 2}
