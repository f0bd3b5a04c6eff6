"""Report of a run: the page that skel-eval draws of its results and features."""

from pathlib import Path

from skel_data import Store
from skel_eval import Result, clip_points, write_report
from skel_recipes.common.words import count
from skel_recipes.config.recipe import dump_recipe
from skel_recipes.evaluate.clip_steps import plane, skeleton_of
from skel_recipes.evaluate.evaluate import results_of
from skel_recipes.evaluate.inputs import EvaluationInputs, encoder_refs
from skel_recipes.evaluate.protocols import PROTOCOLS
from skel_recipes.run.joints import in_joints_of
from skel_recipes.run.run import Run


def report(run: Run, store: Store, result: Result | None = None, *, device: str = "auto") -> Path:
    """Write ``report.html`` in the run's folder.

    The table shows every result of the run on these recordings, those of the leading one's stream first.
    Confusions and mistakes are of the one that leads; embedding and retrieval of its features. Untrimmed
    recordings are drawn as timelines.

    Args:
        run: An evaluated run.
        store: The recordings.
        result: The result that leads; the linear probe if there is one, or the first that classifies.
        device: Where to compute features that are not kept.

    Raises:
        ValueError: If the run was not evaluated on these recordings.
    """
    trimmed = not len(store.all_intervals)
    # predictions of other recordings, also of the same data set, number other clips; version 1 knew no store
    own = ("", in_joints_of(run, store, convert=True).hash)
    results = [one for one in results_of(run) if one.dataset == store.dataset and one.store in own]
    if result is None:
        if not results:
            raise ValueError(f"{run.path} was not evaluated on {store.path}: run skel eval first")
        result = min(
            results,
            key=lambda one: (
                one.protocol != "linear" or bool(one.variant or one.tag or one.features),
                one.stream != run.recipe.data.stream,
                one.predictions is None,
            ),
        )
    results = [result, *_others(results, result)]
    stream = result.stream if result.stream in run.streams else None
    convert = run.info["layout"] != store.layout.to_dict()
    inputs = EvaluationInputs.of(
        encoder_refs([run], stream=stream),
        store,
        split=result.split,
        device=device,
        convert=convert,
        needs_labels=trimmed,
    )
    recipe = run.recipe
    drawn = plane(inputs.store.layout, recipe.data.pipeline)
    return write_report(
        run.path / "report.html",
        results,
        title=f"{recipe.name} on {store.dataset}",
        subtitle=_subtitle(run),
        features=inputs.embed() if trimmed else None,
        points=lambda row: clip_points(inputs.clips[row], **drawn),
        skeleton=skeleton_of(inputs.store.layout),
        training=run.metrics(),
        settings=dump_recipe(recipe),
        versions=run.info["versions"],
    )


def _others(results: list[Result], first: Result) -> list[Result]:
    """Results after the first: those of its stream, then of others; both in the order of the protocols."""
    order = {name: place for place, name in enumerate(PROTOCOLS)}
    return sorted(
        (one for one in results if one != first),
        key=lambda one: (one.stream != first.stream, order.get(one.protocol, len(order))),
    )


def _subtitle(run: Run) -> str:
    if run.is_folder:
        return f"The encoder of {run.path}; how it was trained is not known."
    clips, epochs, seed = run.info["train_clips"], len(run.metrics()), run.recipe.train.seed
    return (
        f"{run.recipe.summary}. Pretrained on {count(clips, 'clip')} without labels; "
        f"{count(epochs, 'epoch')}, seed {seed}; last epoch."
    )
