"""Search of settings for small sets, on held-out groups of the training parts; no test clip is read.

``python integration/benchmarks/small_sets.py FOLDER RECIPE FOLD [FOLD ...] [--set KEY=VALUE]`` pretrains the
recipe on what is left of a training part and evaluates it on the group that is held out. A fold is
``STORE:subject=5`` or ``STORE:camera=2``. One line of JSON for each fold and seed goes to
``FOLDER/log.jsonl``.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve

from skel_data import Clip, Store, get_split, write_store
from skel_recipes import evaluate, load_recipe, pretrain

PROTOCOLS = ("linear", "knn", "rbf")


def fold_store(fold: str, folder: Path) -> Store:
    """A store of the training clips alone, whose listed split holds a group out."""
    source, _, rule = fold.rpartition(":")
    column, _, number = rule.partition("=")
    path = folder / f"{Path(source).stem}-{column}-{number}.store"
    if path.exists():
        return Store.open(path)
    store = Store.open(source)
    train = get_split(store).train
    held = getattr(store, f"{column}s")[train] == int(number)
    if not 0 < held.sum() < len(train):
        raise SystemExit(f"{fold}: {int(held.sum())} of {len(train)} training clips are held out")

    def clips() -> Iterator[Clip]:
        for index, out in zip(train, held, strict=True):
            yield Clip(
                store.clip(index),
                str(store.names[index]),
                label=int(store.labels[index]),
                subject=int(store.subjects[index]),
                camera=int(store.cameras[index]),
                split=2 if out else 1,
                tracks=store.tracks(index),
            )

    info = evolve(store.info, dataset=f"{store.dataset}-{column}-{number}", default_split="listed")
    return write_store(path, clips(), info, source=str(store.path))


def main() -> None:
    """Pretrain and evaluate on each fold."""
    parser = argparse.ArgumentParser(prog="small_sets", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where stores, runs and the log are made")
    parser.add_argument("recipe")
    parser.add_argument("folds", nargs="+", metavar="FOLD")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    chosen = parser.parse_args()
    settings: dict[str, Any] = {}
    for key, value in (word.split("=", 1) for word in chosen.set):
        settings[key] = tomllib.loads(f"value = {value}")["value"]
    chosen.folder.mkdir(parents=True, exist_ok=True)
    means = []
    for fold in chosen.folds:
        store = fold_store(fold, chosen.folder)
        for seed in chosen.seeds:
            number = len(list(chosen.folder.glob("run-*")))
            recipe = load_recipe(chosen.recipe, {**settings, "train.seed": seed})
            run = pretrain(recipe, store, chosen.folder / f"run-{number}")
            found = {name: 100 * evaluate(run, store, name).metric.value for name in PROTOCOLS}
            line = {"recipe": chosen.recipe, "settings": settings, "fold": fold, "seed": seed, **found}
            with (chosen.folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            sys.stdout.write(f"{fold} seed {seed}: {found}\n")
            means.append(list(found.values()))
    sys.stdout.write(f"mean: {dict(zip(PROTOCOLS, np.mean(means, 0).round(1).tolist(), strict=True))}\n")


if __name__ == "__main__":
    main()
