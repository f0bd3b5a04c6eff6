import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import BadFile, Clip, Source, get_split, import_dataset
from skel_data.readers.datasets._table import frame_numbers
from skel_data.readers.datasets._utkinect import UTKINECT, parse, parse_labels

FRAMES = [10, 12, 12, 16, 30]
LABELS = b"s01_e01\nwalk: 10 12 \nsitDown: 16 30\n\ns03_e02\r\npull: 12 16\r\n"


def stream(seed=0, frames=FRAMES):
    positions = np.random.default_rng(seed).normal(size=(len(frames), 20, 3)).round(6)
    rows = [
        f"{frame}   " + "  ".join(map(str, xyz.ravel())) for frame, xyz in zip(frames, positions, strict=True)
    ]
    return positions.astype(np.float32), "  \n".join(rows).encode() + b"  \n"


@pytest.fixture
def folder(tmp_path):
    """Two streams with labels, in a folder below the source."""
    folder = tmp_path / "set" / "joints"
    folder.mkdir(parents=True)
    for seed, name in enumerate(["s01_e01", "s03_e02"]):
        (folder / f"joints_{name}.txt").write_bytes(stream(seed)[1])
    (folder / "actionLabel.txt").write_bytes(LABELS)
    return folder


def read(folder):
    entries = list(UTKINECT.read(Source(folder.parent)))
    clips = {clip.name: clip for clip in entries if isinstance(clip, Clip)}
    return clips, {bad.name: bad.reason for bad in entries if isinstance(bad, BadFile)}


def test_segments_are_clips(folder):
    clips, bad = read(folder)
    assert (list(clips), bad) == (["s01_e01_walk", "s01_e01_sitDown", "s03_e02_pull"], {})
    walk, pull = clips["s01_e01_walk"], clips["s03_e02_pull"]
    assert np.array_equal(walk.positions[:, 0], stream(0)[0][:3])  # both rows of frame 12
    assert np.array_equal(clips["s01_e01_sitDown"].positions[:, 0], stream(0)[0][3:])
    assert np.array_equal(pull.positions[:, 0], stream(1)[0][1:4])
    assert (walk.label, walk.subject, walk.replication, walk.camera) == (0, 1, 1, -1)
    assert (UTKINECT.classes[pull.label], pull.subject, pull.replication) == ("pull", 3, 2)
    assert len(UTKINECT.classes) == 10


def test_the_modified_labels_win(folder):
    (folder / "actionLabel_modified.txt").write_bytes(LABELS.replace(b"10 12", b"10 16"))
    clips, bad = read(folder)
    assert (len(clips["s01_e01_walk"].positions), bad) == (4, {})
    (folder / "actionLabel_modified.txt").write_bytes(b"")
    clips, bad = read(folder)
    assert (len(clips), list(bad)) == (3, ["joints/actionLabel_modified.txt"])


def test_what_is_missing_is_told(folder):
    (folder / "joints_s02_e01.txt").write_bytes(stream()[1])
    (folder / "joints_s01_e01.txt").unlink()
    (folder / "readme.txt").write_text("hello")
    clips, bad = read(folder)
    assert list(clips) == ["s03_e02_pull"]
    assert set(bad) == {"joints/joints_s02_e01.txt", "joints/readme.txt", "s01_e01"}
    assert "no labels of s02_e01 in joints/actionLabel.txt" in bad["joints/joints_s02_e01.txt"]
    assert "unexpected name" in bad["joints/readme.txt"]
    assert "no joints_s01_e01.txt" in bad["s01_e01"]
    (folder / "actionLabel.txt").unlink()
    clips, bad = read(folder)
    assert (clips, len(bad)) == ({}, 3)
    assert "no labels of s03_e02 in actionlabel_modified.txt or" in bad["joints/joints_s03_e02.txt"]


def test_an_empty_stream_is_told_once(folder):
    (folder / "joints_s01_e01.txt").write_bytes(b"")
    clips, bad = read(folder)
    assert (list(clips), bad) == (["s03_e02_pull"], {"joints/joints_s01_e01.txt": "empty file"})


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (("carry", "NaN", "NaN"), "from frame NaN to NaN"),
        (("carry", "12.5", "16"), "two frame numbers"),
        (("carry", "16", "12"), "from frame 16 to 12"),
        (("carry", "9", "12"), "the stream has 10 to 30"),
        (("carry", "10", "31"), "the stream has 10 to 30"),
        (("carry", "13", "15"), "no frame there"),
        (("run", "10", "12"), "action 'run'"),
    ],
)
def test_bad_segments_cost_no_good_one(segment, reason):
    bad, good = parse("s01_e01", stream()[1], [segment, ("push", "10", "10")])
    assert bad.name == f"s01_e01_{segment[0]}"
    assert reason in bad.reason
    assert good.name == "s01_e01_push"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("s1_e1", stream()[1], "unexpected name"),
        ("s01_e01", b"", "no row"),
        ("s01_e01", stream()[1].replace(b"\n12 ", b"\n12.5 ", 1), "line 2: frame number 12.5"),
        ("s01_e01", b"\x89PNG\r\n\x1a\n", "line 1: 1 field"),
    ],
)
def test_bad_streams(name, data, reason):
    with pytest.raises(ValueError, match=reason):
        parse(name, data, [("walk", "10", "12")])


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (stream()[1][:-300], 4, "fields, expected 61"),
        (stream()[1].replace(b"\n12 ", b"\n1x ", 1), 1, "not a number: b'1x'"),
    ],
)
def test_a_damaged_row_costs_its_frame_only(data, line, reason):
    (whole,) = parse("s01_e01", stream()[1], [("walk", "10", "16")])
    told, clip = parse("s01_e01", data, [("walk", "10", "16")])
    assert told.reason.startswith(f"line {line + 1}: ")
    assert reason in told.reason
    same = min(len(clip.positions), len(whole.positions))
    good = np.isfinite(clip.positions[:same]).all((1, 2, 3))
    assert np.array_equal(clip.positions[:same][good], whole.positions[:same][good])
    assert good.sum() >= same - 1


def test_frame_numbers_of_damaged_rows_count_on():
    column = np.array([np.nan, 4, 5, np.nan, 9, np.nan])
    assert frame_numbers(column).tolist() == [3, 4, 5, 6, 9, 10]


def test_labels():
    segments, problems = parse_labels(LABELS)
    assert segments == {
        "s01_e01": [("walk", "10", "12"), ("sitDown", "16", "30")],
        "s03_e02": [("pull", "12", "16")],
    }
    assert problems == []
    # What follows a line that may have been the name of a stream is nobody's
    segments, problems = parse_labels(b"s01_e01\nwalk: 1 2\ns01_eO2\nwalk: 3 4\ns02_e01\nwalk: 5 6\n")
    assert segments == {"s01_e01": [("walk", "1", "2")], "s02_e01": [("walk", "5", "6")]}
    assert [problem.partition(":")[0] for problem in problems] == ["line 3", "line 4"]


GOOD = stream()[1]


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=5))
@settings(max_examples=60)
def test_damage_gives_clips_or_a_value_error(at, length, put):
    try:
        found = parse("s01_e01", GOOD[:at] + put + GOOD[at + length :], [("walk", "10", "12")])
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        assert len([entry for entry in found if not isinstance(entry, BadFile) or "walk" in entry.name]) == 1
        assert isinstance(found[0], BadFile) or found[0].positions.shape[1:] == (1, 20, 3)


@given(st.binary(max_size=200) | st.text("0123456789 \r\n.-e_#,", max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_are_no_stream(data):
    with pytest.raises(ValueError, match="."):
        parse("s01_e01", data, [("walk", "10", "12")])


@given(st.binary(max_size=200) | st.text("s01_e2:walk \r\n9N", max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_may_be_labels(data):
    segments, problems = parse_labels(data)
    assert sum(map(len, segments.values())) + len(segments) + len(problems) <= 1 + data.count(b"\n")


@pytest.fixture
def archive() -> Path:
    if "SKEL_DATA" not in os.environ:
        pytest.skip("SKEL_DATA is not set: no folder with recordings")
    return Path(os.environ["SKEL_DATA"]) / "utkinect" / "utkinect_joints.tar.xz"


@pytest.mark.real_data
def test_counts_of_the_set(archive, tmp_path):
    store = import_dataset(UTKINECT, archive, tmp_path / "store")
    assert len(store) == 199
    assert [bad.name for bad in store.bad_files] == ["s10_e02_carry"]
    assert np.bincount(store.labels).tolist() == [20, 20, 20, 20, 19, 20, 20, 20, 20, 20]
    assert set(store.subjects) == set(range(1, 11))
    assert store.lengths.min() == 5
    assert "s03_e01_push" in store.names
    assert store.lengths.max() < 120  # the segment that is too long by mistake is not used
    split = get_split(store)
    assert (split.name, len(split.train), len(split.test)) == ("xsub", 100, 99)
