"""Same seed, same bits: what else they depend on is written down, and compared on resume."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
import torch
from torch import distributed

from skel_recipes import Run, dump_recipe, pretrain, resume
from skel_recipes.cli.app import main
from skel_recipes.common.device import joined


def edit(run, change):
    info = json.loads((run.path / "run.json").read_text())
    change(info)
    (run.path / "run.json").write_text(json.dumps(info))
    (run.path / "encoder.safetensors").unlink(missing_ok=True)


def test_run_json_says_what_bits_depend_on(run):
    compute = Run.open(run.path).info["compute"]
    assert compute == {
        "processes": 1,
        "threads": torch.get_num_threads(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "device": "cpu",
    }
    assert {"torch", "numpy", "skel-data"} <= Run.open(run.path).info["versions"].keys()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda info: info["compute"].update(threads=64), "threads 64, now 1"),
        (lambda info: info["compute"].update(processes=8), "processes 8, now 1"),
        (lambda info: info["compute"].update(processor="Z"), "processor Z, now"),
        (lambda info: info["versions"].update(torch="1.0"), "torch 1.0, now"),
        (lambda info: info["versions"].update({"skel-augment": "9"}), "skel-augment 9, now"),
    ],
)
def test_a_resume_under_other_facts_says_so_or_refuses(own_run, change, told, caplog, capsys):
    edit(own_run, change)
    before = sorted(own_run.path.iterdir())
    with pytest.raises(ValueError, match=f"{told}.* bits of the weights may differ"):
        resume(own_run.path, strict=True)
    assert main(["pretrain", "--resume", str(own_run.path), "--strict"]) == 1
    assert "may differ" in capsys.readouterr().err
    assert sorted(own_run.path.iterdir()) == before
    assert resume(own_run.path).finished
    assert told in caplog.text
    assert "may differ" in caplog.text


def test_a_resume_under_the_same_facts_is_quiet(own_run, caplog):
    edit(own_run, lambda _: None)
    assert resume(own_run.path, strict=True).finished
    assert not caplog.text


def test_runs_of_earlier_versions_are_resumed(own_run, caplog):
    edit(own_run, lambda info: info.pop("compute"))
    assert resume(own_run.path, strict=True).finished
    assert not caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_one_of_two_processes_is_killed(store, tiny, tmp_path, request, victim):
    """The other ends within a minute with a sentence; the run goes on with one process."""
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(dump_recipe(tiny("compact", train__epochs=100, train__batch_size=6)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
    }
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "skel_recipes",
        "pretrain",
        str(recipe),
        str(store.path),
        "--out",
        str(run),
    ]
    both = [
        subprocess.Popen(
            command, env=env | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE
        )
        for rank in (0, 1)
    ]

    def end():
        for process in both:
            process.kill()
            process.wait()
            process.stderr.close()

    request.addfinalizer(end)
    metrics = run / "metrics.jsonl"
    deadline = time.time() + 90
    while (not metrics.exists() or metrics.read_text().count("\n") < 3) and time.time() < deadline:
        time.sleep(0.02)
    assert metrics.exists(), "two processes did not begin within 90 seconds"
    other = both[1 - victim]
    both[victim].send_signal(signal.SIGKILL)
    killed = time.time()
    told = other.communicate(timeout=60)[1].decode()
    both[victim].communicate()
    assert time.time() - killed < 60
    assert other.returncode == 1, told
    assert f"skel: process {2 - victim} of 2 lost another one, which has ended" in told
    assert "Traceback" not in told
    assert (run / ".lock").exists() == (victim == 0)  # the first holds it
    again = resume(run)
    assert len(again.metrics()) == 100
    assert again.encoder() is not None


@pytest.fixture
def alone(monkeypatch):
    """The port of the first of two processes, which wait 2 seconds for each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    facts = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "SKEL_CONNECT_SECONDS": 2}
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    for name, value in facts.items():
        monkeypatch.setenv(name, str(value))
    return port


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("partner", ["never comes", "ends while they connect"])
def test_a_process_that_does_not_find_the_other_ends(alone, monkeypatch, rank, partner):
    """The first listens and the others ask; PyTorch lets either wait for half an hour."""
    monkeypatch.setenv("RANK", str(rank))
    held = []
    if partner != "never comes":  # it is at the store, but does not say where it listens
        monkeypatch.setenv("SKEL_CONNECT_SECONDS", "4")
        connect = partial(distributed.TCPStore, "127.0.0.1", alone, 2, rank == 1, wait_for_workers=False)
        if rank == 1:
            held.append(connect())
            threading.Timer(0.5, held.clear).start()  # the server is gone with it
        else:
            threading.Thread(target=connect).start()
    began = time.monotonic()
    match = f"process {rank + 1} of 2 did not reach all others"
    with pytest.raises(ConnectionError, match=match), joined("cpu"):
        pass
    assert time.monotonic() - began < 12
    assert not distributed.is_initialized()


@pytest.mark.parametrize("seconds", ["soon", "-1", "0", "nan", "inf"])
def test_seconds_to_connect_are_checked(alone, monkeypatch, seconds):
    monkeypatch.setenv("SKEL_CONNECT_SECONDS", seconds)
    with pytest.raises(ValueError, match="SKEL_CONNECT_SECONDS must be from 1 to 86400"), joined("cpu"):
        pass


LATE = """
import time, torch
from skel_recipes.common.device import joined
print("imported", flush=True)
input()
with joined("cpu") as (world, _):
    time.sleep(5 * world.rank)
    print(world.mean(torch.tensor([float(world.rank)])).item())
"""


def test_connected_processes_wait_longer_for_each_other(alone, request):
    """The seconds are those in which they connect; then a process may work for long before the others."""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LATE],
            env=os.environ | {"RANK": str(rank), "SKEL_CONNECT_SECONDS": "4"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for rank in (0, 1)
    ]
    for process in both:
        request.addfinalizer(process.wait)
        request.addfinalizer(process.kill)
        assert process.stdout.readline().split() == [b"imported"]
    for process in both:
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0].split() for process in both] == [[b"0.5"], [b"0.5"]]


def test_other_processes_are_said_on_resume(own_run, caplog):
    edit(own_run, lambda info: info["compute"].update(processes=2))
    resume(own_run.path)
    assert f"{own_run.path} began with processes 2, now 1" in caplog.text


def test_the_same_recipe_twice_gives_the_same_bits(run, store, tiny, tmp_path):
    again = pretrain(tiny("compact"), store, tmp_path / "again")
    one, two = (each.encoder().state_dict() for each in (run, again))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(("processes", "status"), [("2", 7), ("1", -signal.SIGABRT)])
def test_one_of_several_processes_does_not_take_its_interpreter_down(processes, status):
    """There gloo's threads abort it now and then; `atexit` stands for them."""
    code = (
        "import atexit, os, torch\n"
        "from skel_recipes.cli import app\n"
        "atexit.register(os.abort)\n"
        "app.main = lambda: print('told') or 7\n"
        "app.command()"
    )
    env = os.environ | {"WORLD_SIZE": processes}
    result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert result.returncode == status
    if status > 0:
        assert result.stdout == "told\n"
