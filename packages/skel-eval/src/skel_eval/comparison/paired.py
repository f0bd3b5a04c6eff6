"""Paired differences: between methods, and from the best simple baseline."""

from collections.abc import Mapping
from functools import reduce

import numpy as np
from attrs import define

from skel_eval._result import HANDMADE, Result
from skel_eval.comparison.bootstrap import BootstrapInterval, paired_bootstrap

Runs = Mapping[int, Result]
"""Results of a method by seed."""
Shared = tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray | None]

FEW_GROUPS = 10
"""With fewer groups in the test part they cannot stand for others; clips are drawn instead."""


@define(frozen=True)
class Difference:
    """A method minus another one, or a baseline, in one cell.

    Attributes:
        mean: Difference of the mean accuracies over the runs: on the clips that both have where there is an
            interval, or else each on its own.
        interval: As from `paired_bootstrap`, on the clips that both have; None if there are none.
        clips: Number of these clips.
        drawn: What the bootstrap drew: "clips", or "groups".
        reason: Why there is no interval.
    """

    mean: float
    interval: BootstrapInterval | None = None
    clips: int = 0
    drawn: str = ""
    reason: str = ""


@define(frozen=True)
class BestSimple:
    """The best simple baseline of a method in one cell: of those on hand-made features, under the same head.

    Attributes:
        name: Its name, one of `HANDMADE`.
        value: Its main metric, mean over the seeds.
        difference: The method minus the baseline.
    """

    name: str
    value: float
    difference: Difference


def best_simple(
    runs: Runs, *, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> BestSimple | None:
    """The best simple baseline of results of one question, with the paired difference to it.

    Args:
        runs: Results of a method by seed, all in one cell.
        resamples: Resamples of the paired bootstrap.
        seed: Its seed.
        level: Coverage of its interval.

    Returns:
        The baseline; None if no baseline on hand-made features was measured in all runs, as in results of
        versions without them.
    """
    found: dict[str, dict[int, Result]] = {}
    for name in HANDMADE:
        of_runs = {run: one for run, result in runs.items() if (one := result.baseline(name)) is not None}
        if len(of_runs) == len(runs) > 0 and all(one.main == runs[run].main for run, one in of_runs.items()):
            found[name] = of_runs
    if not found:
        return None
    means = {name: _mean(of_runs) for name, of_runs in found.items()}
    name = max(means, key=means.__getitem__)
    shared = shared_hits(runs, found[name])
    difference = difference_of(_mean(runs) - means[name], shared, resamples, seed, level)
    return BestSimple(name, means[name], difference)


def best_simple_sentence(model: str, best: BestSimple) -> str:
    """What a result comes to beside its best simple baseline, in a sentence."""
    interval = best.difference.interval
    p_value = "" if interval is None else f", p = {interval.p_value:.2g}"
    return (
        f"best simple baseline: {best.name} {100 * best.value:.1f} %; "
        f"{model} {difference_text(best.difference)} points{p_value}"
    )


def shared_hits(a: Runs, b: Runs) -> Shared | str:
    """Which of the clips that all runs of two methods tested were recognised.

    Returns:
        For each method and each of its runs whether each clip was recognised, (repeats, N), the classes of
        the clips (N,) and their groups (N,) or None; or a sentence that says why not.
    """
    results = [*a.values(), *b.values()]
    # those of a protocol with another main metric, such as a mean over corruptions, do not give it
    known = [one.predictions for one in results if one.main == "accuracy" and one.predictions is not None]
    if len(known) < len(results):
        return "predictions that give the main number were not kept, or the protocol has none"
    clips = reduce(np.intersect1d, [one.clips[one.labels >= 0] for one in known])
    if len(clips) < 2:
        return "the runs share fewer than two test clips"
    rows = [_rows_of(one.clips, clips) for one in known]
    labels = known[0].labels[rows[0]]
    if any((one.labels[row] != labels).any() for one, row in zip(known, rows, strict=True)):
        return "the classes of the test clips differ between the runs"
    hits = [np.atleast_2d(one.classes)[:, row] == labels for one, row in zip(known, rows, strict=True)]
    groups = known[0].groups
    return hits[: len(a)], hits[len(a) :], labels, None if groups is None else groups[rows[0]]


def points(value: float) -> str:
    """A difference in points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def difference_text(difference: Difference | None) -> str:
    """A difference with its interval, such as +1.2 [−0.3, +2.8]."""
    if difference is None:
        return ""
    if difference.interval is None:
        return points(difference.mean)
    return (
        f"{points(difference.mean)} [{points(difference.interval.low)}, {points(difference.interval.high)}]"
    )


def difference_of(mean: float, shared: Shared | str, resamples: int, seed: int, level: float) -> Difference:
    """A difference of means, with its interval where clips are shared as `shared_hits` says."""
    if isinstance(shared, str):
        return Difference(mean, reason=shared)
    a, b, labels, groups = shared
    if groups is not None and len(np.unique(groups)) < FEW_GROUPS:
        groups = None
    interval = paired_bootstrap(a, b, groups=groups, resamples=resamples, seed=seed, level=level)
    return Difference(interval.value, interval, len(labels), "clips" if groups is None else "groups")


def _rows_of(clips: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows at which the wanted clips stand."""
    order = np.argsort(clips, kind="stable")
    rows: np.ndarray = order[np.searchsorted(clips, wanted, sorter=order)]
    return rows


def _mean(runs: Runs) -> float:
    return float(np.mean([one.metric.value for one in runs.values()]))
