"""Time and peak memory of each step at the size of NTU RGB+D 60, on synthetic recordings.

``python integration/benchmarks/ntu60.py FOLDER`` makes a store of 56,578 clips in the folder (7 GB in all),
then measures each step in a process of its own, in this order. What a step leaves behind, the next ones use.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve

from skel_data import (
    Clip,
    CrosSCLR50,
    DatasetInfo,
    Store,
    SynthSettings,
    build_clips,
    clip_loader,
    epoch_order,
    get_layout,
    get_split,
    synth_clips,
    write_store,
)
from skel_eval import evaluate_features
from skel_recipes.cli.output import say, say_json, table
from skel_recipes.config.recipe import load_recipe
from skel_recipes.evaluate.evaluate import evaluate
from skel_recipes.evaluate.inputs import EvaluationInputs, encoder_refs
from skel_recipes.evaluate.report import report
from skel_recipes.run.embedding import embed_array
from skel_recipes.run.run import Run, build_encoders

TRAIN, TEST, TRAIN_SUBJECTS = 40_091, 16_487, 28
SETTINGS = SynthSettings(classes=12, pairs=8, subjects=40, repetitions=24)
PROTOCOLS: dict[str, dict[str, Any]] = {"linear": {}, "knn": {"k": 1}, "retrieval": {}}
SHARE = 2000  # clips that are embedded, of all


def recordings() -> Iterator[Clip]:
    """Clips of 60 classes: each action as it is, backwards, and its first half."""
    rng = np.random.default_rng(0)
    each = SETTINGS.repetitions * SETTINGS.cameras * (SETTINGS.classes + SETTINGS.pairs)
    chosen = {
        split: iter(rng.permutation(each * subjects) < clips)
        for split, subjects, clips in (
            (1, TRAIN_SUBJECTS, TRAIN),
            (2, SETTINGS.subjects - TRAIN_SUBJECTS, TEST),
        )
    }
    for clip in synth_clips(SETTINGS):
        split = 1 if clip.subject <= TRAIN_SUBJECTS else 2
        if not next(chosen[split]):
            continue
        variant, half = clip.replication % 3, len(clip.positions) // 2
        frames = (slice(None), slice(None, None, -1), slice(0, half))[variant]
        tracks = None if clip.tracks is None else clip.tracks[frames]
        yield evolve(
            clip,
            positions=clip.positions[frames],
            tracks=tracks,
            label=3 * clip.label + variant,
            split=split,
        )


def make_store(folder: Path) -> None:
    """The store."""
    classes = [f"{name} {variant}" for name in SETTINGS.class_names for variant in ("whole", "back", "half")]
    about = DatasetInfo(
        get_layout("ntu-25"), tuple(classes), "metres", dataset="ntu60-size", default_split="listed"
    )
    write_store(folder / "store", recordings(), about, source="synthetic", overwrite=True)


def make_cache(folder: Path) -> None:
    """The clips of `crossclr50`, written to the store's cache."""
    store = Store.open(folder / "store")
    for file in (store.path / "cache").glob("*.npy"):
        file.unlink()
    build_clips(store, CrosSCLR50(), mmap=True)


def load_epoch(folder: Path) -> None:
    """All batches of one epoch of pretraining."""
    store = Store.open(folder / "store")
    train = get_split(store).train
    loader = clip_loader(build_clips(store, CrosSCLR50(), mmap=True), train)
    for _ in loader.batches(epoch_order(len(train), 128, seed=0)):
        pass


def make_run(folder: Path, recipe: str) -> Run:
    """A run without training: random weights after it, and others before."""
    path = folder / recipe.replace("/", "-")
    if path.exists():
        return Run.open(path)
    store = Store.open(folder / "store")
    pipeline = {"data.pipeline.name": "crossclr50", "data.pipeline.frames": 50}
    settings = load_recipe(recipe, {**pipeline, "train.seed": 1})
    run = Run.create(path, settings, store, "listed", TRAIN)
    other = evolve(settings, train=evolve(settings.train, seed=2))
    run.save_encoders(build_encoders(other, run.shape), 0)
    return run


def embed_share(folder: Path, recipe: str) -> None:
    """Features of some clips."""
    store, run = Store.open(folder / "store"), make_run(folder, recipe)
    clips = build_clips(store, CrosSCLR50(), mmap=True)[:SHARE]
    embed_array(run.encoder(), clips, torch.device("cpu"), stream="joint", layout=store.layout)


def inputs_of(folder: Path) -> EvaluationInputs:
    """Of the run whose features are evaluated."""
    return EvaluationInputs.of(encoder_refs([make_run(folder, "compact")]), Store.open(folder / "store"))


def embed_all(folder: Path) -> None:
    """Features of all clips, of the encoder and the untrained one, written to the run's folder."""
    inputs = inputs_of(folder)
    inputs.feature_sets(), inputs.feature_sets(trained=False)


def run_protocol(folder: Path, protocol: str) -> None:
    """A protocol's own arithmetic, on cached features."""
    evaluate_features(inputs_of(folder).feature_sets(), protocol, **PROTOCOLS[protocol])


def run_evaluate(folder: Path, protocol: str) -> None:
    """What ``skel eval`` does."""
    evaluate(make_run(folder, "compact"), Store.open(folder / "store"), protocol, **PROTOCOLS[protocol])


def run_report(folder: Path) -> None:
    """The report of the run."""
    report(make_run(folder, "compact"), Store.open(folder / "store"))


STEPS: dict[str, tuple[Callable[..., None], tuple[str, ...], float]] = {
    "store": (make_store, (), 1),
    "clip cache": (make_cache, (), 1),
    "loading of one epoch": (load_epoch, (), 1),
    "embedding, tcn": (embed_share, ("compact",), (TRAIN + TEST) / SHARE),
    "embedding, stgcn": (embed_share, ("paper/aimclr",), (TRAIN + TEST) / SHARE),
    "features of the run": (embed_all, (), 1),
    **{
        title.format(name): (step, (name,), 1)
        for name in PROTOCOLS
        for title, step in (
            ("{}: its own arithmetic", run_protocol),
            ("{}: first evaluation, with baselines", run_evaluate),
            ("{}: again, baselines cached", run_evaluate),
        )
    },
    "report": (run_report, (), 1),
}
"""What each step does, with which arguments, and the factor from what it measures to the whole."""


def measure(folder: Path, name: str) -> dict[str, float]:
    """Seconds and GiB of one step, in this process; the imports above do not count as time."""
    step, arguments, factor = STEPS[name]
    cpu, wall = time.process_time(), time.perf_counter()
    step(folder, *arguments)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"cpu": round(factor * cpu, 1), "wall": round(factor * wall, 1), "peak": round(peak, 2)}


def main() -> None:
    """Measure the steps that the command line names, or all, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="ntu60", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the store and the runs are made")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        say(json.dumps(measure(chosen.folder, *chosen.steps)))
        return
    chosen.folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in chosen.steps or STEPS:
        command = [sys.executable, __file__, str(chosen.folder), name, "--here"]
        found[name] = json.loads(subprocess.check_output(command).splitlines()[-1])
        sys.stderr.write(f"{name}: {found[name]}\n")
    if chosen.json:
        say_json(found)
    else:
        rows = [
            (name, f"{one['cpu']:,.1f}", f"{one['wall']:,.1f}", f"{one['peak']:.1f}")
            for name, one in found.items()
        ]
        say(table([("", "CPU s", "wall s", "peak GiB"), *rows]))


if __name__ == "__main__":
    main()
