import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from functools import partial

import numpy as np
import pytest

from skel_data import Clip, Store, get_layout, import_dataset, write_ntu_skeleton
from skel_data.files import InUseError, hold
from skel_data.readers import Reader, Work, find_each
from skel_data.readers._parallel import do_all


@pytest.fixture
def recordings(tmp_path):
    """Folder with two good files in the NTU format, two bad ones and one of another kind."""
    folder = tmp_path / "nturgb+d_skeletons"
    folder.mkdir()
    for seed, name in enumerate(["S001C002P001R001A001", "S001C001P003R002A060"]):
        positions = np.random.default_rng(seed).normal(size=(4, 1, 25, 3))
        write_ntu_skeleton(folder / f"{name}.skeleton", positions)
    (folder / "S001C001P001R001A002.skeleton").write_text("3\n")
    (folder / "copy of something.skeleton").write_text("3\n")
    (folder / "readme.txt").write_text("hello")
    return folder


BAD = ["S001C001P001R001A002.skeleton", "copy of something.skeleton"]


def test_folder(recordings, tmp_path):
    passed = []
    store = import_dataset("ntu60", recordings, tmp_path / "a.store", progress=passed.append)
    assert store.names.tolist() == ["S001C001P003R002A060", "S001C002P001R001A001"]
    assert store.labels.tolist() == [59, 0]
    assert [bad.name for bad in store.bad_files] == BAD
    assert passed == [1, 2, 3, 4]
    assert (store.dataset, store.units, store.default_split) == ("ntu60", "metres", "xsub")
    assert store.header["source"] == "nturgb+d_skeletons"
    assert str(tmp_path) not in (store.path / "header.json").read_text()
    assert len(store.classes) == 60
    assert store.layout == get_layout("ntu-25")


def test_archive_gives_the_same_store(recordings, tmp_path):
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        archive.add(recordings, "skeletons")
    first = import_dataset("ntu60", recordings, tmp_path / "a.store")
    second = import_dataset("ntu60", tmp_path / "a.tar.xz", tmp_path / "b.store")
    order = np.argsort(second.names)
    assert second.names[order].tolist() == first.names.tolist()
    assert second.digests[order].tolist() == first.digests.tolist()
    assert sorted(bad.name for bad in second.bad_files) == [f"skeletons/{name}" for name in BAD]


def test_cut_archive_keeps_its_first_clips(recordings, tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in sorted(recordings.iterdir()):
            archive.add(path, path.name)
    (tmp_path / "a.tar").write_bytes(stream.getvalue()[:12_000])
    store = import_dataset("ntu60", tmp_path / "a.tar", tmp_path / "a.store")
    assert len(store) >= 1
    assert "the rest is lost" in store.bad_files[-1].reason


def test_strict_names_the_file_and_leaves_nothing(recordings, tmp_path):
    with pytest.raises(ValueError, match=BAD[0]):
        import_dataset("ntu60", recordings, tmp_path / "a.store", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == [recordings.name]


def test_limit_counts_good_clips(recordings, tmp_path):
    store = import_dataset("ntu60", recordings, tmp_path / "a.store", limit=2)
    assert len(store) == 2
    store = import_dataset("ntu60", recordings, tmp_path / "b.store", limit=1)
    assert store.names.tolist() == ["S001C001P003R002A060"]


def test_overwrite(recordings, tmp_path):
    import_dataset("ntu60", recordings, tmp_path / "a.store", limit=1)
    with pytest.raises(FileExistsError):
        import_dataset("ntu60", recordings, tmp_path / "a.store")
    import_dataset("ntu60", recordings, tmp_path / "a.store", overwrite=True)
    assert len(Store.open(tmp_path / "a.store")) == 2


def test_errors(recordings, tmp_path):
    with pytest.raises(ValueError, match="no reader 'ntu'; did you mean 'ntu"):
        import_dataset("ntu", recordings, tmp_path / "a.store")
    with pytest.raises(FileNotFoundError, match="missing"):
        import_dataset("ntu60", tmp_path / "missing", tmp_path / "a.store")
    with pytest.raises(ValueError, match=r"no \.json file for format nw-ucla"):
        import_dataset("nw-ucla", recordings, tmp_path / "a.store")
    with pytest.raises(ValueError, match="layout utd-20 has 20 joints"):
        import_dataset("ntu60", recordings, tmp_path / "a.store", layout="utd-20")
    with pytest.raises(ValueError, match="no layout 'ntu'"):
        import_dataset("ntu60", recordings, tmp_path / "a.store", layout="ntu")
    with pytest.raises(ValueError, match="limit"):
        import_dataset("ntu60", recordings, tmp_path / "a.store", limit=0)
    assert not (tmp_path / "a.store").exists()
    with pytest.raises(ValueError, match="workers"):
        import_dataset("ntu60", recordings, tmp_path / "a.store", workers=0)


def test_archives_in_a_folder_are_named(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "nturgbd.zip").write_bytes(b"PK")
    with pytest.raises(
        ValueError, match=r"no \.skeleton file .*it holds nturgbd\.zip, which can be imported"
    ):
        import_dataset("ntu60", tmp_path / "raw", tmp_path / "a.store")


def _stumble(name, data):
    return {}[name] if name == "b" else Clip(np.full((2, 1, 20, 3), len(data)), name)


def test_an_unforeseen_exception_costs_one_file(tmp_path):
    (tmp_path / "raw").mkdir()
    for name in "abc":
        (tmp_path / "raw" / f"{name}.csv").write_text("1")
    reader = Reader("mine", None, "kinect-20", (), lambda source: find_each(source, ".csv", _stumble), ".csv")
    store = import_dataset(reader, tmp_path / "raw", tmp_path / "a.store")
    assert store.names.tolist() == ["a", "c"]
    assert [(bad.name, bad.reason) for bad in store.bad_files] == [("b.csv", "KeyError: 'b'")]


def _many(folder, count):
    folder.mkdir()
    positions = np.random.default_rng(0).normal(size=(2, 1, 25, 3))
    for number in range(1, count + 1):
        write_ntu_skeleton(folder / f"S001C001P{number:03}R001A001.skeleton", positions + number)
    (folder / "S001C001P050R001A001.skeleton").write_text("3\n")


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_several_processes_write_the_same_store(kind, tmp_path):
    """Each reads its files itself where they can be had in any order."""
    _many(tmp_path / "raw", 75)
    source = tmp_path / "raw"
    if kind != "folder":
        source = shutil.make_archive(str(tmp_path / "packed"), kind, source)
    one = import_dataset("ntu60", source, tmp_path / "one.store")
    two = import_dataset("ntu60", source, tmp_path / "two.store", workers=2)
    assert len(two) == 74
    assert (two.hash, two.bad_files) == (one.hash, one.bad_files)


def test_a_process_that_dies_is_reported():
    with pytest.raises(ChildProcessError, match="died"):
        list(do_all(_fatal(), 2))


def _fatal():
    yield from (Work(str(number), list, ()) for number in range(64))
    yield Work("last", os._exit, (1,))


KILLED = """
import os, sys
from skel_data import import_dataset
def stop(count):
    if count == 40:
        os._exit(9)
import_dataset("ntu60", sys.argv[1], sys.argv[2], resume=True, progress=stop)
"""


@pytest.fixture
def killed(tmp_path):
    """Folder of recordings, and an import of it that was killed at the 40th."""
    _many(tmp_path / "raw", 60)
    store = tmp_path / "a.store"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "raw"), str(store)]
    assert subprocess.run(command, check=False).returncode == 9
    assert not store.exists()
    assert (tmp_path / ".a.store.unfinished").exists()
    return tmp_path / "raw"


def test_resume_goes_on_where_a_kill_left_it(killed, tmp_path):
    journal = tmp_path / ".a.store.unfinished" / "journal.jsonl"
    text = journal.read_text()
    assert text.count("\n") == 1 + 39
    journal.write_text(text[:-20])  # the last line was cut off
    read = killed / "S001C001P001R001A001.skeleton"
    content = read.read_bytes()
    read.write_text("is not read again")
    resumed = import_dataset("ntu60", killed, tmp_path / "a.store", resume=True)
    read.write_bytes(content)
    whole = import_dataset("ntu60", killed, tmp_path / "b.store")
    assert (len(resumed), resumed.hash, resumed.bad_files) == (59, whole.hash, whole.bad_files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.store", "b.store", "raw"]
    assert sorted(path.name for path in resumed.path.iterdir()) == sorted(
        path.name for path in whole.path.iterdir()
    )


def test_resume_of_something_else_is_refused(killed, tmp_path):
    with pytest.raises(ValueError, match="another import"):
        import_dataset("ntu60", killed, tmp_path / "a.store", resume=True, units="miles")
    (killed / "S001C001P002R001A001.skeleton").unlink()
    with pytest.raises(ValueError, match="the source has changed"):
        import_dataset("ntu60", killed, tmp_path / "a.store", resume=True)
    assert len(import_dataset("ntu60", killed, tmp_path / "a.store")) == 58
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.store", "raw"]  # the beginning is gone


def test_resume_keeps_to_strict_and_limit(killed, tmp_path):
    (killed / "S001C001P050R001A001.skeleton").unlink()
    with pytest.raises(ValueError, match="39 clips were read before, above the limit"):
        import_dataset("ntu60", killed, tmp_path / "a.store", resume=True, limit=3)
    journal = tmp_path / ".a.store.unfinished" / "journal.jsonl"
    assert journal.read_text().count("\n") == 1 + 39
    with journal.open("a") as file:
        step = json.loads(journal.read_text().splitlines()[1])
        step |= {"columns": {name: [] for name in step["columns"]}, "bad": [["x", "cut off", False]]}
        file.write(json.dumps(step) + "\n")
    with pytest.raises(ValueError, match="x: cut off"):
        import_dataset("ntu60", killed, tmp_path / "a.store", resume=True, strict=True)


def test_rows_lost_behind_the_journal_are_read_again(killed, tmp_path):
    rows = tmp_path / ".a.store.unfinished" / "frames.npy"
    rows.write_bytes(rows.read_bytes()[:5000])
    resumed = import_dataset("ntu60", killed, tmp_path / "a.store", resume=True)
    assert resumed.hash == import_dataset("ntu60", killed, tmp_path / "b.store").hash


def test_two_do_not_import_at_once(killed, tmp_path):
    for resume in (True, False):
        with (
            hold(tmp_path / ".a.store.lock", "the store"),
            pytest.raises(InUseError, match=f"a.store is in use by process {os.getpid()} on "),
        ):
            import_dataset("ntu60", killed, tmp_path / "a.store", resume=resume)
    assert len(import_dataset("ntu60", killed, tmp_path / "a.store", resume=True)) == 59


def test_resume_of_what_is_complete_returns_it(tmp_path, caplog):
    """The same command after a kill at the very end is no error; locks and beginnings beside it go."""
    _many(tmp_path / "raw", 6)
    made = import_dataset("ntu60", tmp_path / "raw", tmp_path / "a.store", resume=True)
    times = {path: path.stat().st_mtime_ns for path in made.path.iterdir()}
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    node = platform.node()
    (tmp_path / f".a.store.lock.partial-{node}-{dead.pid}.0a1b2c3d").write_text("{")
    (tmp_path / f".a.store.replaced-{dead.pid}").mkdir()
    (tmp_path / ".a.store.unfinished").mkdir()
    again = import_dataset("ntu60", tmp_path / "raw", tmp_path / "a.store", resume=True)
    assert again.hash == made.hash
    assert "all of raw was imported before" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in made.path.iterdir()} == times
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.store", "raw"]


def test_resume_of_another_complete_store_is_refused(tmp_path):
    _many(tmp_path / "raw", 6)
    names = sorted(path.name for path in (tmp_path / "raw").iterdir())
    again = partial(import_dataset, "ntu60", tmp_path / "raw", resume=True)
    again(tmp_path / "a.store")
    again(tmp_path / "few.store", limit=3)
    assert len(again(tmp_path / "few.store", limit=3)) == 3
    with pytest.raises(FileExistsError, match="the source has other files"):
        again(tmp_path / "few.store")
    for settings in ({"units": "miles"}, {"rate": 15.0}, {"zeros": "there"}, {"limit": 2}):
        with pytest.raises(FileExistsError, match=r"a\.store exists already, and another import made it"):
            again(tmp_path / "a.store", **settings)
    import_dataset("ntu60", tmp_path / "raw", tmp_path / "plain.store")
    with pytest.raises(FileExistsError, match="another import"):
        again(tmp_path / "plain.store")
    with pytest.raises(ValueError, match="P050"):
        again(tmp_path / "a.store", strict=True)
    (tmp_path / "raw" / names[-1]).rename(tmp_path / "raw" / "S001C001P099R001A001.skeleton")
    with pytest.raises(FileExistsError, match="the source has other files"):
        again(tmp_path / "a.store")
    assert len(again(tmp_path / "a.store", overwrite=True)) == len(Store.open(tmp_path / "plain.store"))
