"""Comparison of methods: differences of their mean accuracies, with paired bootstrap intervals."""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
from attrs import define

from skel_eval._result import UNTRAINED, Result
from skel_eval.comparison.bootstrap import BootstrapInterval, paired_bootstrap
from skel_eval.comparison.methods import Method, cells, over_seeds
from skel_eval.comparison.table import spread

Runs = Mapping[int, Result]
"""Results of a method by seed."""
Shared = tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray | None]

FEW_GROUPS = 10
"""With fewer groups in the test part they cannot stand for others; clips are drawn instead."""


@define(frozen=True)
class Difference:
    """A method minus the first one, in one cell.

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


@define(frozen=True, eq=False)
class Comparison:
    """What `compare` found.

    Attributes:
        methods: The methods; the first is what the others are compared with.
        results: By title, such as "linear, utd-mhad xsub": for each method its results by seed, maybe none.
        differences: By title and place of the method.
        level: Coverage of the intervals.
    """

    methods: Sequence[Method]
    results: Mapping[str, Sequence[Runs]]
    differences: Mapping[tuple[str, int], Difference]
    level: float


def compare(
    methods: Sequence[Method], *, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> Comparison:
    """Compare methods with the first of them.

    Results are compared cell by cell: data set, split, protocol and stream; results with other settings or on
    other recordings are cells of their own, and so are those on the test clips that are no copies. Intervals
    are those of `paired_bootstrap`: over test clips, or over their groups if there are at least `FEW_GROUPS`;
    and over seeds where there are several.

    Args:
        methods: The methods.
        resamples: Resamples of the bootstrap.
        seed: Its seed.
        level: Coverage of the intervals.

    Raises:
        ValueError: If there is no method, or one without runs.
    """
    if not methods or not all(method.results for method in methods):
        raise ValueError("expected one method or more, each with one run or more")
    results: dict[str, list[dict[int, Result]]] = {}
    for (dataset, split, protocol, stream), of_methods in cells(methods).items():
        for place, runs in enumerate(of_methods):
            own = stream == methods[place].stream
            title = f"{protocol}, {dataset} {split}" + ("" if own else f", {stream}")
            for run, one in runs.items():
                for name, result in ((title, one), (f"{title}, without copies", one.distinct())):
                    if result is not None:
                        results.setdefault(name, [{} for _ in methods])[place][run] = result
    differences = {}
    for title, (first, *others) in results.items():
        base = over_seeds(first.values())
        for place, other in enumerate(others, 1):
            mean = over_seeds(other.values())
            if base is not None and mean is not None:
                differences[title, place] = _difference(
                    mean.mean - base.mean, shared_hits(other, first), resamples, seed, level
                )
    return Comparison(methods, results, differences, level)


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


def differing_settings(methods: Sequence[Method]) -> dict[str, tuple[str, ...]]:
    """Settings that are not the same in all methods, by name; empty text where a method has none."""
    keys = dict.fromkeys(key for method in methods for key in method.settings)
    values = {key: tuple(method.settings.get(key, "") for method in methods) for key in keys}
    return {key: of for key, of in values.items() if len(set(of)) > 1}


def comparison_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Rows of a table of text, the head first; accuracies in percent."""
    rows: list[tuple[str, ...]] = [
        ("protocol", "method", "seeds", "accuracy", "untrained", "gain", "against the first")
    ]
    for title, of_methods in comparison.results.items():
        for place, (method, runs) in enumerate(zip(comparison.methods, of_methods, strict=True)):
            mean, before = over_seeds(runs.values()), over_seeds(runs.values(), UNTRAINED)
            if mean is not None:
                rows.append(
                    (
                        title,
                        method.name,
                        ", ".join(map(str, runs)),
                        spread(mean),
                        "" if before is None else f"{100 * before.mean:.1f}",
                        "" if before is None else points(mean.mean - before.mean),
                        difference_text(comparison.differences.get((title, place))),
                    )
                )
    return rows


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


def comparison_notes(comparison: Comparison) -> list[str]:
    """What has to be known of the intervals, in sentences."""
    found = [d for d in comparison.differences.values() if d.interval is not None]
    sentences = []
    if found:
        level = f"{100 * comparison.level:g} %"
        drawn = sorted(
            {f"{d.clips} clips" if d.drawn == "clips" else f"groups of {d.clips} clips" for d in found}
        )
        sentences.append(
            f"In brackets the {level} interval of a paired bootstrap against the first method, over "
            f"{' and '.join(drawn)} of the test part, and over seeds and repeats where there are several."
        )
        if any(d.drawn == "clips" for d in found):
            sentences.append(
                f"Where clips are drawn one by one (no groups are known, or fewer than {FEW_GROUPS}), the "
                "interval tells nothing of other people, and is too narrow for them."
            )
    reasons = dict.fromkeys(d.reason for d in comparison.differences.values() if d.reason)
    sentences += [f"Some differences have no interval: {reason}." for reason in reasons]
    if any(len(method.results) == 1 for method in comparison.methods):
        sentences.append("A method with one seed has no spread: another seed may give another order.")
    return sentences


def _difference(mean: float, shared: Shared | str, resamples: int, seed: int, level: float) -> Difference:
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
