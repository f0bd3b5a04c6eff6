import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import READERS
from skel_data.readers._utd_mhad import parse

NAME = "a12_s3_t4_skeleton"


def file(shape=(20, 3, 6), key="d_skel", fill=None):
    savemat = pytest.importorskip("scipy.io").savemat
    skeleton = np.random.default_rng(0).normal(size=shape)
    if fill is not None:
        skeleton[:] = fill
    stream = io.BytesIO()
    savemat(stream, {key: skeleton})
    return skeleton, stream.getvalue()


def test_clip():
    skeleton, data = file()
    clip = parse(NAME, data)
    assert np.array_equal(clip.positions, skeleton.transpose(2, 0, 1)[:, None].astype(np.float32))
    assert (clip.label, clip.subject, clip.replication, clip.view) == (11, 3, 4, -1)
    assert READERS["utd-mhad"].classes[clip.label] == "bowling"
    assert len(set(READERS["utd-mhad"].classes)) == 27


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("a1_s1_t1", {}, "unexpected name"),
        ("a01_s1_t1_skeleton", {}, "unexpected name"),
        ("a28_s1_t1_skeleton", {}, "a28"),
        (NAME, {"key": "skeleton"}, "no variable d_skel"),
        (NAME, {"shape": (19, 3, 6)}, r"\(19, 3, 6\)"),
        (NAME, {"shape": (20, 3)}, r"\(20, 3\)"),
        (NAME, {"shape": (20, 3, 0)}, "0 frames"),
        (NAME, {"fill": np.nan}, "no finite"),
    ],
)
def test_reasons(name, settings, reason):
    with pytest.raises(ValueError, match=reason):
        parse(name, file(**settings)[1])


@given(st.integers(0, 400), st.binary(max_size=8))
@settings(max_examples=30, deadline=None)
def test_damage_gives_a_clip_or_a_value_error(at, put):
    good = file(shape=(20, 3, 1))[1]
    try:
        clip = parse(NAME, good[:at] + put + good[at + len(put) :])
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        assert clip.positions.shape[2:] == (20, 3)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ImportError, match=r"skel-data\[utd-mhad\]"):
        parse(NAME, b"x")
