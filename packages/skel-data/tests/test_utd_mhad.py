import base64
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_data import READERS
from skel_data.readers.datasets._matlab import read_matrix
from skel_data.readers.datasets._utd_mhad import parse

NAME = "a12_s3_t4_skeleton"
STORED = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12, "u8": 13}
COMPRESSED = base64.b85decode(
    "4*&oFE&u=kc%0*7U|_HSVm2V=0Adyf2w;Ws8KGi~P&G-ZY57H|3=9H5(UR1P5&%7f1ilXd002?|004NL<6~f8SOCOqK+FN9L4Xy"
    "Ad4QM+h?$`@2rxp`q{J6zr{*v)a01y04Cvs8J%oM$r5PL`)CVY^1<Jnw<^O@wFQ7CNRQ?N;&*lICU2F{U"
)
"""A text named before, then d_skel = arange(12).reshape(2, 3, 2) / 4: two elements written by SciPy 1.17."""


def element(order, kind, content):
    """A data element with its tag; one of up to four bytes is within the tag."""
    if len(content) <= 4:
        return struct.pack(f"{order}I4s", len(content) << 16 | kind, content)
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def variable(array, key="d_skel", order="<", number_class=6):
    return element(
        order,
        14,
        element(order, 6, struct.pack(f"{order}II", number_class, 0))
        + element(order, 5, np.array(array.shape, f"{order}i4").tobytes())
        + element(order, 1, key.encode())
        + element(
            order, STORED[array.dtype.str[1:]], array.astype(array.dtype.newbyteorder(order)).tobytes("F")
        ),
    )


def matlab(*elements, order="<", version=0x100):
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}HH", version, 0x4D49) + b"".join(elements)


def file(shape=(20, 3, 6), key="d_skel", fill=None):
    skeleton = np.random.default_rng(0).normal(size=shape)
    if fill is not None:
        skeleton[:] = fill
    return skeleton, matlab(variable(skeleton, key))


def test_clip():
    skeleton, data = file()
    clip = parse(NAME, data)
    assert np.array_equal(clip.positions, skeleton.transpose(2, 0, 1)[:, None].astype(np.float32))
    assert (clip.label, clip.subject, clip.replication, clip.camera) == (11, 3, 4, -1)
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
def test_damage_gives_a_clip_or_a_value_error(at, put):
    good = file(shape=(20, 3, 1))[1]
    try:
        clip = parse(NAME, good[:at] + put + good[at + len(put) :])
    except ValueError as error:
        reason = str(error)
        assert reason
    else:
        assert clip.positions.shape[2:] == (20, 3)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("shape", [(20, 3, 2), (1, 1), (2, 0, 3)])
def test_arrays_of_matlab_files(kind, order, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    other = variable(np.ones((2, 2)), "other", order)
    data = matlab(other, variable(array, "d_skel", order), variable(array + 1, "next", order), order=order)
    for name, expected in (("d_skel", array), ("next", array + 1)):
        found = read_matrix(data, name)
        assert (found.shape, found.dtype.kind, found.dtype.itemsize) == (shape, kind[0], int(kind[1]))
        assert np.array_equal(found, expected)


def test_compressed_matlab_file():
    expected = np.arange(12).reshape(2, 3, 2) / 4
    assert np.array_equal(read_matrix(matlab(COMPRESSED), "d_skel"), expected)
    # what is behind the variable is not looked at
    assert np.array_equal(read_matrix(matlab(COMPRESSED, b"torn"), "d_skel"), expected)


GOOD = variable(np.ones((2, 3)))


def changed(old, new):
    return matlab(GOOD.replace(struct.pack("<ii", *old), struct.pack("<ii", *new)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a MATLAB file of level 5"),
        (b"x" * 200, "not a MATLAB file of level 5"),
        (matlab(GOOD, version=0x200), "version 0x200"),
        (matlab(), "no variable d_skel"),
        (matlab(b"1234"), "middle of a tag"),
        (matlab(GOOD[:-8]), "96 of 104 bytes"),
        (changed((9, 48), (9, 4800)), "of 4800 bytes"),
        (changed((9, 48), (0xCAFE, 48)), "real numbers"),  # an index that ends the process of SciPy
        (changed((2, 3), (2, 4)), r"\(2, 4\)"),
        (changed((2, 3), (-2, -3)), r"\(-2, -3\)"),
        (changed((5, 8), (5, 7)), "flags or shape"),
        (matlab(variable(np.ones(2), number_class=4)), "real numbers"),
        (matlab(variable(np.ones(2), number_class=0x806)), "real numbers"),
        (matlab(element("<", 15, b"no stream")), "while decompressing"),
        (matlab(element("<", 15, zlib.compress(b""))), "no variable"),
        (matlab(element("<", 14, b"")), "no variable"),
    ],
)
def test_reasons_of_matlab_files(data, reason):
    with pytest.raises(ValueError, match=reason):
        read_matrix(data, "d_skel")


def test_a_variable_that_unpacks_to_far_more_is_refused(monkeypatch):
    monkeypatch.setattr("skel_data.readers.datasets._matlab.MAX_BYTES", 1000)
    head = bytes(124) + struct.pack("<H", 0x100) + b"IM"
    packed = zlib.compress(variable(np.zeros((20, 3, 99))))
    with pytest.raises(ValueError, match="an element of more than 1000 bytes"):
        read_matrix(head + struct.pack("<II", 15, len(packed)) + packed, "d_skel")
