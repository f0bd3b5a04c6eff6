import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import BadFile, Source, get_layout, import_dataset
from skel_data.readers.datasets._sbu import SBU, SBU_PROCESSED, parse, parse_processed

PATH = "SBU/s03s04/07/002/skeleton_pos.txt"


def text(frames=(278, 279, 280), seed=0):
    stored = np.random.default_rng(seed).uniform(0.2, 1.8, (len(frames), 2, 15, 3)).round(5)
    rows = [",".join([str(frame), *map(str, xyz.ravel())]) for frame, xyz in zip(frames, stored, strict=True)]
    return stored, "\r\n".join(rows).encode() + b"\r\n"


def test_clip():
    stored, data = text()
    (clip,) = parse(PATH, data)
    assert clip.name == "s03s04_07_002"
    assert clip.positions.shape == (3, 2, 15, 3)
    assert (clip.label, clip.subject, clip.replication, clip.camera) == (6, 304, 2, -1)
    assert SBU.classes[clip.label] == "exchanging object"
    assert len(SBU.classes) == 8
    x, y, z = np.moveaxis(stored, -1, 0)
    millimetres = np.stack([1280 - x * 2560, 960 - y * 1920, z * 10000 / 7.8125], -1)
    np.testing.assert_allclose(clip.positions, millimetres / 1000, rtol=1e-5, atol=1e-6)


def test_folds():
    folds = [
        parse(f"s{first:02}s{second:02}/01/001/skeleton_pos.txt", text()[1])[0].split
        for first in range(1, 8)
        for second in range(1, 8)
    ]
    known = np.array([split for split in folds if split != (0, 0, 0, 0, 0)])
    assert known.shape == (21, 5)
    assert ((known == 2).sum(1) == 1).all()  # each pair tests once
    assert (known == 2).sum(0).tolist() == [4, 4, 4, 4, 5]


def test_other_paths_tell_nothing():
    for path in ("skeleton_pos.txt", "01/001/skeleton_pos.txt", "a/s1s2/01/001/skeleton_pos.txt"):
        (clip,) = parse(path, text()[1])
        assert (clip.name, clip.label, clip.subject, clip.replication) == ("skeleton_pos", -1, -1, -1)
        assert clip.split == (0, 0, 0, 0, 0)


def test_a_jump_back_begins_a_take():
    clips = parse("skeleton_pos_2.txt", text([566, 567, 570, 350, 350, 352])[1])
    whole = parse("skeleton_pos_2.txt", text(range(6))[1])[0]
    assert [clip.name for clip in clips] == ["skeleton_pos_2_1", "skeleton_pos_2_2"]
    assert np.array_equal(np.concatenate([clip.positions for clip in clips]), whole.positions)
    assert [len(clip.positions) for clip in clips] == [3, 3]


def test_missing_joints_stay_missing():
    stored, _ = text()
    stored[1, 0, 4] = 0
    stored[2, 1, 7] = np.nan
    rows = [",".join(["5", *map(str, xyz.ravel())]) for xyz in stored]
    (clip,) = parse(PATH, "\n".join(rows).encode())
    assert not clip.positions[1, 0, 4].any()
    assert np.isnan(clip.positions[2, 1, 7]).all()
    assert (clip.positions == 0).all(-1).sum() == 1


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("s01s02/09/001/skeleton_pos.txt", text()[1], "folder 09"),
        (PATH, b"\n", "no row"),
        (PATH, text()[1].replace(b"279,", b"279.5,"), "line 2: frame number 279.5"),
        (PATH, text()[1].replace(b"279,", b"-3,"), "line 2: frame number -3"),
        (PATH, text()[1].replace(b"279,", b"1_0,"), "table of 91 columns: other characters"),
        (PATH, b"1" + b",nan" * 90, "no finite"),
        (PATH, b"\x89PNG\r\n\x1a\n", "line 1: 1 field"),
    ],
)
def test_reasons(path, data, reason):
    with pytest.raises(ValueError, match=reason):
        parse(path, data)


@pytest.mark.parametrize(("data", "line"), [(text()[1][:-100], 2), (text()[1].replace(b"279,", b"x,"), 1)])
def test_a_damaged_row_costs_its_frame_only(data, line):
    (whole,) = parse(PATH, text()[1])
    told, clip = parse(PATH, data)
    assert told.reason.startswith(f"line {line + 1}: ")
    assert np.isnan(clip.positions[line]).all()
    assert np.array_equal(np.delete(clip.positions, line, 0), np.delete(whole.positions, line, 0))


def test_the_folder_tells_the_class(tmp_path):
    for name in ("s01s02/01/001", "s01s02/08/002"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "skeleton_pos.txt").write_bytes(text()[1])
    (tmp_path / "set" / "readme.txt").write_text("hello")
    *clips, bad = sorted(SBU.read(Source(tmp_path / "set")), key=lambda entry: isinstance(entry, BadFile))
    assert [(clip.name, clip.label) for clip in clips] == [("s01s02_01_001", 0), ("s01s02_08_002", 7)]
    assert (bad.name, "1 field" in bad.reason) == ("readme.txt", True)


def processed(**changes):
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 15, 2)).round(3)
    return x, json.dumps({"x": x.tolist(), "label": [0, 7, 3], **changes}).encode()


def test_processed():
    x, data = processed()
    for content in (data, json.dumps(data.decode()).encode()):  # as it is, and as text inside a text
        clips = list(parse_processed("val", content))
        assert [clip.name for clip in clips] == ["val_0", "val_1", "val_2"]
        assert [clip.label for clip in clips] == [0, 7, 3]
        assert np.array_equal(clips[1].positions, x[1].transpose(1, 0, 2, 3).astype(np.float32))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (processed()[1][:-30], "cut off"),
        (b"[" * 100_000, "nested"),
        (b"\xff\xfe\xff", "not JSON"),
        (b"[1]", "keys 'x' and 'label'"),
        (b"3", "keys 'x' and 'label'"),
        (b'"{}"', "keys 'x' and 'label'"),
        (processed(x=[])[1], r"x of shape \(0,\)"),
        (processed(x=[[[1, 2]], [[1]]])[1], "no lists of numbers"),
        (processed(label=[1, 2])[1], "expected 3 whole numbers"),
        (processed(label=[1, 2, 0.5])[1], "label is float64"),
        (processed(label=None)[1], "label is object"),
    ],
)
def test_processed_reasons(data, reason):
    with pytest.raises(ValueError, match=reason):
        list(parse_processed("val", data))


GOOD = text()[1]


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=5))
@settings(max_examples=60)
def test_damage_gives_clips_or_a_value_error(at, length, put):
    try:
        clips = parse(PATH, GOOD[:at] + put + GOOD[at + length :])
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        assert all(isinstance(clip, BadFile) or clip.positions.shape[1:] == (2, 15, 3) for clip in clips)


@given(st.binary(max_size=200) | st.text("0123456789, \r\n.-e_#", max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_give_a_value_error(data):
    with pytest.raises(ValueError, match="."):
        parse(PATH, data)


@given(st.binary(max_size=100) | st.text('{}[]"x:,123label', max_size=100).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_are_no_processed_file(data):
    with pytest.raises(ValueError, match="."):
        list(parse_processed("val", data))


@pytest.fixture
def archive() -> Path:
    if "SKEL_DATA" not in os.environ:
        pytest.skip("SKEL_DATA is not set: no folder with recordings")
    return Path(os.environ["SKEL_DATA"]) / "sbu-samples" / "sbu_samples.tar.xz"


@pytest.mark.real_data
def test_two_recordings(archive, tmp_path):
    store = import_dataset(SBU, archive, tmp_path / "store")
    assert store.names.tolist() == ["skeleton_pos", "skeleton_pos_2_1", "skeleton_pos_2_2"]
    assert (store.lengths.tolist(), store.bad_files) == ([21, 29, 17], ())
    bones = store.layout.bones
    for index in range(3):
        clip = np.asarray(store.clip(index))
        lengths = np.stack([np.linalg.norm(clip[:, :, a] - clip[:, :, b], axis=-1) for a, b in bones], -1)
        assert np.median(lengths.std(0) / lengths.mean(0)) < 0.012  # as stored up to 0.044
        assert (clip[:, :, 0, 1] > clip[:, :, 11, 1]).all()  # y is up: the head is above the foot
    # Two who come together look at each other, so left and right are as they should be
    clip = np.asarray(store.clip(1))
    front = np.cross(clip[:, :, 3] - clip[:, :, 6], [0, 1, 0])
    other = clip[:, ::-1, 2] - clip[:, :, 2]
    assert ((front * other).sum(-1) > 0).all()


@pytest.mark.real_data
def test_processed_file(archive, tmp_path):
    store = import_dataset(SBU_PROCESSED, archive, tmp_path / "store")
    assert (len(store), set(store.lengths), store.bad_files) == (84, {25}, ())
    assert np.bincount(store.labels).tolist() == [9, 9, 10, 15, 6, 10, 14, 11]
    assert (store.layout.dims, store.layout.joints) == (2, get_layout("sbu-15").joints)
    clips = np.stack([store.clip(index) for index in range(84)])
    # Approaching, departing and hugging can be told by where the trunks are
    apart = np.linalg.norm(clips[:, :, 0, 2] - clips[:, :, 1, 2], axis=-1)
    change = [
        np.mean(apart[store.labels == label, -1] - apart[store.labels == label, 0]) for label in range(8)
    ]
    assert (np.argmin(change), np.argmax(change)) == (0, 1)
    assert np.argmin([apart[store.labels == label].min(1).mean() for label in range(8)]) == 5
    assert SBU_PROCESSED.classes[5] == "hugging"
