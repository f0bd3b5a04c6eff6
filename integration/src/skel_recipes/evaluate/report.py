"""The report of a run: what skel-eval draws, fed from the run's folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skel_eval import (
    ConfusedPair,
    Report,
    ResultRow,
    calibration,
    confused_pairs,
    knn,
    retrieval,
    retrieval_gallery,
    write_report,
)
from skel_recipes.config.recipe import dump_recipe
from skel_recipes.evaluate.result import Evaluation
from skel_recipes.run.run import Run
from skel_recipes.run.clips import seen_clips

_TITLES = {
    "linear": "linear probe",
    "mlp": "probe with a hidden layer",
    "knn": "{k}-NN",
    "retrieval": "retrieval, recall at {ks[0]}",
    "few-shot": "{ways}-way {shots}-shot",
    "clustering": "clustering, normalised mutual information",
    "finetune": "fine-tuned",
    "semi": "fine-tuned with {percent} % of the labels",
    "transfer": "transferred and fine-tuned",
    "robustness": "linear probe on faulty recordings",
}


def report(run: Run, evaluation: Evaluation) -> Path:
    """Write ``report.html`` in the run's folder.

    The table shows every evaluation of the run so far on this data set; confusion, embedding and
    retrieval are of the one given.
    """
    store, split, features = evaluation.store, evaluation.split, evaluation.features
    labels, train, test = store.labels, split.train, split.test
    clips = seen_clips(run, store)
    results = [evaluation.result]
    for file in sorted((run.path / "eval").glob("*.json")):
        other = json.loads(file.read_text(encoding="utf-8"))
        if other["dataset"] == store.dataset and other != evaluation.result:
            results.append(other)
    recipe, predictions = run.recipe, evaluation.predictions
    confused: Sequence[ConfusedPair] = ()
    if predictions is not None:
        confused = confused_pairs(
            labels[test],
            predictions,
            features[test],
            lambda row: clips[test[row]],
            names=store.names[test].tolist(),
        )
    content = Report(
        title=f"{recipe.name} on {store.dataset}",
        subtitle=(
            f"{recipe.summary}. Pretrained on {run.facts['train_clips']} clips without labels; "
            f"{evaluation.result['epochs']} epochs, seed {recipe.train.seed}; last epoch."
        ),
        results=[row for result in results for row in _rows(result)],
        metrics=run.metrics(),
        class_names=store.classes,
        labels=labels[test],
        predictions=predictions,
        calibration=None if evaluation.logits is None else calibration(evaluation.logits, labels[test]),
        features=features[test],
        names=store.names[test].tolist(),
        clip=lambda row: clips[test[row]],
        confused=confused,
        gallery=retrieval_gallery(
            knn(features[train], labels[train], features[test], k=min(3, len(train))),
            lambda row: clips[test[row]],
            lambda row: clips[train[row]],
            labels[test],
            labels[train],
            test_names=store.names[test].tolist(),
            train_names=store.names[train].tolist(),
        ),
        retrieval=retrieval(
            features[train],
            labels[train],
            features[test],
            labels[test],
            ks=[k for k in (1, 5, 10) if k <= len(train)],
        )
        if np.isin(labels[test], labels[train]).any()
        else None,
        bones=store.layout.bones,
        up=store.layout.dims == 3,
        settings=dump_recipe(recipe),
        versions=run.facts["versions"],
    )
    return write_report(run.path / "report.html", content)


def _rows(result: dict[str, Any]) -> list[ResultRow]:
    copies, settings, main = result["test_clips_that_are_copies"], result["settings"], result["headline"]
    facts = {**settings, "percent": f"{100 * settings.get('fraction', 1):g}"}
    told = [_TITLES[result["protocol"]].format(**facts), result.get("tag", ""), result["split"]]
    if result["protocol"] == "semi" and not settings["balanced"]:
        told.insert(1, "drawn uniformly")
    protocol = ", ".join(filter(None, told))
    if "+" in result["stream"] or result["stream"] != "joint":
        protocol += f", {result['stream']}"
    if len(set(settings.get("weights", ()))) > 1:
        protocol += " weighted " + ", ".join(f"{weight:g}" for weight in settings["weights"])
    return [
        ResultRow(
            method=name,
            protocol=protocol,
            accuracy=score[main],
            distinct=score.get(f"{main}_without_copies"),
            clips=result["test_clips"],
            distinct_clips=result["test_clips"] - copies if copies else None,
            baseline=name in result["baselines"],
        )
        for name, score in {result["recipe"]: result, **result["baselines"]}.items()
        if main in score
    ]
