"""The report of a run: what skel-eval draws, fed from the run's folder."""

import json
from pathlib import Path

from attrs import evolve

from skel_eval import FeatureSet, Predictions, Result, clip_points, write_report
from skel_recipes._clip_steps import plane, skeleton_of
from skel_recipes._recipe import dump_recipe
from skel_recipes._result import Evaluation
from skel_recipes._run import Run
from skel_recipes._seen import seen_clips


def report(run: Run, evaluation: Evaluation) -> Path:
    """Write ``report.html`` in the run's folder.

    The table shows every evaluation of the run so far on this data set; confusion, embedding and
    retrieval are of the one given.
    """
    store, split, recipe = evaluation.store, evaluation.split, run.recipe
    clips = seen_clips(run, store)
    first = Result.from_dict(evaluation.result)
    if evaluation.predictions is not None:
        found = Predictions(
            split.test, store.labels[split.test], evaluation.predictions, logits=evaluation.logits
        )
        first = evolve(first, predictions=found)
    others = [json.loads(file.read_text("utf-8")) for file in sorted((run.path / "eval").glob("*.json"))]
    drawn = plane(store.layout, recipe.data.pipeline)
    return write_report(
        run.path / "report.html",
        [first]
        + [
            Result.from_dict(other)
            for other in others
            if other["dataset"] == store.dataset and other != evaluation.result
        ],
        title=f"{recipe.name} on {store.dataset}",
        subtitle=(
            f"{recipe.summary}. Pretrained on {run.facts['train_clips']} clips without labels; "
            f"{evaluation.result['epochs']} epochs, seed {recipe.train.seed}; last epoch."
        ),
        features=FeatureSet(
            evaluation.features,
            store.labels,
            split.train,
            split.test,
            names=store.names,
            class_names=store.classes,
        ),
        points=lambda row: clip_points(clips[row], **drawn),
        skeleton=skeleton_of(store.layout),
        training=run.metrics(),
        settings=dump_recipe(recipe),
        versions=run.facts["versions"],
    )
