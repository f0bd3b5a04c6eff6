"""Runs side by side, for the comparison of skel-eval."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from skel_eval import ComparedRun, Comparison, Contender, Predicted, Score, compare, write_comparison
from skel_recipes._run import Run
from skel_recipes._seeds import Evaluated, Group, evaluations, grouped, told_apart


def compare_runs(runs: Sequence[Run], *, resamples: int = 10_000, seed: int = 0) -> Comparison:
    """Hold runs against the first of them; those that differ in their seed only are one method.

    Args:
        runs: Their evaluations are what is compared, protocol by protocol.
        resamples: Resamples of the bootstrap.
        seed: Its seed.

    Raises:
        ValueError: If there is no run, no run was evaluated, or two have the same settings and seed.
    """
    groups = grouped(runs)
    every = [(run, one) for group in groups for run in group.runs for one in evaluations(run)]
    apart = zip((run for run, _ in every), told_apart([one for _, one in every]), strict=True)
    scores: dict[Path, dict[str, Score]] = {}
    for run, one in apart:
        scores.setdefault(run.path, {}).update(_scores(one, run))
    contenders = [_contender(group, scores) for group in groups]
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
    store = run.store()
    return () if store is None else store.classes


def _contender(group: Group, scores: Mapping[Path, Mapping[str, Score]]) -> Contender:
    runs = [ComparedRun(run.recipe.train.seed, scores.get(run.path, {}), run.metrics()) for run in group.runs]
    return Contender(group.name, runs, group.settings)


def _scores(one: Evaluated, run: Run) -> dict[str, Score]:
    """What an evaluation says, and what it says of the test clips that are no copy of a training clip."""
    title = _title(one, run)
    scores = {title: _score(one)}
    if one.score(without_copies=True) is not None:
        scores[f"{title}, without copies"] = _score(one, without_copies=True)
    return scores


def _title(one: Evaluated, run: Run) -> str:
    """Protocol and data; the stream only if it is not what the run is for, all of its own in equal parts."""
    told = "" if one.stream == run.recipe.data.stream else f", {one.stream}"
    return f"{one.protocol}, {one.result['dataset']} {one.result['split']}{told}"


def _score(one: Evaluated, *, without_copies: bool = False) -> Score:
    file = one.file.with_suffix(".npz")
    found = {name: one.score(name, without_copies=without_copies) for name in one.result["baselines"]}
    accuracy = one.score(without_copies=without_copies)
    return Score(
        float("nan") if accuracy is None else accuracy,
        {name: value for name, value in found.items() if value is not None},
        # those of a protocol with another main number, such as a mean over faults, do not tell it
        _predicted(file, without_copies) if one.result["headline"] == "accuracy" else None,
    )


def _predicted(file: Path, without_copies: bool) -> Predicted | None:
    if not file.exists():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        if without_copies and "copies" not in arrays:
            return None
        clips = arrays["clips"]
        kept = ~np.isin(clips, arrays["copies"]) if without_copies else np.ones(len(clips), dtype=bool)
        groups = arrays.get("groups")
        return Predicted(
            clips[kept],
            arrays["labels"][kept],
            arrays["predictions"][..., kept],
            None if groups is None else groups[kept],
        )
