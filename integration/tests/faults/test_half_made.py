"""What is half-made, left over, full, read-only or closed: taken up, removed, or said in one sentence."""

import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from skel_data import Default, Store, build_clips
from skel_data.files import hold, write_atomically, write_checked
from skel_data.files._lock import machine
from skel_encoders import create_encoder, save_pretrained
from skel_eval import FeatureSet
from skel_recipes import Run, evaluate, pretrain, resume
from skel_recipes.cli.app import main
from skel_recipes.common.files import new_folder
from skel_recipes.train.checkpoint import LAST, PREVIOUS, load_checkpoint


def test_a_run_that_was_killed_while_it_was_made(store, tiny, tmp_path, dead):
    """The same command makes it; a folder with anything else in it is left alone."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.toml").write_text("name = ")
    (folder / f".run.json.partial-{platform.node()}-{dead}.abc").write_text("{")
    (folder / ".lock").write_text("")
    os.utime(folder / ".lock", (0, 0))
    run = pretrain(tiny("compact", train__epochs=1), store, folder)
    assert run.finished
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        pretrain(tiny("compact"), store, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_finished_run_loses_the_lock_that_a_killed_process_left(own_run, dead):
    (own_run.path / ".lock").write_text(json.dumps({"machine": machine(), "pid": dead}))
    assert resume(own_run.path).finished
    assert not (own_run.path / ".lock").exists()


def test_partial_files_of_dead_processes_are_removed(own_run, own_store, dead):
    """Of this machine at once, of others after a day; those of the living and everything else stay."""
    evaluate(own_run, own_store, "knn")
    node = platform.node()
    gone, kept = [], []
    for folder in (own_run.path, own_run.path / "eval", own_store.path / "cache", own_run.path / "features"):
        gone += [folder / f".a.npy.partial-{node}-{dead}.0a1b", folder / ".b.partial-elsewhere-1.c"]
        kept += [folder / f".a.npy.partial-{node}-{os.getppid()}.x", folder / ".c.partial-elsewhere-1"]
        kept += [folder / ".partial-1", folder / f"a.partial-{node}-{dead}"]
    for file in gone + kept:
        file.write_text("x")
        if ".b.partial" in file.name:
            os.utime(file, (time.time() - 90_000,) * 2)
    Run.open(own_run.path)
    Store.open(own_store.path)
    assert [file for file in gone if file.exists()] == []
    assert [file for file in kept if not file.exists()] == []


def locked(path):
    with hold(path):
        assert path.stat().st_size


WRITERS = {
    "array": lambda path: write_checked(path, "zeros", (3,), np.float64, [np.zeros(3)]),
    "result": lambda path: write_atomically(path, "{}"),
    "features": lambda path: FeatureSet(np.eye(2), np.arange(2), np.array([0]), np.array([1])).save(path),
    "encoder": lambda path: save_pretrained(create_encoder("stgcn", "ntu-25", base_channels=4), path.parent),
    "lock": locked,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_next_writing_removes_partial_files(tmp_path, dead, kind):
    """What a killed process left of a file goes when it is written again; that of the living stays."""
    name = {"features": "f.npz", "encoder": "encoder.safetensors", "lock": ".a.store.lock"}.get(kind, "x.npy")
    stem = name.lstrip(".") if kind == "lock" else name
    pid = "{}" if kind == "encoder" else "{}.0a1b2c3d"
    left, lives, other = (
        tmp_path / f".{stem}.partial-{node}-{pid.format(number)}"
        for node, number in (
            (platform.node(), dead),
            (platform.node(), os.getppid()),
            ("elsewhere", dead),
        )
    )
    for file in (left, lives, other):
        file.write_text("x")
    WRITERS[kind](tmp_path / name)
    assert kind == "lock" or (tmp_path / name).stat().st_size
    assert (left.exists(), lives.exists(), other.exists()) == (False, True, True)


def test_the_next_model_removes_a_partial_folder(tmp_path, dead):
    node = platform.node()
    left, lives = (tmp_path / f".model.partial-{node}-{pid}.0a1b2c3d" for pid in (dead, os.getppid()))
    for folder in (left, lives):
        folder.mkdir()
        (folder / "head.safetensors").write_text("x")
    with new_folder(tmp_path / "model") as folder:
        (folder / "model.json").write_text("{}")
    assert (left.exists(), lives.exists()) == (False, True)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["model.json"]


def test_a_name_that_is_too_long_for_a_partial_one(tmp_path):
    name = "é" * 120 + ".json"
    write_atomically(tmp_path / name, "{}")
    FeatureSet(np.eye(2), np.arange(2), np.array([0]), np.array([1])).save(tmp_path / ("é" * 120 + ".npz"))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npz"]


@pytest.fixture
def interrupted(own_run):
    """A run that was killed after its last checkpoint but one, of three epochs."""
    for name in ("encoder.safetensors", "checkpoint.pt", "metrics.jsonl"):
        (own_run.path / name).unlink()
    done = []

    def stop(*_):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skel_recipes.train.trainer._log", stop_after_logging(stop))
        with pytest.raises(KeyboardInterrupt):
            resume(own_run.path)
    return Run.open(own_run.path)


def stop_after_logging(stop):
    from skel_recipes.train.trainer import _log

    def log(*arguments):
        _log(*arguments)
        stop()

    return log


def epochs(file):
    return load_checkpoint(file, torch.device("cpu"))["epochs"]


def weights(run):
    return run.encoder().state_dict()


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "junk", "text", "missing"])
def test_a_damaged_checkpoint_loses_an_epoch_not_the_run(interrupted, run, flip, damage, caplog):
    last, previous = interrupted.path / LAST, interrupted.path / PREVIOUS
    assert (epochs(last), epochs(previous)) == (2, 1)
    match damage:
        case "cut":
            last.write_bytes(last.read_bytes()[:-300])
        case "flip":
            data = last.read_bytes()
            method = load_checkpoint(last, torch.device("cpu"))["method"]
            largest = max(method.values(), key=torch.numel)
            found = data.index(largest.numpy().tobytes())
            flip(last, found + 2)
        case "empty":
            last.write_bytes(b"")
        case "junk":
            last.write_bytes(b"\x80\x02" + os.urandom(500))
        case "text":
            torch.save({"epochs": 2, "method": []}, last)
        case "missing":  # killed between two renames
            last.unlink()
    resumed = resume(interrupted.path)
    assert same(weights(resumed), weights(run))
    assert len(resumed.metrics()) == 3
    assert damage == "missing" or f"{last} is damaged" in caplog.text
    assert damage == "missing" or f"going on from {PREVIOUS}, after epoch 1" in caplog.text
    assert not previous.exists()


def test_both_checkpoints_damaged(interrupted, run):
    for name in (LAST, PREVIOUS):
        (interrupted.path / name).write_bytes(b"junk")
    with pytest.raises(
        ValueError, match=r"checkpoint.pt is damaged.*checkpoint.previous.pt is damaged.*remove"
    ) as told:
        resume(interrupted.path)
    assert "weights_only" not in str(told.value)
    assert "\n" not in str(told.value)
    for name in (LAST, PREVIOUS):
        (interrupted.path / name).unlink()
    assert same(weights(resume(interrupted.path)), weights(run))


def test_metrics_that_lost_lines(interrupted, run):
    """A checkpoint of more epochs than were logged is not gone on from: the run could not be evaluated."""
    file = interrupted.path / "metrics.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:1]) + '{"epoch": 2, "lo')
    resumed = resume(interrupted.path)
    assert [line["epoch"] for line in resumed.metrics()] == [1, 2, 3]
    assert same(weights(resumed), weights(run))


def test_a_damaged_encoder_is_written_again_from_the_checkpoint(own_run, run, own_store, capsys):
    file = own_run.path / "encoder.safetensors"
    for junk in (b"", b"junk", file.read_bytes()[:-10]):
        file.write_bytes(junk)
        assert main(["eval", "knn", str(own_run.path), str(own_store.path)]) == 1
        told = capsys.readouterr().err
        errors = [line for line in told.splitlines() if line.startswith("skel: ")]
        assert len(errors) == 1, told
        assert "encoder.safetensors is damaged" in errors[0]
        assert "Traceback" not in told
    file.unlink()
    assert same(weights(resume(own_run.path)), weights(run))


@pytest.fixture
def full():
    """Let every file end at 20 kB, as a full disk would: the error comes from the system."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_is_full_costs_the_cache_only(own_store, full, caplog):
    expected = build_clips(own_store, Default(), cache=False)
    np.testing.assert_array_equal(build_clips(own_store, Default()), expected)
    assert "the clips are not kept" in caplog.text
    assert list((own_store.path / "cache").iterdir()) == []


def test_a_disk_that_is_full_while_training(own_store, tiny, tmp_path, request, caplog, capsys):
    recipe = tmp_path / "tiny.toml"
    from skel_recipes import dump_recipe

    recipe.write_text(dump_recipe(tiny("compact")))
    build_clips(own_store, tiny("compact").data.pipeline)
    request.getfixturevalue("full")
    command = ["pretrain", str(recipe), str(own_store.path), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    *_, told = capsys.readouterr().err.splitlines()
    assert told.startswith(f"skel: {tmp_path}/run/checkpoint.pt: File too large; raise the limit")
    assert not [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


def closed(run):
    """Let nothing be written to the run: files lie where its folders would be made."""
    for name in ("eval", "features", "baselines"):
        (run.path / name).write_text("")


def test_a_read_only_run_is_evaluated(own_run, own_store, run, tmp_path, capsys):
    expected = evaluate(run, own_store, "knn")
    closed(own_run)
    command = ["eval", "knn", str(own_run.path), str(own_store.path), "--json"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["metrics"]["accuracy"]["value"] == expected.metric.value
    assert "the features are not kept" in err
    assert "the result is not kept" in err
    assert "--out FILE.json" in err
    assert main([*command, "--out", str(tmp_path / "result.json")]) == 0
    assert "the result is not kept" not in capsys.readouterr().err
    assert json.loads((tmp_path / "result.json").read_text())["metrics"]["accuracy"]["value"] == (
        expected.metric.value
    )
    for wrong in ("result.txt", "none/result.json"):
        assert main([*command, "--out", str(tmp_path / wrong)]) == 1
        assert wrong in capsys.readouterr().err


def test_a_folder_without_rights(own_store, tiny, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="run"):
            pretrain(tiny("compact"), own_store, tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_standard_output_that_is_closed_or_full(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["list", "encoders"]) == 1
    assert capsys.readouterr().err == (
        "skel: standard output is closed; send it to a file, or to /dev/null\n"
    )


def test_a_full_device_as_standard_output():
    with open("/dev/full", "w") as device:  # noqa: PTH123 (a device, not a path)
        done = subprocess.run(
            [sys.executable, "-m", "skel_recipes", "data", "formats"],
            stdout=device,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == "skel: standard output cannot be written: No space left on device\n"
