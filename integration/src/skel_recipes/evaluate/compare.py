"""Comparison of runs: those that differ in their seed only are one method."""

from collections.abc import Sequence
from pathlib import Path

from skel_eval import Comparison, compare, write_comparison
from skel_recipes.evaluate.grouping import group_by_seed
from skel_recipes.run.run import Run


def compare_runs(runs: Sequence[Run], *, resamples: int = 10_000, seed: int = 0) -> Comparison:
    """Compare runs with the first of them, cell by cell of their results.

    Args:
        runs: Evaluated runs.
        resamples: Resamples of the bootstrap.
        seed: Its seed.

    Raises:
        ValueError: If there is no run, no run was evaluated, or two have the same settings and seed.
    """
    methods = [group.method() for group in group_by_seed(runs)]
    if not any(results for method in methods for results in method.results.values()):
        paths = ", ".join(str(run.path) for run in runs)
        raise ValueError(f"no run was evaluated ({paths}): run skel eval first")
    return compare(methods, resamples=resamples, seed=seed)


def comparison_page(path: Path, comparison: Comparison, runs: Sequence[Run]) -> Path:
    """Write the comparison as a page; classes have names where a run's store of the set is in its place."""
    datasets = dict.fromkeys(run.info["store"]["dataset"] for run in runs)
    stores = [store for run in reversed(runs) if (store := run.store()) is not None]
    classes = {store.dataset: store.classes for store in stores}
    return write_comparison(path, comparison, title=" and ".join(datasets), class_names=classes)
