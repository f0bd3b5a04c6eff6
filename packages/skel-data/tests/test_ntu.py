import io
import json
import os
import zipfile
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
from skel_data.readers.datasets._ntu import NTU120, ntu_clip_table, parse, parse_text, read_ntu_skeleton
from skel_data.splits._official import ntu_missing

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
    assert (clip.setup, clip.camera, clip.subject, clip.replication, clip.label) == (1, 2, 3, 2, 12)


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
        (b"20001\n" + b"0\n" * 20001, "20001 frames, at most 20000 are credible"),
        (lines_changed(1, b"16"), "line 58: expected the number of joints"),
        (lines_changed(3, b"999999999"), "line 4: 999999999 joints"),
        (text()[1][:2000], "cut off"),
        (text()[1][:-300], "cut off|not a joint"),
        (text()[1] + b"1\r\n", "1 line after the last of"),
        (lines_changed(1, b"40"), "40 bodies"),
        (lines_changed(1, b"-1"), "line 2: expected the number of bodies"),
        (lines_changed(2, b"7 0 0"), "line 3: not a body"),
        (lines_changed(2, b"x 0 1 0 1 1 0 0 0 2"), "line 3: not a body"),
        (lines_changed(3, b"24"), "line 4: 24 joints, expected 25"),
        (lines_changed(4, b"1 2 3"), "expected 12 fields"),
        (lines_changed(4, b"nan 2 3 0 0 0 0 0 0 0 0 2"), "not finite"),
        (lines_changed(4, b"1 inf 3 0 0 0 0 0 0 0 0 2"), "not finite"),
        (lines_changed(4, b"1 2 1e300 0 0 0 0 0 0 0 0 2"), "far off"),
        (lines_changed(4, b"1 2 x 0 0 0 0 0 0 0 0 2"), "a coordinate is not a number: 'x'"),
        (lines_changed(4, b"1 2 1_0 0 0 0 0 0 0 0 0 2"), "not a number|fewer"),
    ],
)
def test_malformed_text_has_a_reason(data, reason):
    with pytest.raises(ValueError, match=reason):
        parse_text(data)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("readme", "unexpected name 'readme', expected SsssCcccPpppRrrrAaaa"),
        ("S001C001P001R001A000", "action A000, the set has A001 to A060"),
        ("S001C001P001R001A061", "action A061, the set has A001 to A060"),
    ],
)
def test_names_are_checked(name, reason):
    with pytest.raises(ValueError, match=reason):
        parse(name, text()[1], 60)
    with pytest.raises(ValueError, match=reason):
        ntu_clip_table([NAME, name])


def test_facts_of_names():
    table = ntu_clip_table([NAME, "S032C003P106R001A120"], "ntu120")
    assert (table.dataset, table.labels.tolist(), table.subjects.tolist()) == ("ntu120", [12, 119], [3, 106])
    assert (table.setups.tolist(), table.cameras.tolist()) == ([1, 32], [2, 3])
    assert table.replications.tolist() == [2, 1]
    assert len(ntu_clip_table([])) == 0
    with pytest.raises(ValueError, match="dataset must be ntu60 or ntu120, got 'ntu'"):
        ntu_clip_table([NAME], "ntu")


def test_listed_samples_are_left_out_and_told(tmp_path):
    listed = sorted(ntu_missing())[0]
    for name in (NAME, listed):
        (tmp_path / f"{name}.skeleton").write_bytes(text()[1])
    reason = "listed by the data set as having a missing or incomplete skeleton"
    for reader in (READERS["ntu60"], NTU120):
        good, bad = sorted(reader.read(Source(tmp_path)), key=lambda entry: isinstance(entry, BadFile))
        assert good.name == NAME
        assert bad == BadFile(f"{listed}.skeleton", reason, listed=True)
    store = import_dataset("ntu60", tmp_path, tmp_path / "a.store", strict=True)  # it is no fault of the copy
    assert (store.names.tolist(), store.bad_files) == ([NAME], (bad,))
    clip = read_ntu_skeleton(tmp_path / f"{listed}.skeleton")
    assert np.array_equal(clip.positions, text()[0])
    with pytest.raises(FileNotFoundError):
        read_ntu_skeleton(tmp_path / NAME)


def test_an_archive_is_read_as_a_folder_is(tmp_path):
    names = (NAME, "S018C001P045R001A061", "S032C003P106R002A120")
    with zipfile.ZipFile(tmp_path / "ntu.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for seed, name in enumerate(names):
            archive.writestr(f"nturgb+d_skeletons/{name}.skeleton", text(seed=seed)[1])
        archive.writestr("nturgb+d_skeletons/S001C001P001R001A001.skeleton", text()[1][:900])
    bad, *clips = NTU120.read(Source(tmp_path / "ntu.zip"))
    assert isinstance(bad, BadFile)
    assert "cut off" in bad.reason
    assert [(clip.name, clip.label) for clip in clips] == list(zip(names, (12, 60, 119), strict=True))
    assert np.array_equal(clips[2].positions, text(seed=2)[0])
    of_60 = [
        entry for entry in READERS["ntu60"].read(Source(tmp_path / "ntu.zip")) if isinstance(entry, Clip)
    ]
    assert [clip.name for clip in of_60] == [NAME]


GOOD = text(frames=2)[1]


@given(st.data())
@settings(max_examples=60)
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
@settings(max_examples=60)
def test_any_bytes_give_a_value_error(data):
    with pytest.raises(ValueError, match="."):
        parse_text(data)


@st.composite
def edited_lines(draw):
    """The good file with lines left out, doubled, moved or cut, flipped bits, or wild counts."""
    lines = GOOD.split(b"\r\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        to = draw(st.integers(0, len(lines) - 1))
        edit = draw(st.sampled_from(["drop", "double", "move", "cut", "count", "bit"]))
        if edit == "drop" and len(lines) > 1:
            del lines[at]
        elif edit == "double":
            lines.insert(to, lines[at])
        elif edit == "move":
            lines.insert(to, lines.pop(at))
        elif edit == "cut":
            lines[at] = lines[at][: draw(st.integers(0, 30))]
        elif edit == "bit" and lines[at]:
            line = bytearray(lines[at])
            line[draw(st.integers(0, len(line) - 1))] ^= 1 << draw(st.integers(0, 7))
            lines[at] = bytes(line)
        elif edit == "count":
            count = draw(st.sampled_from([0, 1, 2, 16, 17, 25, 26, 20_000, 999_999_999, 10**9, 10**30]))
            lines[draw(st.sampled_from([0, min(1, len(lines) - 1), min(3, len(lines) - 1), at]))] = (
                b"%d" % count
            )
    return b"\r\n".join(lines)[: draw(st.sampled_from([None, -10, 300]))]


@given(edited_lines())
@settings(max_examples=200, deadline=2000)  # milliseconds: no damage may cost time either
def test_edited_lines_give_a_clip_or_a_value_error(data):
    try:
        clip = parse(NAME, data)
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert np.isfinite(clip.positions).all()
        assert clip.positions.shape[:2] == clip.tracks.shape


@given(st.text(max_size=30) | st.from_regex(r"S[0-9]{3}C[0-9]{3}P[0-9]{3}R[0-9]{3}A[0-9]{3}", fullmatch=True))
def test_any_name_gives_a_clip_or_a_value_error(name):
    try:
        clip = parse(name, GOOD)
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        where = f"S{clip.setup:03}C{clip.camera:03}P{clip.subject:03}R{clip.replication:03}"
        assert name == f"{where}A{clip.label + 1:03}"


def test_sixty_classes():
    reader = READERS["ntu60"]
    assert len(reader.classes) == len(set(reader.classes)) == 60
    assert (reader.classes[9], reader.classes[42], reader.classes[59]) == (
        "clapping",
        "falling",
        "walking apart from each other",
    )


def test_a_hundred_and_twenty_classes():
    assert len(NTU120.classes) == len(set(NTU120.classes)) == 120
    assert NTU120.classes[:60] == READERS["ntu60"].classes
    assert (NTU120.classes[60], NTU120.classes[105], NTU120.classes[119]) == (
        "put on headphone",
        "hit other person with something",
        "finger-guessing game (playing rock-paper-scissors)",
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
    # The program of NTU RGB+D keeps the first 300 frames of a longer file, that of PKU-MMD the middle ones
    clips = build_clips(store, CrosSCLR50(keep="first"))
    for path in sorted((ntu_format / "golden").glob("crossclr50.*.npz")):
        with np.load(path) as golden:
            index = store.names.tolist().index(json.loads(str(golden["config"]))["file"])
            np.testing.assert_allclose(clips[index], golden["out.x"], rtol=0, atol=1e-4)
            raw = np.zeros(golden["out.raw"].shape, np.float32)
            recorded = store.clip(index)[: raw.shape[1], :2].transpose(3, 0, 2, 1)
            raw[..., : recorded.shape[3]] = recorded
            assert np.array_equal(raw, golden["out.raw"])


@pytest.mark.ntu_format
def test_every_file_gives_a_clip_or_a_reason(ntu_format):
    paths = sorted(ntu_format.rglob("*.skeleton"))
    broken = [path for path in paths if path.parent.name == "broken"]
    for path in paths:
        if path not in broken:
            assert read_ntu_skeleton(path).name == path.stem
    entries = list(NTU120.read(Source(ntu_format)))
    bad = [entry for entry in entries if isinstance(entry, BadFile)]
    names = [path.relative_to(ntu_format).as_posix() for path in broken]
    assert sorted({entry.name.rpartition("/")[2] for entry in bad}) == sorted(path.name for path in broken)
    assert {entry.name for entry in bad if "missing there" not in entry.reason} < set(names)
    assert all(entry.reason for entry in bad)


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
    expected = {101: "cut off", 102: "empty", 103: "24 joints", 105: "PNG", 106: "no body"}
    for action, reason in expected.items():
        assert reason in reasons[f"S001C001P001R001A{action}.skeleton"]
    assert "unexpected name" in reasons["readme.skeleton"]
    store = import_dataset("ntu60", both, tmp_path / "store")
    assert len(store) == len(good)
    assert {bad.name: bad.reason for bad in store.bad_files} == reasons
    with pytest.raises(ValueError, match=broken[0].name):
        import_dataset("ntu60", both, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()


def test_a_damaged_joint_costs_no_clip(tmp_path):
    (tmp_path / "a").mkdir()
    lines = lines_changed(4, b"nan 2 3 0 0 0 0 0 0 0 0 2")
    (tmp_path / "a" / "S001C001P001R001A001.skeleton").write_bytes(lines)
    store = import_dataset("ntu60", tmp_path / "a", tmp_path / "s")
    whole, _ = parse_text(lines.replace(b"nan 2 3", b"9 2 3"))
    gone = np.isnan(store.clip(0)).any(-1)
    assert gone.sum() == 1
    assert np.array_equal(store.clip(0)[~gone], whole[~gone])
    assert store.bad_files[0].reason.endswith("; the joint is missing there")


@pytest.mark.parametrize("change", ["line left out", "line added", "header cut", "joint cut"])
def test_a_broken_frame_costs_no_clip(tmp_path, change):
    one = [b"1", b"7 0 0 0 0 0 0 0 0 2", b"25", *[b"1 2 3 0 0 0 0 0 0 0 0 2"] * 25]
    broken = list(one)
    if change == "line left out":
        del broken[9]
    elif change == "line added":
        broken.insert(9, b"1 2 3 0 0 0 0 0 0 0 0 2")
    else:
        at, put = {"header cut": (1, b"7 0 0"), "joint cut": (9, b"1 2")}[change]
        broken[at] = put
    (tmp_path / "a").mkdir()
    lines = [b"4", *one, *broken, *one, *one]
    (tmp_path / "a" / "S001C001P001R001A001.skeleton").write_bytes(b"\n".join(lines))
    store = import_dataset("ntu60", tmp_path / "a", tmp_path / "s")
    assert store.lengths.tolist() == [4]
    there = store.clip(0)[:, 0]
    assert np.array_equal(there[[0, 2, 3]], np.broadcast_to(np.float32([1, 2, 3]), (3, 25, 3)))
    if change == "joint cut":  # its frame has all lines
        assert np.isnan(there[1]).all(-1).sum() == 1
    else:
        assert not there[1].any()
        assert store.bad_files[0].reason.startswith("frame 2 of 4, lines 30 to ")
    assert len(store.bad_files) == 1
    if change != "joint cut":
        with pytest.raises(ValueError, match="^(line|cut off)"):  # most frames broken
            parse_text(b"\n".join([b"3", *broken, *broken, *one]), [])
