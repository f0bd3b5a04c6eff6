"""Runs side by side, for the comparison of skel-eval."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skel_data import Store
from skel_eval import ComparedRun, Comparison, Contender, Predicted, Score, compare, write_comparison
from skel_recipes._run import Run
from skel_recipes._seeds import Evaluated, Group, evaluations, grouped


def compare_runs(runs: Sequence[Run], *, resamples: int = 10_000, seed: int = 0) -> Comparison:
    """Hold runs against the first of them; those that differ in their seed only are one method.

    Args:
        runs: Their evaluations are what is compared, protocol by protocol.
        resamples: Resamples of the bootstrap.
        seed: Its seed.

    Raises:
        ValueError: If there is no run, no run was evaluated, or two have the same settings and seed.
    """
    contenders = [_contender(group) for group in grouped(runs)]
    if not any(run.scores for contender in contenders for run in contender.runs):
        told = ", ".join(str(run.path) for run in runs)
        raise ValueError(f"no run was evaluated ({told}): run skel eval first")
    return compare(contenders, resamples=resamples, seed=seed)


def comparison_page(path: Path, comparison: Comparison, runs: Sequence[Run]) -> Path:
    """Write the comparison as a page; classes have names if the store of the first run is in its place."""
    return write_comparison(
        path, comparison, title=" and ".join(dict.fromkeys(_datasets(runs))), class_names=_classes(runs[0])
    )


def _datasets(runs: Sequence[Run]) -> list[str]:
    return [run.facts["store"]["dataset"] for run in runs]


def _classes(run: Run) -> Sequence[str]:
    try:
        store = Store.open(run.facts["store"]["path"])
    except (OSError, ValueError):
        return ()
    return store.classes if store.hash == run.facts["store"]["hash"] else ()


def _contender(group: Group) -> Contender:
    return Contender(
        group.name,
        [
            ComparedRun(
                run.recipe.train.seed,
                {_title(one, run): _score(one) for one in evaluations(run)},
                run.metrics(),
            )
            for run in group.runs
        ],
        group.settings,
    )


def _title(one: Evaluated, run: Run) -> str:
    """Protocol and data; the stream only if it is not what the run is for, all of its own in equal parts."""
    told = "" if one.stream == run.recipe.data.stream else f", {one.stream}"
    return f"{one.protocol}, {one.result['dataset']} {one.result['split']}{told}"


def _score(one: Evaluated) -> Score:
    found = {name: one.score(name) for name in one.result["baselines"]}
    accuracy = one.score()
    return Score(
        float("nan") if accuracy is None else accuracy,
        {name: value for name, value in found.items() if value is not None},
        # those of a protocol with another main number, such as a mean over faults, do not tell it
        _predicted(one.file.with_suffix(".npz")) if one.result["headline"] == "accuracy" else None,
    )


def _predicted(file: Path) -> Predicted | None:
    if not file.exists():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        return Predicted(
            arrays["clips"],
            arrays["labels"],
            arrays["predictions"],
            arrays.get("groups"),
        )
