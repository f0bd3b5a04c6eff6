"""Kill commands at random moments, run them again, and count what was lost, wrong or left.

`nox -s faults -- --kills 200` does it for pretraining with one and two processes, import, merge, evaluation,
embedding and fit, with SIGKILL, SIGTERM and SIGINT; then commands are run on disks that are too small.
Nothing may be lost (the second run ends), wrong (its files have other bits than those of a run that was never
killed), or left (locks, partial files and folders). With --soak evaluations and augmentation batches follow
in one process, whose memory may not grow.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from skel_data import Store, SynthSettings, build_clips, synth_clips, synth_store, write_ntu_folder
from skel_recipes import Run, dump_recipe, evaluate, load_recipe
from skel_recipes.cli.app import main as skel

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SMALL = {
    "data.pipeline.frames": 16,
    "train.batch_size": 8,
    "train.epochs": 12,
    "train.min_steps": 0,
    "train.checkpoint_every": 1,
    "train.precision": "float64",
    "encoder.widths": [8, 8],
    "encoder.kernels": [3, 3],
    "encoder.strides": [2, 1],
    "optim.warmup_epochs": 1,
}


def digest(path):
    """Digest of a file, or of what decides in one with times in it."""
    if path.name == "metrics.jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        kept = [{k: v for k, v in line.items() if k not in ("seconds", "clips_per_second")} for line in lines]
        return json.dumps(kept)
    if path.suffix == ".json":
        data = json.loads(path.read_text())
        return json.dumps([data.get("metrics"), data.get("hash"), data.get("counts")])
    return hashlib.blake2b(path.read_bytes()).hexdigest()


class Job:
    """A command that may be killed: how it is run, run again, and what it makes."""

    def __init__(self, name, command, again, makes, processes=1):
        self.name, self.command, self.again = name, command, again
        self.makes, self.processes = makes, processes

    def start(self, folder, command):
        """Children that run the command, one for each process of a group."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return [self._fork(folder, command, rank, port) for rank in range(self.processes)]

    def _fork(self, folder, command, rank, port):
        pid = os.fork()
        if pid:
            return pid
        try:  # the child
            for number in SIGNALS[1:]:
                signal.signal(
                    number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler
                )
            os.chdir(folder)
            log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if self.processes > 1:
                os.environ |= {
                    "WORLD_SIZE": str(self.processes),
                    "RANK": str(rank),
                    "LOCAL_RANK": str(rank),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port),
                }
            os._exit(skel(command))
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(70)

    def run(self, folder, command):
        """Whether the command ends well."""
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in self.start(folder, command)]
        return codes == [0] * self.processes

    def found(self, folder):
        """Digests of what it makes."""
        files = sorted(file for pattern in self.makes for file in folder.glob(pattern) if file.is_file())
        return {str(file.relative_to(folder)): digest(file) for file in files}


def left(folder):
    """Locks and unfinished files, which may not be there once the run or store was opened again."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob(".*")
        if any(word in path.name for word in ("partial", "lock", "unfinished", "replaced"))
    ]


def attack(job, template, work, rng, counts):
    """Kill a command once, run it again, compare."""
    folder = work / "attacked"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    number = rng.choice(SIGNALS)
    children = job.start(folder, job.command)
    time.sleep(rng.uniform(0, job.seconds))
    for child in children if number == signal.SIGINT else [rng.choice(children)]:
        os.kill(child, number)
    limit = time.time() + 60
    codes = []
    late = set()
    while children:
        pid, status = os.waitpid(children[0], os.WNOHANG)
        if pid:
            codes.append(os.waitstatus_to_exitcode(status))
            children.pop(0)
        elif time.time() > limit:
            if children[0] not in late:
                counts["did not end in a minute"] += 1
                print((folder / "log").read_text()[-600:], flush=True)
                late.add(children[0])
            os.kill(children[0], signal.SIGKILL)
            time.sleep(0.01)
        else:
            time.sleep(0.01)
    counts["killed" if any(codes) else "had ended"] += 1
    again = job.again if all((folder / path).exists() for path in job.needs) else job.command
    if any(codes) and not job.run(folder, again):
        counts["lost"] += 1
        print((folder / "log").read_text()[-600:], flush=True)
        return
    Run.open(folder / "done")  # what was left is removed when a run or store is opened next
    for made in folder.glob("*.store"):
        Store.open(made)
    if job.found(folder) != job.expected:
        counts["wrong"] += 1
        print(
            job.name,
            number,
            [k for k, v in job.found(folder).items() if job.expected.get(k) != v],
            flush=True,
        )
    if remains := left(folder):
        counts["left"] += 1
        print(job.name, number, remains, flush=True)


def jobs(template):
    """The commands, in a folder with two stores, recordings and a finished run."""
    store = synth_store(template / "a.store", SynthSettings(classes=3, subjects=4, cameras=2, repetitions=1))
    synth_store(template / "b.store", SynthSettings(classes=3, subjects=2, cameras=1, repetitions=1, seed=5))
    few = SynthSettings(classes=5, subjects=5, cameras=3, repetitions=2)
    write_ntu_folder(template / "raw", synth_clips(few))
    recipe = load_recipe("compact", SMALL)
    (template / "r.toml").write_text(dump_recipe(recipe))
    build_clips(store, recipe.data.pipeline)
    os.chdir(template)
    if skel(["pretrain", "r.toml", "a.store", "--out", "done"]):
        raise SystemExit("the run that everything begins with did not end well")
    run = ["encoder.safetensors", "metrics.jsonl"]
    pretrain, again = ["pretrain", "r.toml", "a.store", "--out", "run"], ["pretrain", "--resume", "run"]
    files = ["header.json", "frames.npy", "tracks.npy"]
    imported = ["data", "import", "ntu60", "raw", "c.store", "--workers", "1", "--resume"]
    merged = ["data", "merge", "a.store", "b.store", "--out", "a.store", "--overwrite"]
    evaluated = ["eval", "linear", "done", "a.store"]
    made = [
        Job("pretraining", pretrain, again, [f"run/{name}" for name in run]),
        Job("pretraining, two processes", pretrain, again, [f"run/{name}" for name in run], 2),
        Job("import", imported, imported, [f"c.store/{name}" for name in files]),
        Job("merge", [*merged[:4], "--out", "m.store"], [*merged[:4], "--out", "m.store", "--overwrite"],
            [f"m.store/{name}" for name in files]),
        Job("evaluation", evaluated, evaluated, ["done/eval/*.json", "done/features/*"]),
        Job("embedding", ["embed", "done", "a.store", "f.npz"],
            ["embed", "done", "a.store", "f.npz"], ["done/features/*"]),
        Job("fit", ["fit", "done", "a.store", "--out", "model"],
            ["predict", "model", "a.store"], ["model/**/*"]),
    ]  # fmt: skip
    needs = {"pretrain": ["run/run.json"], "fit": ["model"]}
    for job in made:
        job.needs = needs.get(job.command[0], [])
    return made


def small_disks(template, work, counts):
    """Run commands on disks, or with a limit on files, that are too small, then with room."""
    disk = work / "disk"
    for size in (100, 300, 1000, 3000):
        shutil.rmtree(disk, ignore_errors=True)
        disk.mkdir()
        mounted = (
            os.geteuid() == 0
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)],
                check=False,
                stderr=subprocess.DEVNULL,
            ).returncode
        )
        counts["tmpfs" if mounted else "limit"] += 1
        try:
            for command, out in (
                (["pretrain", "r.toml", "a.store", "--out", str(disk / "run")], disk / "run"),
                (["data", "merge", "a.store", "b.store", "--out", str(disk / "m.store")], disk / "m.store"),
            ):
                words = [sys.executable, "-m", "skel_recipes", *command]
                if not mounted:  # the shell's limit is in blocks of 512 or 1024 bytes
                    words = ["sh", "-c", f'ulimit -f {size}; exec "$@"', "sh", *words]
                done = subprocess.run(words, cwd=template, capture_output=True, text=True, check=False)
                said = [line for line in done.stderr.splitlines() if line.startswith("skel: ")]
                counts["full" if done.returncode else "enough room"] += 1
                if done.returncode and (done.returncode != 1 or len(said) != 1 or "Traceback" in done.stderr):
                    counts["not one sentence"] += 1
                    print(done.stderr[-600:], flush=True)
                if remains := [name for name in left(disk) if not name.endswith(".lock")]:
                    counts["left"] += 1
                    print(command[:2], size, remains, flush=True)
                shutil.rmtree(out, ignore_errors=True)
        finally:
            if mounted:
                subprocess.run(["umount", str(disk)], check=True)


def soak(template, evaluations, batches):
    """Memory before and after many evaluations and augmentations in one process, in MB."""
    from skel_augment import preset

    store, run = Store.open(template / "a.store"), Run.open(template / "done")
    clips = torch.from_numpy(np.array(build_clips(store, run.pipeline)[:8]))
    view, generator = preset("skeletonclr.view"), torch.Generator().manual_seed(0)

    def megabytes():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

    told = []
    for part in range(6):
        for _ in range(evaluations * part // 6, evaluations * (part + 1) // 6):
            evaluate(run, store, "knn")
        for _ in range(batches * part // 6, batches * (part + 1) // 6):
            view(clips, store.layout, generator=generator)
        told.append(round(megabytes(), 1))
        print(f"soak {part + 1}/6: {told[-1]} MB", flush=True)
    return told


def main():
    """Run all; the exit status is 1 if anything was lost, wrong or left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="kill no more after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--soak", type=int, nargs=2, default=(0, 0), metavar=("EVALUATIONS", "BATCHES"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rng = random.Random(chosen.seed)
    work = Path(tempfile.mkdtemp(prefix="skel-faults-"))
    bad, ends = 0, time.time() + 60 * chosen.minutes
    try:
        template = work / "template"
        template.mkdir()
        every = jobs(template)
        for job in every:
            shutil.copytree(template, work / "whole")
            started = time.time()
            if not job.run(work / "whole", job.command):
                raise SystemExit(
                    f"{job.name} does not end well: {(work / 'whole' / 'log').read_text()[-2000:]}"
                )
            job.seconds = time.time() - started
            job.expected = job.found(work / "whole")
            shutil.rmtree(work / "whole")
            job.counts = Counter()
        for kill in range(chosen.kills):
            job = every[kill % len(every)]
            if time.time() > ends:
                print(f"stopped after {kill} kills, as {chosen.minutes:g} minutes are over", flush=True)
                break
            attack(job, template, work, rng, job.counts)
        for job in every:
            print(f"{job.name} ({job.seconds:.1f} s): {dict(job.counts)}", flush=True)
            bad += sum(job.counts[what] for what in ("lost", "wrong", "left", "did not end in a minute"))
        counts = Counter()
        small_disks(template, work, counts)
        print(f"small disks: {dict(counts)}", flush=True)
        bad += counts["not one sentence"] + counts["left"]
        if any(chosen.soak):
            print("memory:", soak(template, *chosen.soak), flush=True)
    finally:
        os.chdir("/")
        shutil.rmtree(work, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
