import gzip
import io
import lzma
import os
import tarfile
import zipfile

import numpy as np
import pytest

import skel_data.readers._source as source_module
from skel_data import BadFile, Source

FILES = {"b/two.txt": b"2" * 3000, "a.txt": b"1", "c.txt": b""}


def content(source):
    """What a source gives: name to bytes, or to the reason there are none."""
    found = {}
    for entry in source:
        if isinstance(entry, BadFile):
            found[entry.name] = entry.reason
            continue
        name, read = entry
        try:
            found[name] = read()
        except ValueError as error:
            found[name] = str(error)
    return found


def tar_bytes(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def test_folder_is_sorted_and_hidden_files_are_left_out(tmp_path):
    for name in [*FILES, ".hidden", "__MACOSX/a.txt", ".git/a.txt"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(FILES.get(name, b"x"))
    assert list(content(Source(tmp_path)).items()) == [(n, FILES[n]) for n in ("a.txt", "c.txt", "b/two.txt")]


def test_links_do_not_lead_out(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("s")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "real.txt").write_text("r")
    (inside / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (inside / "near.txt").symlink_to(inside / "real.txt")
    (inside / "folder").symlink_to(tmp_path / "outside")
    os.mkfifo(inside / "pipe.txt")
    found = content(Source(inside))
    assert found == {
        "link.txt": "a link that leads out of the source folder",
        "near.txt": b"r",
        "real.txt": b"r",
    }


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.xz", ".TXZ"])
def test_tar(tmp_path, suffix):
    data = tar_bytes({**FILES, "./.hidden": b"x", "__MACOSX/y": b"x"})
    pack = {"r": bytes, "z": gzip.compress, "x": lzma.compress}
    kind = "x" if suffix.lower().endswith("xz") else "z" if suffix.endswith("gz") else "r"
    (tmp_path / f"a{suffix}").write_bytes(pack[kind](data))
    source = Source(tmp_path / f"a{suffix}")
    assert list(content(source).items()) == list(FILES.items())
    assert content(source) == FILES  # and once more


def test_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**FILES, "__MACOSX/y": b"x"}.items():
            archive.writestr(name, data)
        archive.mkdir("empty")
    assert list(content(Source(tmp_path / "a.zip")).items()) == sorted(FILES.items())


def test_one_file(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"z")
    assert content(Source(tmp_path / "a.npz")) == {"a.npz": b"z"}


def test_nothing_is_written(tmp_path):
    (tmp_path / "a.tar").write_bytes(tar_bytes({"../out.txt": b"x", "/root.txt": b"y"}))
    assert content(Source(tmp_path / "a.tar")) == {"../out.txt": b"x", "/root.txt": b"y"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_links_in_tar_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("link.txt")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert content(Source(tmp_path / "a.tar")) == {"link.txt": "a link inside the archive"}


def test_too_large_member(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "MAX_BYTES", 1000)
    (tmp_path / "a.tar").write_bytes(tar_bytes(FILES))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    (tmp_path / "folder" / "b").mkdir(parents=True)
    for name, data in FILES.items():
        (tmp_path / "folder" / name).write_bytes(data)
    for name in ("a.tar", "a.zip", "folder"):
        found = content(Source(tmp_path / name))
        assert found["a.txt"] == b"1"
        assert "3000 bytes" in found["b/two.txt"]


def assert_cut(path, complete):
    """The files named are whole, no other has wrong content, and the rest is told to be lost."""
    found = content(Source(path))
    assert {name: found[name] for name in complete} == {name: THREE[name] for name in complete}
    assert not [name for name in THREE.keys() - complete if isinstance(found.get(name), bytes)]
    assert "cut off" in found[path.name]


THREE = {"first.txt": b"1", "second.txt": np.random.default_rng(0).bytes(3000), "third.txt": b"3"}


@pytest.mark.parametrize(
    ("cut", "complete"),
    [
        (1100, {"first.txt"}),  # within the second header
        (3000, {"first.txt"}),  # within the second file
        (4608, {"first.txt", "second.txt"}),  # between two files
        (5632, set(THREE)),  # only the end mark is lost
    ],
)
def test_cut_tar_keeps_what_came_before(tmp_path, cut, complete):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes(THREE)[:cut])
    assert_cut(path, complete)


@pytest.mark.parametrize(("pack", "suffix"), [(lzma.compress, "xz"), (gzip.compress, "gz")])
def test_cut_compressed_tar_keeps_what_came_before(tmp_path, pack, suffix):
    path = tmp_path / f"a.tar.{suffix}"
    packed = pack(tar_bytes(THREE))
    path.write_bytes(packed[:-12])  # the checksum is lost
    assert_cut(path, set(THREE))
    path.write_bytes(packed[:2000])
    assert_cut(path, {"first.txt"})
    path.write_bytes(packed[:20])
    with pytest.raises(ValueError, match=path.name):
        content(Source(path))


def test_damaged_header_midway_is_reported(tmp_path):
    data = bytearray(tar_bytes(FILES))
    data[512 + 3072 + 100 : 512 + 3072 + 200] = b"\xff" * 100  # header of the second file
    (tmp_path / "a.tar").write_bytes(data)
    found = content(Source(tmp_path / "a.tar"))
    assert found["b/two.txt"] == FILES["b/two.txt"]
    assert "after 1 file," in found["a.tar"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.xz", "a.tar.gz"])
@pytest.mark.parametrize("data", [b"", b"not an archive" * 100])
def test_no_archive_at_all(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=name):
        content(Source(tmp_path / name))


def test_damaged_zip_member(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"222")] = 0
    (tmp_path / "a.zip").write_bytes(data)
    found = content(Source(tmp_path / "a.zip"))
    assert found["a.txt"] == b"1"
    assert "CRC" in found["b/two.txt"]


def test_missing():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Source("nowhere")
