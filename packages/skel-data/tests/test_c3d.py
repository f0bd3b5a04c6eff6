import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data import BadFile, Clip, SkeletonLayout, Source, import_dataset
from skel_data.readers.mocap._c3d import C3D, parse_c3d

LABELS = ("Kim:HIP", "Kim:KNEE", "TOE")
MAKERS = {84: "<", 85: "<", 86: ">"}


def floats(values, maker):
    """Bytes of numbers as Intel, DEC or MIPS processors have them."""
    if maker != 85:
        return np.asarray(values, MAKERS[maker] + "f4").tobytes()
    halves = (4 * np.asarray(values, "<f4")).view("<u2").reshape(-1, 2)
    return halves[:, ::-1].tobytes()


def parameter(name, group, dims, kind, content, maker):
    body = bytes([kind & 255, len(dims), *dims]) + content + b"\0"
    head = bytes([len(name), group & 255]) + name
    return head + struct.pack(MAKERS[maker] + "h", len(body) + 2) + body


def c3d(
    positions, residuals=None, labels=LABELS, unit=b"mm", maker=84, scale=-1.0, analog=0, first=1, **more
):
    """A file of positions (T, markers, 3)."""
    order = MAKERS[maker]
    frames, count = positions.shape[:2]
    last = min(first + frames - 1, 65535)
    parameters = bytes([1, 0x50, 4, maker])
    parameters += bytes([5, 255]) + b"POINT" + struct.pack(order + "h", 3) + b"\0"
    parameters += bytes([5, 254]) + b"TRIAL" + struct.pack(order + "h", 3) + b"\0"
    for i in range(0, len(labels), 2):  # as if two were the most
        name = b"LABELS" + (str(i // 2 + 1).encode() if i else b"")
        text = b"".join(label.encode().ljust(10) for label in labels[i : i + 2])
        parameters += parameter(name, 1, [10, len(labels[i : i + 2])], -1, text, maker)
    # What the header says too
    parameters += parameter(b"SCALE", 1, [], 4, floats([scale], maker), maker)
    for name, value in ((b"USED", count), (b"DATA_START", 6), (b"FRAMES", min(frames, 65535))):
        if name.decode() not in more:
            parameters += parameter(name, 1, [], 2, struct.pack(order + "H", value), maker)
    parameters += parameter(b"UNITS", 1, [len(unit)], -1, unit, maker) if unit else b""
    for name, (group, dims, kind, content) in more.items():
        parameters += parameter(name.encode(), group, dims, kind, content, maker)
    parameters = parameters.ljust(4 * 512, b"\0")
    words = struct.pack(order + "6H", 0x5002 if order == "<" else 0x0250, count, analog, first, last, 0)
    header = (words + floats([scale], maker) + struct.pack(order + "2H", 6, 1)).ljust(512, b"\0")
    values = np.zeros((frames, count, 4))
    values[..., :3] = positions if scale < 0 else np.round(positions / scale)
    values[..., 3] = 0 if residuals is None else residuals
    values = np.concatenate([values.reshape(frames, -1), np.full((frames, analog), 9)], axis=1).ravel()
    return (
        header + parameters + (floats(values, maker) if scale < 0 else values.astype(order + "i2").tobytes())
    )


RANDOM = np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
LAYOUT = SkeletonLayout.from_dict({"joints": ["KNEE", "HIP"], "bones": [["KNEE", "HIP"]]})


@pytest.fixture
def folder(tmp_path):
    def make(*files):
        (tmp_path / "trials").mkdir()
        for i, data in enumerate(files):
            (tmp_path / "trials" / f"{i}.c3d").write_bytes(data)
        return Source(tmp_path / "trials")

    return make


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("scale", [-1.0, 0.001])
def test_numbers_of_all_kinds(maker, scale):
    residuals = np.zeros((4, 3))
    residuals[1, 2] = -1
    labels, unit, positions = parse_c3d(c3d(RANDOM, residuals, maker=maker, scale=scale, analog=5, first=7))
    assert (labels, unit) == (LABELS, "mm")
    assert np.isnan(positions[1, 2]).all()
    assert np.isnan(positions).sum() == 3
    positions[1, 2] = RANDOM[1, 2]
    np.testing.assert_allclose(positions, RANDOM, rtol=1e-7, atol=0 if scale < 0 else 0.5001 * scale)


@pytest.mark.parametrize(
    "more",
    [
        {"FRAMES": (1, [], 4, floats([65540], 84))},
        {"FRAMES": (1, [], 2, b"\4\0"), "LONG_FRAMES": (1, [], 4, floats([65540], 84))},
        {"ACTUAL_START_FIELD": (2, [2], 2, b"\1\0\0\0"), "ACTUAL_END_FIELD": (2, [2], 2, b"\4\0\1\0")},
    ],
)
def test_more_frames_than_the_header_can_tell(more):
    many = np.zeros((65540, 1, 3))
    assert len(parse_c3d(c3d(many, labels=("A",), scale=1.0, **more))[2]) == 65540
    assert len(parse_c3d(c3d(many, labels=("A",), scale=1.0))[2]) == 65535  # told nowhere else


@pytest.mark.parametrize("maker", [84, 85])  # it does not read the third kind
@pytest.mark.parametrize("scale", [-1.0, 0.001])
def test_agrees_with_ezc3d(tmp_path, maker, scale):
    ezc3d = pytest.importorskip("ezc3d")
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d(RANDOM, maker=maker, scale=scale))
    theirs = ezc3d.c3d(str(path))
    labels, unit, positions = parse_c3d(path.read_bytes())
    assert labels == tuple(theirs["parameters"]["POINT"]["LABELS"]["value"][:2]) + LABELS[2:]
    assert [unit] == theirs["parameters"]["POINT"]["UNITS"]["value"]
    assert np.array_equal(positions, theirs["data"]["points"][:3].transpose(2, 1, 0))


def test_a_file_of_ezc3d(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    file = ezc3d.c3d()
    names = [f"marker {i}" for i in range(300)]  # more than one parameter holds
    file["parameters"]["POINT"]["LABELS"]["value"] = names
    file["parameters"]["POINT"]["UNITS"]["value"] = ["m"]
    file["parameters"]["POINT"]["RATE"]["value"] = [100]
    points = np.ones((4, 300, 5))
    points[:3] = np.arange(4500).reshape(3, 300, 5)
    residuals = np.zeros((1, 300, 5))
    residuals[0, 1, 2] = -1
    file["data"]["points"] = points
    file["data"]["meta_points"]["residuals"] = residuals
    file["data"]["meta_points"]["camera_masks"] = np.zeros((7, 300, 5), bool)
    file.write(str(tmp_path / "a.c3d"))
    labels, unit, positions = parse_c3d((tmp_path / "a.c3d").read_bytes())
    expected = points[:3].transpose(2, 1, 0)
    expected[2, 1] = np.nan
    assert (labels, unit) == (tuple(names), "m")
    assert np.array_equal(positions, expected, equal_nan=True)


def test_joints_of_the_layout_in_metres(folder, tmp_path):
    source = folder(
        c3d(RANDOM), c3d(RANDOM, unit=b"m"), c3d(RANDOM, unit=b""), b"\2Pno", c3d(RANDOM, labels="ABC")
    )
    store = import_dataset("c3d", source.path, tmp_path / "store", layout=LAYOUT)
    assert (store.dataset, store.units, store.layout) == ("trials", "metres", LAYOUT)
    np.testing.assert_allclose(store.clip(0)[:, 0], RANDOM[:, [1, 0]] / 1000, rtol=1e-6)
    np.testing.assert_allclose(store.clip(1)[:, 0], RANDOM[:, [1, 0]], rtol=1e-6)
    assert {bad.name: bad.reason for bad in store.bad_files} == {
        "2.c3d": "unit '', but the first file is in m, cm or mm",
        "3.c3d": "not a C3D file: it does not begin as one",
        "4.c3d": "no marker KNEE; the file has A, B, C",
    }


def test_unknown_unit_is_kept(folder):
    source = folder(c3d(RANDOM, unit=b"yard"), c3d(RANDOM))
    assert C3D.describe(source, LAYOUT)[0].units == "unknown"
    clip, bad = C3D.read(source, LAYOUT)
    assert np.array_equal(clip.positions[:, 0], RANDOM[:, [1, 0]])
    assert bad.reason == "unit 'mm', but the first file is not in m, cm or mm"


def test_a_name_of_two_markers(folder):
    two = c3d(RANDOM, labels=("Kim:HIP", "Lee:HIP", "KNEE"))
    exact = c3d(RANDOM, labels=("Kim:HIP", "HIP", "KNEE"))
    source = folder(two, exact)
    bad, clip = C3D.read(source, LAYOUT)
    assert isinstance(bad, BadFile)
    assert bad.reason == "2 markers HIP; the file has Kim:HIP, Lee:HIP, KNEE"
    assert isinstance(clip, Clip)
    np.testing.assert_allclose(clip.positions[:, 0], RANDOM[:, [2, 1]] / 1000, rtol=1e-6)


def test_a_layout_must_be_given(folder):
    with pytest.raises(ValueError, match="trials: markers have no bones, so a layout must be given"):
        C3D.describe(folder(c3d(RANDOM)), None)


GOOD = c3d(RANDOM)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a C3D file"),
        (b"\x89PNG" * 500, "not a C3D file"),
        (GOOD[:515] + b"\x07" + GOOD[516:], "kind of numbers 7"),
        (GOOD[:1200], "cut off: 4 frames announced, 0 in the file"),
        (GOOD[:-20], "cut off: 4 frames announced, 3 in the file"),
        (GOOD[:560], "not a C3D file"),
        (b"\x04" + GOOD[1:], "kind of numbers 0"),
        (GOOD[:2] + b"\x09" + GOOD[3:], "9 markers with 3 labels"),
        (GOOD[:12] + b"\0\0\xc0\x7f" + GOOD[16:], "scale nan"),
        (GOOD[:16] + b"\0\0" + GOOD[18:], "data block 0"),
        (GOOD[:8] + b"\0\0" + GOOD[10:], "no frame"),
        (GOOD.replace(b"\xff\x02\x0a\x02", b"\x03\x02\x0a\x02"), "'LABELS' is malformed"),
        (GOOD.replace(b"\xff\x02\x0a\x02", b"\xff\x02\xff\xff"), "'LABELS' is malformed, or cut off"),
    ],
)  # fmt: skip
def test_reasons(data, reason):
    with pytest.raises(ValueError, match=reason):
        parse_c3d(data)


@given(st.data())
@settings(max_examples=200)
def test_damage_gives_arrays_or_a_value_error(data):
    file = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, 40) | st.integers(510, 700) | st.integers(0, len(file)))
        stop = at + data.draw(st.sampled_from([0, 1, 2, 4, 300]))
        file[at:stop] = data.draw(st.binary(max_size=4))
    try:
        labels, _, positions = parse_c3d(bytes(file))
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert positions.shape[1:] == (len(labels), 3)
        assert not np.isinf(positions).any()


@given(st.binary(max_size=1500))
@settings(max_examples=50)
def test_any_bytes_give_a_value_error(data):
    with pytest.raises(ValueError, match="."):
        parse_c3d(b"\2P" + data)


@pytest.mark.parametrize("maker", MAKERS)
def test_channels_in_place_of_channels_times_samples(maker):
    """The header states 3 analog channels, of which each frame has 4 samples."""
    right = c3d(RANDOM, maker=maker, analog=12)
    order = MAKERS[maker]
    there = right.ljust(-(-len(right) // 512) * 512, b"\0")
    wrong = there[:4] + struct.pack(order + "H", 3) + there[6:18] + struct.pack(order + "H", 4) + there[20:]
    frames = 50
    many = np.random.default_rng(1).normal(size=(frames, 3, 3)).astype(np.float32)
    right = c3d(many, maker=maker, analog=12)
    right = right.ljust(-(-len(right) // 512) * 512, b"\0")
    for stated in (12, 3):
        words = struct.pack(order + "H", stated), struct.pack(order + "H", 4)
        file = right[:4] + words[0] + right[6:18] + words[1] + right[20:]
        assert np.array_equal(parse_c3d(file)[2], many)
    assert parse_c3d(wrong)[2].shape == (4, 3, 3)  # too short to tell


def test_a_last_step_in_the_other_order_of_bytes():
    file = bytearray(c3d(RANDOM, UNITS2=(1, [], 2, struct.pack("<h", 3))))
    at = file.index(b"UNITS2") + 6
    step = file[at : at + 2]
    file[at : at + 2] = step[::-1]
    assert parse_c3d(bytes(file))[0] == LABELS
    assert np.array_equal(parse_c3d(bytes(file))[2], RANDOM)


def test_no_points(folder, tmp_path):
    file = c3d(np.zeros((4, 0, 3), np.float32), labels=(), analog=6)
    with pytest.raises(ValueError, match="no points in the file: it holds 6 analog values a frame"):
        parse_c3d(file)


def test_what_points_up_and_how_fast(folder, tmp_path):
    def screen(up):
        return c3d(RANDOM, Y_SCREEN=(1, [2], -1, up), RATE=(1, [], 4, floats([100], 84)))

    files = folder(screen(b"+Z"), screen(b"+Z"), screen(b"-Y"))
    store = import_dataset("c3d", files.path, tmp_path / "a.store", layout=LAYOUT)
    x = RANDOM[:, [1, 0]] * np.float32(0.001)
    assert np.allclose(store.clip(0)[:, 0], x[..., [0, 2, 1]] * (1, 1, -1))
    assert store.info.up == "z"
    assert store.rates.tolist() == [100, 100]
    assert "-y points up, but z in the first file" in store.bad_files[0].reason


def test_a_marker_at_the_origin_is_there(tmp_path):
    x = RANDOM.copy()
    x[1, 0] = 0
    residuals = np.zeros((4, 3))
    residuals[2, 1] = -1
    (tmp_path / "a.c3d").write_bytes(c3d(x, residuals))
    store = import_dataset("c3d", tmp_path / "a.c3d", tmp_path / "a.store", layout=LAYOUT)
    assert (store.clip(0)[1, 0, 1] == [np.float32(1e-30), 0, 0]).all()
    assert np.isnan(store.clip(0)[2, 0, 0]).all()
