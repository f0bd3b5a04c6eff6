"""Two processes on one thing: a lock refuses the second or lets it wait, on shared folders too."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from skel_data import Default, build_clips
from skel_data.files import InUseError, hold, remove_left_behind
from skel_data.files import _lock as lock_module
from skel_data.files._lock import machine, start_time
from skel_recipes import Run, evaluate, pretrain, resume


def forged(path, *, age=0.0, **changes):
    """A lock file as another process would have left it."""
    holder = {
        "host": "elsewhere",
        "machine": "elsewhere",
        "pid": 1,
        "started": 1,
        "since": "then",
        "token": "t",
    }
    path.write_text(json.dumps(holder | changes))
    past = time.time() - age
    os.utime(path, (past, past))


def test_a_lock_is_refused_and_released(tmp_path):
    file = tmp_path / ".lock"
    with hold(file, "the run") as lock:
        lock.check()
        with (
            pytest.raises(InUseError, match=f"the run is in use by process {os.getpid()} on .*, since 2"),
            hold(file, "the run"),
        ):
            pass
    assert list(tmp_path.iterdir()) == []


def test_locks_left_behind_on_this_machine_are_taken_over_at_once(tmp_path, dead, caplog):
    file = tmp_path / ".lock"
    here = {"host": "here", "machine": machine()}
    forged(file, **here, pid=dead)
    with hold(file):
        pass
    assert f"took over the lock of process {dead} on here" in caplog.text
    # the number of a dead process has come to another one
    forged(file, **here, pid=os.getpid(), started=start_time(os.getpid()) - 1)
    with hold(file):
        pass
    # a process that lives is never taken for dead, however long it has been silent
    forged(file, **here, pid=os.getpid(), started=start_time(os.getpid()), age=1e6)
    with pytest.raises(InUseError), hold(file):
        pass


def test_locks_of_single_files_are_removed_when_the_folder_is_opened_next(tmp_path, dead):
    here = {"machine": machine()}
    forged(tmp_path / ".left.npy.lock", **here, pid=dead)
    forged(tmp_path / ".held.npy.lock", **here, pid=os.getpid(), started=start_time(os.getpid()), age=1e6)
    forged(tmp_path / ".elsewhere.npy.lock")
    forged(tmp_path / ".lock", **here, pid=dead)  # of the whole folder: whoever takes it over says so
    (tmp_path / ".damaged.npy.lock").write_bytes(b"{")
    remove_left_behind(tmp_path, tmp_path / "nowhere")
    assert {path.name for path in tmp_path.iterdir()} == {
        ".held.npy.lock",
        ".elsewhere.npy.lock",
        ".lock",
        ".damaged.npy.lock",
    }


@pytest.mark.parametrize("content", [None, b"", b"[" * 100_000, b"\xff", b'{"pid": "x"}'])
def test_locks_of_other_machines_go_by_their_sign_of_life(tmp_path, content):
    file = tmp_path / ".lock"
    for age, held in ((0, True), (50, True), (70, False)):
        forged(file, age=age)
        if content is not None:
            file.write_bytes(content)
            os.utime(file, (time.time() - age,) * 2)
        if held:
            with (
                pytest.raises(InUseError, match="elsewhere" if content is None else "did not say"),
                hold(file),
            ):
                pass
        else:
            with hold(file):
                pass


def test_a_holder_gives_signs_of_life_and_notices_when_it_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "BEAT", 0.01)
    file = tmp_path / ".lock"
    with hold(file, "the run") as lock:
        os.utime(file, (0, 0))
        deadline = time.time() + 10
        while file.stat().st_mtime == 0 and time.time() < deadline:
            time.sleep(0.01)
        assert file.stat().st_mtime > 0
        forged(file)
        with pytest.raises(InUseError, match="the run was taken over by process 1 on elsewhere"):
            lock.check()
    assert file.exists()  # it is the other's


def test_many_that_take_over_one_lock_hold_it_one_after_another(tmp_path, dead, monkeypatch):
    monkeypatch.setattr(lock_module, "_POLL", 0.001)
    file = tmp_path / ".lock"
    forged(file, machine=machine(), pid=dead)
    inside, most, done = [0], [0], []

    def work():
        with hold(file, wait=True) as lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.002)
            lock.check()
            inside[0] -= 1
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, len(done)) == ([1], 12)
    assert list(tmp_path.iterdir()) == []


def test_file_systems_without_links_have_locks_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / ".lock"
    with hold(file), pytest.raises(InUseError, match=f"process {os.getpid()}"), hold(file):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_resumes_of_one_run(own_run):
    """As two shells would do it: one trains, the other is told who does, and no epoch is logged twice."""
    lines = (own_run.path / "metrics.jsonl").read_text().splitlines()
    for name in ("encoder.safetensors", "checkpoint.pt", "metrics.jsonl"):
        (own_run.path / name).unlink()
    command = [sys.executable, "-m", "skel_recipes", "pretrain", "--resume", str(own_run.path)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 1])  # the second may have come when all was done
    if codes == [0, 1]:
        assert any("is in use by process" in text for text in told)
    assert len(own_run.metrics()) == len(lines)
    assert not (own_run.path / ".lock").exists()
    assert Run.open(own_run.path).encoder() is not None


def test_a_run_in_use_is_refused(own_run, store, tiny):
    (own_run.path / "encoder.safetensors").unlink()
    before = (own_run.path / "metrics.jsonl").read_bytes()
    with hold(own_run.path / ".lock"):
        with pytest.raises(InUseError, match="in use by process"):
            resume(own_run.path)
        with pytest.raises(FileExistsError, match="go on with: --resume"):
            pretrain(tiny("compact"), store, own_run.path)
    assert (own_run.path / "metrics.jsonl").read_bytes() == before
    assert resume(own_run.path).finished


def test_two_that_make_one_run(store, tiny, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    with hold(path / ".lock"), pytest.raises(InUseError, match="run is in use"):
        pretrain(tiny("compact"), store, path)
    assert list(path.iterdir()) == []
    assert pretrain(tiny("compact", train__epochs=1), store, path).finished


def test_a_cache_and_features_in_the_making_are_waited_for(own_store, own_run, caplog):
    expected = build_clips(own_store, Default(), cache=False)
    folder = own_store.path / "cache"
    build_clips(own_store, Default())
    (cache,) = folder.glob("*.npy")
    cache.unlink()
    found = []
    with hold(cache.with_name(f".{cache.name}.lock")):
        thread = threading.Thread(target=lambda: found.append(build_clips(own_store, Default())))
        thread.start()
        while "waiting for process" not in caplog.text and thread.is_alive():
            time.sleep(0.01)
        assert not found
    thread.join(60)
    np.testing.assert_array_equal(found[0], expected)

    first = evaluate(own_run, own_store, "knn")
    caplog.clear()
    file = max((own_run.path / "features").glob("*.npy"))
    file.unlink()
    with hold(file.with_name(f".{file.name}.lock")):
        thread = threading.Thread(target=lambda: found.append(evaluate(own_run, own_store, "knn")))
        thread.start()
        while "waiting for process" not in caplog.text and thread.is_alive():
            time.sleep(0.01)
    thread.join(60)
    assert found[1].metric == first.metric
    assert not [path for path in (own_run.path / "features").iterdir() if path.name.startswith(".")]
