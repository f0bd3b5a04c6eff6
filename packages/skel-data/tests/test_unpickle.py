"""What a pickle may hold: plain data and arrays, and nothing that runs."""

import os
import pickle
import struct
import sys
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_data.readers.keypoints._unpickle import load_plain


def same(first, second):
    if isinstance(first, np.ndarray):
        return (
            isinstance(second, np.ndarray)
            and first.dtype.newbyteorder("=") == second.dtype.newbyteorder("=")
            and first.shape == second.shape
            and np.array_equal(first, second)
        )
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return (
            type(first) is type(second)
            and len(first) == len(second)
            and all(same(a, b) for a, b in zip(first, second, strict=True))
        )
    return type(first) is type(second) and first == second


PLAIN = [
    None,
    True,
    False,
    0,
    -1,
    255,
    65536,
    -(2**40),
    2**2000,
    0.5,
    "",
    "text",
    "x" * 300,
    "ä\ud800\n",
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    [],
    [1],
    list(range(2000)),
    {},
    {"a": 1},
    {i: str(i) for i in range(2000)},
    [[], [[]], {"a": ({},)}],
]
ARRAYS = [
    np.arange(24, dtype=np.float16).reshape(2, 3, 4),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    np.arange(24.0)[::2],
    np.arange(3, dtype=">f4"),
    np.arange(1000, dtype=np.uint8),
    np.array([True, False]),
    np.array(["a", "bcd"]),
    np.array(3),
    np.zeros((0, 3)),
    np.zeros(0, np.float32),
]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data(protocol):
    shared = [1]
    data = [*PLAIN, *ARRAYS, ARRAYS[0], shared, shared]
    found = load_plain(pickle.dumps(data, protocol))
    assert same(data, found)
    assert found[-1] is found[-2]  # as pickles keep them
    assert load_plain(pickle.dumps({1, "a"}, protocol=4)) == {1, "a"}
    assert load_plain(pickle.dumps(frozenset("a"), protocol=4)) == {"a"}
    scalars = [np.float32(0.5), np.int64(7), np.bool_(True), np.str_("a")]
    found = load_plain(pickle.dumps(scalars, protocol))
    assert same(found, [0.5, 7, True, "a"])


def test_names_of_numpy_before_and_since_version_2():
    data = pickle.dumps(ARRAYS, 4)
    assert same(ARRAYS, load_plain(data))
    for old, new in ((b"numpy._core.", b"numpy.core."), (b"numpy.core.", b"numpy._core.")):
        text = pickle.dumps(ARRAYS, 0)
        assert same(ARRAYS, load_plain(text.replace(old, new)))


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def named(module, name, arguments=b")"):
    return b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n" + arguments + b"R."


@pytest.fixture
def trap(tmp_path):
    """A file that must not come to exist, and the command that makes it."""
    path = tmp_path / "ran"
    yield path, f"{sys.executable} -c \"open('{path}', 'w')\""
    assert not path.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_calls_are_refused_and_nothing_runs(trap, protocol):
    path, command = trap
    for call, name in [
        (Call(os.system, command), f"{os.name}.system"),
        (Call(eval, f"open({str(path)!r}, 'w')"), "eval"),
        (Call(exec, f"open({str(path)!r}, 'w')"), "exec"),
        (Call(open, str(path), "w"), "open"),
        (Call(getattr, "", "join"), "getattr"),
        (Call(np.load, str(path)), "load"),
        (Call(np.fromfile, str(path)), "fromfile"),
        (Call(np.frombuffer, b"x"), "frombuffer"),
        (Call(np.array, [1]), "array"),
        (Call(bytearray, b"x"), "bytearray"),
        (Call(complex, 1, 2), "complex"),
    ]:
        with pytest.raises(ValueError, match=f"refused: the pickle asks for '.*{name}'"):
            load_plain(pickle.dumps([call], protocol))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "getattr"),
        ("builtins", "bytes"),
        ("copyreg", "_reconstructor"),
        ("copy_reg", "_reconstructor"),
        ("copyreg", "__newobj__"),
        ("copyreg", "add_extension"),
        ("numpy", "load"),
        ("numpy.f2py", "compile"),
        ("numpy", "matrix"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.core.multiarray", "scalar.__globals__"),
        ("numpy", "ndarray.tofile"),
        ("numpy", "dtype.__class__"),
        ("numpy.testing._private.utils", "runstring"),
        ("_codecs", "lookup"),
        ("functools", "partial"),
        ("subprocess", "Popen"),
    ],
)
def test_names_are_refused(module, name):
    for data in (
        named(module, name),
        b"\x80\x04" + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93.",
    ):
        with pytest.raises(ValueError, match="refused: the pickle asks for") as error:
            load_plain(data)
        assert f"{module}.{name}" in str(error.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"cnumpy\nndarray\n(K\x01tR.", "refused: a call of numpy.ndarray"),
        (b"cnumpy\nndarray\n)\x81.", "UnpicklingError"),  # NEWOBJ
        (b"cnumpy\nndarray\n)}\x92.", "UnpicklingError"),  # NEWOBJ_EX
        (b"(ios\nsystem\n.", "refused: the pickle asks for 'os.system'"),  # INST
        (b"(cos\nsystem\no.", "refused: the pickle asks for 'os.system'"),  # OBJ
        (b"(cnumpy\nndarray\no.", "refused: a call of numpy.ndarray"),
        (b"\x82\x01.", "unregistered extension code"),  # EXT1
        (b"\x83\x01\x00.", "unregistered extension code"),
        (b"\x84\x01\x00\x00\x00.", "unregistered extension code"),
        (b"Pos.system\n.", "persistent"),
        (b"X\x01\x00\x00\x00aQ.", "persistent"),
        (b"\x97.", "out-of-band"),
        (b"]}b.", "AttributeError|damaged"),  # BUILD for a list
        (b"}}X\x09\x00\x00\x00__class__Nsb.", "damaged"),
        (b"cnumpy\ndtype\n}b.", "damaged"),  # BUILD for what is called
        (b"cnumpy\ndtype\nN}X\x04\x00\x00\x00makeNs\x86b.", "damaged"),
        (
            b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.",
            "type 'O8'; only numbers and text are read, no objects",
        ),
        (b"cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R.", "type 'O'"),
        (b"cnumpy\ndtype\nX\x05\x00\x00\x00f4,i4\x85R.", "type 'f4,i4'"),
        (b"cnumpy\ndtype\nX\x02\x00\x00\x00V9\x85R.", "type 'V9'"),
        (b"cnumpy\ndtype\n]\x85R.", "type a list"),
        (b"cnumpy\ndtype\n)R.", "TypeError"),
        (b"K\x01)R.", "TypeError"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.", "_codecs.encode"),
        (b"c__builtin__\nbytes\nI99999999999\n\x85R.", "TypeError"),
        (b"\x80\x02c\n\n)R.", "damaged"),
        (b".", "damaged"),
        (b"h\x05.", "damaged"),
        (b"u.", "damaged"),
        (b"}(K\x01u.", "odd number of items"),
        (b"}]K\x01s.", "unhashable"),
        (b"K\x01K\x02a.", "damaged"),
        (b"I12", "damaged"),
        (b"Ix\n.", "could not convert|invalid literal"),
        (b"V\\u12\n.", "truncated"),
        (b"X\x01\x00\x00\x00\xff.", "decode"),
        (b"]" * 10, "cut off"),
    ],
)
def test_tricks(data, reason):
    with pytest.raises(ValueError, match=reason):
        load_plain(data)


KIND = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R"
KINDS = {"kind": KIND, "text": KIND.replace(b"f4", b"U1")}
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85NtR"


def pieces(value):
    """The instructions that build a value."""
    return pickle.dumps(value, 3)[2:-1]


def test_pieces_make_an_array():
    data = RECONSTRUCT + b"(K\x01K\x02\x85" + KIND + b"\x89" + pieces(b"\0" * 8) + b"tb."
    assert same(load_plain(data), np.zeros(2, np.float32))


@pytest.mark.parametrize(
    "state",
    [
        (1, (10**12,), "kind", False, b"1234"),
        (1, (-1,), "kind", False, b"1234"),
        (1, (2**63, 2**63), "kind", False, b""),
        (1, (1.0,), "kind", False, b"1234"),
        (1, 1, "kind", False, b"1234"),
        (1, (1,) * 70, "kind", False, b"1234"),
        (1, (1,), "kind", False, [1]),
        (1, (1,), "kind", False, "1234"),
        (1, (1,), None, False, b"1234"),
        (1, (1,), "text", False, b"\xff" * 4),
        (1, (1,)),
        None,
    ],
)
def test_arrays_are_made_of_the_bytes_there_are(state):
    if isinstance(state, tuple):
        body = (
            b"("
            + b"".join(KINDS[part] if part in ("kind", "text") else pieces(part) for part in state)
            + b"t"
        )
    else:
        body = pieces(state)
    with pytest.raises(ValueError, match="array|damaged|bytes"):
        load_plain(RECONSTRUCT + body + b"b.")


def test_records_cannot_be_smuggled_into_a_type():
    state = pieces((3, "<", None, ("a",), {"a": 0}, 4, 1, 0))
    with pytest.raises(ValueError, match="refused: an array of records"):
        load_plain(KIND + state + b"b.")
    with pytest.raises(ValueError, match="refused: an array of records"):
        load_plain(KIND + pieces((3, [1], None, None, None, -1, -1, 0)) + b"b.")
    for bad in (np.array([None]), np.zeros(2, "f4,i4"), np.array([object]), np.zeros(1, complex)):
        with pytest.raises(ValueError, match="refused"):
            load_plain(pickle.dumps(bad, 2))


@pytest.mark.parametrize(
    "data",
    [
        b"\x8d" + struct.pack("<Q", 10**10) + b"abc.",  # BINUNICODE8
        b"\x8e" + struct.pack("<Q", 10**10) + b"abc.",  # BINBYTES8
        b"\x96" + struct.pack("<Q", 10**10) + b"abc.",  # BYTEARRAY8
        b"\x96" + struct.pack("<Q", 2**64 - 1) + b"abc.",
        b"B" + struct.pack("<I", 2**32 - 1) + b"abc.",
        b"X" + struct.pack("<I", 2**32 - 1) + b"abc.",
        b"\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",  # LONG4
        b"\x8b" + struct.pack("<i", -1) + b"abc.",
        b"Nr" + struct.pack("<I", 2**32 - 1) + b"abc.",  # LONG_BINPUT: a memo of that size
        b"Np99999999999999\n0h\x00.",
        b"Nr" + struct.pack("<I", 2**26) + b".",  # half a gigabyte of memo
        b"\x95" + struct.pack("<Q", 6) + b"Nr" + struct.pack("<I", 2**26) + b".",
        b"Np+67108864\n.",
        b"\x96" + struct.pack("<Q", 2**29) + b"abc.",
        b"cnumpy\ndtype\nX\x05\x00\x00\x00S9999\x85R.",
    ],
)
def test_announced_sizes_are_not_believed(data):
    tracemalloc.start()
    try:
        with suppress(ValueError):
            load_plain(data)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"]" * 200_000 + b"a" * 199_999 + b".",
        b")" + b"\x85" * 200_000 + b".",
        b"}" + b"K\x01}" * 200_000 + b"s" * 200_000 + b".",
    ],
    ids=["lists", "tuples", "dicts"],
)
def test_deep_nesting(data):
    assert load_plain(data) is not None


NOTE = {"frame_dir": "x", "label": 0, "total_frames": 1, "keypoint": np.ones((1, 1, 25, 3), np.float16)}
GOOD = pickle.dumps({"split": {"a_train": ["x"]}, "annotations": [NOTE]}, 4)


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=5))
def test_damage_gives_content_or_a_value_error(at, length, put):
    try:
        load_plain(GOOD[:at] + put + GOOD[at + length :])
    except ValueError as error:
        reason = str(error)
        assert reason


@given(st.binary(max_size=60))
def test_noise_gives_content_or_a_value_error(data):
    try:
        load_plain(data)
    except ValueError as error:
        reason = str(error)
        assert reason


@given(st.integers(0, len(GOOD) - 1))
def test_cut_off(at):
    with pytest.raises(ValueError, match="cut off|damaged"):
        load_plain(GOOD[:at])
