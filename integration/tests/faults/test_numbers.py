"""Absurd numbers, deep nesting and archives that lie: a sentence that names the place, in little time."""

import io
import json
import struct
import time
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np
import pytest

from skel_data import SkeletonLayout, Source, Store, get_layout, import_dataset
from skel_data.readers.datasets._matlab import read_matrix
from skel_eval import Result
from skel_recipes import Run, evaluate, load_recipe
from skel_recipes.cli.app import main

DEEP = 50_000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optim.lr", float("inf")),
        ("optim.lr", float("nan")),
        ("optim.lr", 1e300),
        ("optim.weight_decay", float("-inf")),
        ("train.epochs", 10**15),
        ("train.epochs", float("inf")),
        ("train.batch_size", 10**30),
        ("train.seed", 2**80),
        ("train.min_steps", 10**18),
        ("data.frames", 10**9),
        ("method.temperature", float("inf")),
        ("method.view.0.max_angle", float("inf")),
    ],
)
def test_absurd_settings_are_refused_where_they_are_read(key, value):
    with pytest.raises(ValueError, match=key.rpartition(".")[2]):
        load_recipe("skeletonclr", {key: value})


@pytest.mark.parametrize("options", [{"temperature": float("inf")}, {"temperature": 1e300}, {"k": 2**70}])
def test_absurd_settings_of_protocols(run, store, options):
    with pytest.raises(ValueError, match=f"protocol knn.{next(iter(options))} must be"):
        evaluate(run, store, "knn", **options)


def test_a_layout_of_thousands_of_joints():
    def seconds(count):
        joints = [f"{side} {i}" for i in range(count // 2) for side in ("left", "right")]
        joints[:4] = ["left hip", "right hip", "left shoulder", "right shoulder"]
        started = time.process_time()
        layout = SkeletonLayout.from_dict(
            {"joints": joints, "bones": [[joints[i], joints[i - 1]] for i in range(1, len(joints))]}
        )
        assert set(layout.sides) == {1, 2}
        assert SkeletonLayout.from_dict(layout.to_dict()) == layout
        return time.process_time() - started

    # Fifty times as many joints take up to a hundred times as long, and 2,500 times in quadratic time.
    assert seconds(50_000) < 500 * min(seconds(1_000) for _ in range(5))


TOML = [
    b"joints = " + b"[" * DEEP,
    b"\xff\xfe",
    b"joints = 5\nbones = 3",
    b"joints = ['a', 'b']\nbones = [[{}, 'a']]",
    b"joints = ['a', 'b']\nbones = [['b', 'a']]\ndims = inf",
    b"joints = ['a', 'b']\nbones = [['b', 'a']]\nparts = 3",
    b"joints = ['a', 'b']\nbones = {b = 'a'}\nmirror = 7",
]


@pytest.mark.parametrize("content", TOML)
def test_layouts_that_are_none(tmp_path, content):
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="own.toml"):
        get_layout(path)


@pytest.mark.parametrize(
    "content",
    [b"a = " + b"[" * DEEP, b"\xff", b"method = 3", b"train = []", b"base = []", b"[method]\nname = []"],
)
def test_recipes_that_are_none(tmp_path, content, capsys):
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    assert main(["recipe", str(path), "--full"]) == 1
    told = capsys.readouterr().err
    assert "own.toml" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("content", ["[" * DEEP, "[]", "3", '{"format": []}', "{"])
def test_json_that_is_none(tmp_path, own_run, own_store, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match="a.json is no result"):
        Result.load(tmp_path / "a.json")
    (own_run.path / "run.json").write_text(content)
    with pytest.raises(ValueError, match="own-run.*(no run and no encoder|of format)"):
        Run.open(own_run.path)
    (own_store.path / "header.json").write_text(content)
    with pytest.raises(ValueError, match="own.store is not a store"):
        Store.open(own_store.path)


@contextmanager
def traced():
    """Most memory that was taken meanwhile, in bytes."""
    peak = [0]
    tracemalloc.start()
    try:
        yield peak
    finally:
        peak[0] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def lying_zip(path, name, content, said):
    """An archive whose directory says that a member is of another size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    data = bytearray(path.read_bytes())
    size = struct.pack("<I", len(content))
    for place in (data.find(size), data.rfind(size)):
        data[place : place + 4] = struct.pack("<I", said)
    path.write_bytes(data)


@pytest.mark.parametrize("said", [1000, 200_000_000])
def test_a_zip_that_lies_about_its_sizes_is_not_unpacked(tmp_path, said):
    lying_zip(tmp_path / "a.zip", "a.skeleton", bytes(100_000_000), said)
    ((_, read),) = Source(tmp_path / "a.zip")
    with traced() as peak, pytest.raises(ValueError, match="cannot be read from the archive"):
        read()
    assert peak[0] < (5_000_000 if said == 1000 else 250_000_000)


def test_a_matlab_file_that_unpacks_to_more_than_a_recording(monkeypatch):
    monkeypatch.setattr("skel_data.readers.datasets._matlab.MAX_BYTES", 100_000)
    packed = zlib.compress(bytes(50_000_000))
    header = b" " * 124 + struct.pack("<H", 0x100) + b"IM"
    with traced() as peak, pytest.raises(ValueError, match="more than 100000 bytes"):
        read_matrix(header + struct.pack("<II", 15, len(packed)) + packed, "d")
    assert peak[0] < 2_000_000
    for damaged in (packed[:-9], packed[:20]):
        with pytest.raises(ValueError, match=r"more than|cut off|damaged"):
            read_matrix(header + struct.pack("<II", 15, len(damaged)) + damaged, "d")


def npz(path, shape, held):
    """A set whose positions say one shape and hold so many bytes."""
    head = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, about)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("positions.npy", head.getvalue() + bytes(held))
        lengths = io.BytesIO()
        np.save(lengths, np.array([1]))
        archive.writestr("lengths.npy", lengths.getvalue())


def test_an_npz_whose_array_says_more_than_it_holds(tmp_path):
    npz(tmp_path / "a.npz", (10**12, 20, 3), 1000)
    with (
        traced() as peak,
        pytest.raises(ValueError, match=r"a.npz: .*positions.npy says that it is of shape .* holds"),
    ):
        import_dataset("npz", tmp_path / "a.npz", tmp_path / "a.store", layout="kinect-20")
    assert peak[0] < 5_000_000


def test_an_npz_that_unpacks_to_more_than_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("skel_data.readers._npz.memory", lambda: 10_000)
    npz(tmp_path / "a.npz", (100, 20, 3), 24_000)
    with pytest.raises(ValueError, match=r"a.npz: .*unpacks to \d+ bytes, more than there is memory"):
        import_dataset("npz", tmp_path / "a.npz", tmp_path / "a.store", layout="kinect-20")
    assert not json.dumps([path.name for path in tmp_path.iterdir()]).count("store")
