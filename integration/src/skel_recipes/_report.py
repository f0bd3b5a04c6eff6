"""The report of a run: what skel-eval draws, fed from the run's folder."""

import json
from pathlib import Path
from typing import Any

from attrs import evolve

from skel_data import Store, build_clips
from skel_eval import Report, ResultRow, knn, retrieval_gallery, write_report
from skel_recipes._evaluate import Evaluation
from skel_recipes._recipe import dump_recipe
from skel_recipes._run import Run

_TITLES = {"linear": "linear probe", "knn": "{k}-NN"}


def report(run: Run, store: Store, evaluation: Evaluation) -> Path:
    """Write ``report.html`` in the run's folder.

    The table shows every evaluation of the run so far on this data set; confusion, embedding and
    retrieval are of the one given.
    """
    features, labels, test = evaluation.features, store.labels, evaluation.split.test
    train = evaluation.split.train[labels[evaluation.split.train] >= 0]
    clips = build_clips(store, evolve(run.recipe.data.pipeline, bodies=run.shape.bodies))
    results = [evaluation.result]
    for file in sorted((run.path / "eval").glob("*.json")):
        other = json.loads(file.read_text(encoding="utf-8"))
        if other["dataset"] == store.dataset and _key(other) != _key(evaluation.result):
            results.append(other)
    recipe = run.recipe
    content = Report(
        title=f"{recipe.name} on {store.dataset}",
        subtitle=(
            f"{recipe.summary}. Pretrained on {run.facts['train_clips']} clips without labels; "
            f"{evaluation.result['epochs']} epochs, seed {recipe.train.seed}; last epoch, frozen."
        ),
        results=[row for result in results for row in _rows(result)],
        metrics=run.metrics(),
        class_names=store.classes,
        labels=labels[test],
        predictions=evaluation.predictions,
        features=features[test],
        names=store.names[test].tolist(),
        gallery=retrieval_gallery(
            knn(features[train], labels[train], features[test], k=min(3, len(train))),
            lambda row: clips[test[row]],
            lambda row: clips[train[row]],
            labels[test],
            labels[train],
            test_names=store.names[test].tolist(),
            train_names=store.names[train].tolist(),
        ),
        bones=store.layout.bones,
        up=store.layout.dims == 3,
        settings=dump_recipe(recipe),
        versions=run.facts["versions"],
    )
    return write_report(run.path / "report.html", content)


def _key(result: dict[str, Any]) -> tuple[Any, ...]:
    settings = result["settings"]
    return (
        result["protocol"],
        result["split"],
        result["stream"],
        tuple(result["runs"]),
        settings.get("k"),
        tuple(settings.get("weights", ())),
    )


def _rows(result: dict[str, Any]) -> list[ResultRow]:
    copies = result["test_clips_that_are_copies"]
    protocol = f"{_TITLES[result['protocol']].format(**result['settings'])}, {result['split']}"
    if "+" in result["stream"] or result["stream"] != "joint":
        protocol += f", {result['stream']}"
    if len(set(result["settings"].get("weights", ()))) > 1:
        protocol += " weighted " + ", ".join(f"{weight:g}" for weight in result["settings"]["weights"])
    scores = {result["recipe"]: result, **result["baselines"]}
    return [
        ResultRow(
            method=name,
            protocol=protocol,
            accuracy=score["accuracy"],
            distinct=score.get("accuracy_without_copies"),
            clips=result["test_clips"],
            distinct_clips=result["test_clips"] - copies if copies else None,
            baseline=name in result["baselines"],
        )
        for name, score in scores.items()
    ]
