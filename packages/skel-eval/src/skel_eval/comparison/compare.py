"""Comparison of methods: differences of their mean accuracies, with paired bootstrap intervals."""

from collections.abc import Mapping, Sequence

from attrs import define, field

from skel_eval._result import UNTRAINED, Result
from skel_eval._words import counted
from skel_eval.comparison.methods import Method, cells, over_seeds
from skel_eval.comparison.paired import (
    FEW_GROUPS,
    BestSimple,
    Difference,
    Runs,
    best_simple,
    difference_of,
    difference_text,
    points,
    shared_hits,
)
from skel_eval.comparison.table import spread


@define(frozen=True, eq=False)
class Comparison:
    """What `compare` found.

    Attributes:
        methods: The methods; the first is what the others are compared with.
        results: By title, such as "linear, utd-mhad xsub": for each method its results by seed, maybe none.
        differences: By title and place of the method.
        simple: The best simple baseline of each method, by title and place.
        level: Coverage of the intervals.
    """

    methods: Sequence[Method]
    results: Mapping[str, Sequence[Runs]]
    differences: Mapping[tuple[str, int], Difference]
    level: float
    simple: Mapping[tuple[str, int], BestSimple] = field(factory=dict)


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
    for (dataset, split, protocol, stream), of_methods in cells(methods, own_streams=True).items():
        title = f"{protocol}, {dataset} {split}" + (f", {stream}" if stream else "")
        for place, runs in enumerate(of_methods):
            for run, one in runs.items():
                for name, result in ((title, one), (f"{title}, without copies", one.distinct())):
                    if result is not None:
                        results.setdefault(name, [{} for _ in methods])[place][run] = result
    differences, simple = {}, {}
    for title, (first, *others) in results.items():
        base = over_seeds(first.values())
        for place, other in enumerate(others, 1):
            mean = over_seeds(other.values())
            if base is not None and mean is not None:
                differences[title, place] = difference_of(
                    mean.mean - base.mean, shared_hits(other, first), resamples, seed, level
                )
        for place, runs in enumerate(results[title]):
            if (best := best_simple(runs, resamples=resamples, seed=seed, level=level)) is not None:
                simple[title, place] = best
    return Comparison(methods, results, differences, level, simple)


def differing_settings(methods: Sequence[Method]) -> dict[str, tuple[str, ...]]:
    """Settings that are not the same in all methods, by name; empty text where a method has none."""
    keys = dict.fromkeys(key for method in methods for key in method.settings)
    values = {key: tuple(method.settings.get(key, "") for method in methods) for key in keys}
    return {key: of for key, of in values.items() if len(set(of)) > 1}


def comparison_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Rows of a table of text, the head first; accuracies in percent."""
    rows: list[tuple[str, ...]] = [
        (
            *("protocol", "method", "seeds", "accuracy", "untrained", "gain"),
            *("best simple", "against it", "against the first"),
        )
    ]
    for title, of_methods in comparison.results.items():
        for place, (method, runs) in enumerate(zip(comparison.methods, of_methods, strict=True)):
            mean, before = over_seeds(runs.values()), over_seeds(runs.values(), UNTRAINED)
            best = comparison.simple.get((title, place))
            if mean is not None:
                rows.append(
                    (
                        title,
                        method.name,
                        ", ".join(map(str, runs)),
                        spread(mean),
                        "" if before is None else f"{100 * before.mean:.1f}",
                        "" if before is None else points(mean.mean - before.mean),
                        "" if best is None else f"{best.name} {100 * best.value:.1f}",
                        "" if best is None else difference_text(best.difference),
                        difference_text(comparison.differences.get((title, place))),
                    )
                )
    return rows


def comparison_notes(comparison: Comparison) -> list[str]:
    """What has to be known of the intervals, in sentences."""
    against = [*comparison.differences.values(), *(one.difference for one in comparison.simple.values())]
    found = [d for d in against if d.interval is not None]
    sentences = []
    if found:
        level = f"{100 * comparison.level:g} %"
        drawn = sorted(
            {("" if d.drawn == "clips" else "groups of ") + counted(d.clips, "clip") for d in found}
        )
        sentences.append(
            f"In brackets the {level} interval of a paired bootstrap, over "
            f"{' and '.join(drawn)} of the test part, and over seeds and repeats where there are several."
        )
        if any(d.drawn == "clips" for d in found):
            sentences.append(
                f"Where clips are drawn one by one (no groups are known, or fewer than {FEW_GROUPS}), the "
                "interval tells nothing of other people, and is too narrow for them."
            )
    reasons = dict.fromkeys(d.reason for d in against if d.reason)
    sentences += [f"Some differences have no interval: {reason}." for reason in reasons]
    if any(len(method.results) == 1 for method in comparison.methods):
        sentences.append("A method with one seed has no spread: another seed may give another order.")
    return sentences
