import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import READERS
from skel_data.readers.datasets._nw_ucla import parse

NAME = "a08_s02_e03_v01"


def file(frames=4, **changes):
    skeletons = np.random.default_rng(0).normal(size=(frames, 20, 3)).round(3)
    return skeletons, json.dumps(
        {"file_name": NAME, "skeletons": skeletons.tolist(), "label": 7, **changes}
    ).encode()


def test_clip():
    skeletons, data = file()
    clip = parse(NAME, data)
    assert np.array_equal(clip.positions[:, 0], skeletons.astype(np.float32))
    # a08 is class 7 of 10, as a07 and a10 do not exist
    assert (clip.label, clip.subject, clip.replication, clip.camera) == (6, 2, 3, 1)
    assert READERS["nw-ucla"].classes[clip.label] == "donning"
    assert len(READERS["nw-ucla"].classes) == 10


def test_missing_joints_and_frames_are_kept():
    skeletons, _ = file()
    skeletons[1, 3] = 0
    skeletons[2] = np.nan
    clip = parse(NAME, json.dumps({"skeletons": skeletons.tolist(), "label": 7}).encode())
    assert np.array_equal(clip.positions[:, 0], skeletons.astype(np.float32), equal_nan=True)


@pytest.mark.parametrize("bad", [[], None, "x", [[1, 2, 3]] * 19, [[1, 2, 3]] * 19 + [[1, 2]]])
def test_a_damaged_frame_costs_no_other(bad):
    skeletons, _ = file()
    content = {"skeletons": [*skeletons.tolist()[:3], bad], "label": 7}
    found, clip = parse(NAME, json.dumps(content).encode())
    assert found.reason == "frame 3 is not 20 joints of 3 numbers; the frame is missing in the clip"
    assert np.array_equal(clip.positions[:3, 0], skeletons[:3].astype(np.float32))
    assert not clip.positions[3].any()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("labels", file()[1], "unexpected name"),
        ("a07_s02_e03_v01", file()[1], "a07"),
        (NAME, file()[1][:-50], "cut off"),
        (NAME, b"\x89PNG\xff", "not JSON"),
        (NAME, b"[" * 100_000, "not JSON"),
        (NAME, b"[1]", "skeletons"),
        (NAME, b"{}", "skeletons"),
        (NAME, file(label=8)[1], "label 8"),
        (NAME, file(skeletons=[])[1], "no frame"),
        (NAME, file(skeletons=[[[1, 2, 3]] * 19])[1], r"\(19, 3\), expected \(20, 3\)"),
        (NAME, file(skeletons=[[1, 2, 3]])[1], "frames, 20, 3"),
        (NAME, file(skeletons=[[[1, 2, 3]] * 20, [[1, 2, 3]], []])[1], "no list of numbers"),
        (NAME, file(skeletons=[[[1, 2, "x"]] * 20])[1], "no list of numbers"),
        (NAME, file(skeletons=[[[1, 2, 10**400]] * 20])[1], "numbers"),
        (NAME, file(skeletons=[[[float("nan")] * 3] * 20])[1], "no finite"),
    ],
)
def test_reasons(name, data, reason):
    with pytest.raises(ValueError, match=reason):
        parse(name, data)


GOOD = file(frames=1)[1]


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=5))
@settings(max_examples=60)
def test_damage_gives_a_clip_or_a_value_error(at, length, put):
    try:
        found = parse(NAME, GOOD[:at] + put + GOOD[at + length :])
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        assert (found[-1] if isinstance(found, list) else found).positions.shape[1:] == (1, 20, 3)
