import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import (
    READERS,
    BadFile,
    Clip,
    CrosSCLR50,
    Source,
    build_clips,
    import_dataset,
    write_ntu_skeleton,
)
from skel_data.readers._ntu import parse, parse_text

NAME = "S001C002P003R002A013"


def text(frames=3, bodies=2, seed=0, tracks=None):
    positions = np.random.default_rng(seed).normal(size=(frames, bodies, 25, 3)).astype(np.float32)
    file = io.BytesIO()
    write_ntu_skeleton(file, positions, tracks)
    return positions, file.getvalue()


def test_round_trip():
    tracks = np.array([[72057594050757020, 0], [72057594050757020, 72057594050757021], [0, 0]])
    positions, data = text(tracks=tracks)
    clip = parse(NAME, data)
    assert np.array_equal(clip.positions, positions * (tracks != 0)[..., None, None])
    assert np.array_equal(clip.tracks, tracks)  # 17 digits, more than a float64 holds
    assert (clip.setup, clip.view, clip.subject, clip.replication, clip.label) == (1, 2, 3, 2, 12)


def test_slots_are_the_order_in_the_frame():
    positions, data = text(frames=2, tracks=np.array([[0, 8], [7, 8]]))
    clip = parse(NAME, data)
    assert np.array_equal(clip.tracks, [[8, 0], [7, 8]])
    assert np.array_equal(clip.positions[0, 0], positions[0, 1])
    assert not clip.positions[0, 1].any()


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\r\n", b"\n"), (b" ", b"  "), (b" ", b"\t"), (b"\r\n", b" \r\n"), (b"25\r\n", b"25\r\n")],
)
def test_white_space_does_not_matter(old, new):
    positions, data = text()
    assert np.array_equal(parse_text(data.replace(old, new) + b"\r\n \n")[0], positions)


def lines_changed(at, line):
    lines = text()[1].split(b"\r\n")
    lines[at] = line
    return b"\r\n".join(lines)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut off"),
        (b"\n\n", "cut off"),
        (b"0\n", "no frame"),
        (b"2\n0\n0\n", "no body in any frame"),
        (b"\x89PNG\r\n\x1a\n", "line 1: expected the number of frames"),
        (b"999999999\n1\n", "999999999 frames announced"),
        (b"99999999999999999999\n1\n", "line 1"),
        (text()[1][:2000], "cut off"),
        (text()[1][:-300], "cut off|not a joint"),
        (text()[1] + b"1\r\n", "lines after the last"),
        (lines_changed(1, b"40"), "40 bodies"),
        (lines_changed(1, b"-1"), "line 2: expected the number of bodies"),
        (lines_changed(2, b"7 0 0"), "line 3: not a body"),
        (lines_changed(2, b"x 0 1 0 1 1 0 0 0 2"), "line 3: not a body"),
        (lines_changed(3, b"24"), "line 4: 24 joints, expected 25"),
        (lines_changed(4, b"1 2 3"), "expected 12 fields"),
        (lines_changed(4, b"nan 2 3 0 0 0 0 0 0 0 0 2"), "not finite"),
        (lines_changed(4, b"1 inf 3 0 0 0 0 0 0 0 0 2"), "not finite"),
        (lines_changed(4, b"1 2 1e300 0 0 0 0 0 0 0 0 2"), "far off"),
        (lines_changed(4, b"1 2 x 0 0 0 0 0 0 0 0 2"), "not a number"),
        (lines_changed(4, b"1 2 1_0 0 0 0 0 0 0 0 0 2"), "not a number|fewer"),
    ],
)
def test_malformed_text_has_a_reason(data, reason):
    with pytest.raises(ValueError, match=reason):
        parse_text(data)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("readme", "SsssCcccPpppRrrrAaaa"), ("S001C001P001R001A000", "A000"), ("S001C001P001R001A061", "A061")],
)
def test_names_are_checked(name, reason):
    with pytest.raises(ValueError, match=reason):
        parse(name, text()[1])


GOOD = text(frames=2)[1]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damage_gives_a_clip_or_a_value_error(data):
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        stop = at + data.draw(st.sampled_from([0, 1, 5, 700]))
        damaged[at:stop] = data.draw(
            st.one_of(st.binary(max_size=4), st.sampled_from([b"1e999", b"nan", b"\n", b"9"]))
        )
    try:
        positions, tracks = parse_text(bytes(damaged))
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert np.isfinite(positions).all()
        assert positions.shape[:2] == tracks.shape


@given(st.binary(max_size=200) | st.text("0123456789 \r\n.-e", max_size=200).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_any_bytes_give_a_value_error(data):
    with pytest.raises(ValueError, match="."):
        parse_text(data)


def test_sixty_classes():
    reader = READERS["ntu60"]
    assert len(reader.classes) == len(set(reader.classes)) == 60
    assert (reader.classes[9], reader.classes[42], reader.classes[59]) == (
        "clapping",
        "falling",
        "walking apart from each other",
    )


@pytest.fixture
def ntu_format() -> Path:
    if "SKEL_NTU_FORMAT" not in os.environ:
        pytest.skip("SKEL_NTU_FORMAT is not set: no folder with files in the NTU format")
    return Path(os.environ["SKEL_NTU_FORMAT"])


@pytest.mark.ntu_format
def test_good_files_give_the_published_clips(ntu_format, tmp_path):
    good = ntu_format / "nturgb+d_skeletons"
    store = import_dataset("ntu60", good, tmp_path / "store")
    assert sorted(store.names) == sorted(path.stem for path in good.glob("*.skeleton"))
    assert store.bad_files == ()
    clips = build_clips(store, CrosSCLR50())
    for path in sorted((ntu_format / "golden").glob("crossclr50.*.npz")):
        with np.load(path) as golden:
            index = store.names.tolist().index(json.loads(str(golden["config"]))["file"])
            np.testing.assert_allclose(clips[index], golden["out.x"], rtol=0, atol=1e-4)
            raw = np.zeros(golden["out.raw"].shape, np.float32)
            recorded = store.clip(index)[: raw.shape[1], :2].transpose(3, 0, 2, 1)
            raw[..., : recorded.shape[3]] = recorded
            assert np.array_equal(raw, golden["out.raw"])


@pytest.mark.ntu_format
def test_broken_files_are_told_and_lose_no_good_one(ntu_format, tmp_path):
    both = tmp_path / "both"
    both.mkdir()
    good = sorted((ntu_format / "nturgb+d_skeletons").iterdir())
    broken = sorted((ntu_format / "broken").iterdir())
    for path in good + broken:
        (both / path.name).write_bytes(path.read_bytes())
    entries = list(READERS["ntu60"].read(Source(both)))
    assert sorted(clip.name for clip in entries if isinstance(clip, Clip)) == [path.stem for path in good]
    reasons = {bad.name: bad.reason for bad in entries if isinstance(bad, BadFile)}
    assert sorted(reasons) == [path.name for path in broken]
    expected = {101: "cut off", 102: "empty", 103: "24 joints", 104: "nan", 105: "PNG", 106: "no body"}
    for action, reason in expected.items():
        assert reason in reasons[f"S001C001P001R001A{action}.skeleton"]
    assert "unexpected name" in reasons["readme.skeleton"]
    store = import_dataset("ntu60", both, tmp_path / "store")
    assert len(store) == len(good)
    assert {bad.name: bad.reason for bad in store.bad_files} == reasons
    with pytest.raises(ValueError, match=broken[0].name):
        import_dataset("ntu60", both, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()
