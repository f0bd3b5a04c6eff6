"""Several methods side by side: means over seeds, and how sure their difference is."""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
from attrs import define, field

from skel_eval._bootstrap import BootstrapDifference, paired_bootstrap
from skel_eval._summary import Summary, summarise
from skel_eval._table import spread

Shared = tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray | None]

FEW_GROUPS = 10
"""With fewer groups in the test part they cannot stand for others; clips are drawn instead."""


@define(frozen=True, eq=False)
class Predicted:
    """What an evaluation said of each test clip.

    Attributes:
        clips: Numbers of the clips, (N,), the same in all runs.
        labels: Their classes, (N,); negative means unlabelled.
        predictions: Predicted classes, (N,); of several trainings (repeats, N).
        groups: Such as the subject of each, (N,), or None.
    """

    clips: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    predictions: np.ndarray = field(repr=False)
    groups: np.ndarray | None = field(default=None, repr=False)


@define(frozen=True, eq=False)
class Score:
    """An evaluation of a run.

    Attributes:
        accuracy: Between 0 and 1.
        baselines: Accuracies by name; that of the encoder before training is "untrained encoder".
        predicted: The test clips, if they were kept.
    """

    accuracy: float
    baselines: Mapping[str, float] = field(factory=dict)
    predicted: Predicted | None = None


@define(frozen=True, eq=False)
class ComparedRun:
    """A run.

    Attributes:
        seed: Its seed.
        scores: Its evaluations by protocol, such as "linear, utd-mhad xsub".
        metrics: Records of its training, as for `Report`.
    """

    seed: int
    scores: Mapping[str, Score]
    metrics: Sequence[Mapping[str, object]] = ()


@define(frozen=True, eq=False)
class Contender:
    """Runs that differ in their seed only.

    Attributes:
        name: What they are.
        runs: At least one.
        settings: Their settings by name, without the seed.
    """

    name: str
    runs: Sequence[ComparedRun]
    settings: Mapping[str, str] = field(factory=dict)

    def scores(self, protocol: str) -> list[Score]:
        """The evaluations by a protocol, of those runs that have one."""
        return [run.scores[protocol] for run in self.runs if protocol in run.scores]

    def accuracy(self, protocol: str) -> Summary | None:
        """Over the seeds."""
        scores = self.scores(protocol)
        return summarise(score.accuracy for score in scores) if scores else None

    def baseline(self, protocol: str, name: str) -> float | None:
        """Mean over the seeds."""
        found = [score.baselines[name] for score in self.scores(protocol) if name in score.baselines]
        return sum(found) / len(found) if found else None


@define(frozen=True)
class Difference:
    """A method minus the first one, by one protocol.

    Attributes:
        mean: Difference of the mean accuracies over the runs: on the clips that both have where there is an
            interval, or else each on its own.
        interval: As from `paired_bootstrap`, on the clips that both have; None if there are none.
        clips: Number of these clips.
        drawn: What the bootstrap drew: "clips", or "groups".
        reason: Why there is no interval.
    """

    mean: float
    interval: BootstrapDifference | None = None
    clips: int = 0
    drawn: str = ""
    reason: str = ""


@define(frozen=True, eq=False)
class Comparison:
    """What `compare` found.

    Attributes:
        contenders: The methods; the first is what the others are held against.
        protocols: All protocols, in the order of their first appearance.
        differences: By protocol and place of the method.
        level: Coverage of the intervals.
    """

    contenders: Sequence[Contender]
    protocols: Sequence[str]
    differences: Mapping[tuple[str, int], Difference]
    level: float


def compare(
    contenders: Sequence[Contender], *, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> Comparison:
    """Hold methods against the first of them.

    Intervals are those of `paired_bootstrap`: over test clips, or over their groups if there are at least
    `FEW_GROUPS`; and over seeds where there are several.

    Args:
        contenders: The methods.
        resamples: Resamples of the bootstrap.
        seed: Its seed.
        level: Coverage of the intervals.

    Raises:
        ValueError: If there is no method, or one without runs.
    """
    if not contenders or not all(contender.runs for contender in contenders):
        raise ValueError("expected one method or more, each with one run or more")
    protocols = list(
        dict.fromkeys(key for contender in contenders for run in contender.runs for key in run.scores)
    )
    first, *others = contenders
    differences = {}
    for protocol in protocols:
        base = first.accuracy(protocol)
        for place, other in enumerate(others, 1):
            mean = other.accuracy(protocol)
            if base is not None and mean is not None:
                differences[protocol, place] = _difference(
                    mean.mean - base.mean, shared_hits(other, first, protocol), resamples, seed, level
                )
    return Comparison(contenders, protocols, differences, level)


def shared_hits(a: Contender, b: Contender, protocol: str) -> Shared | str:
    """Which of the clips that all runs of two methods tested were recognised.

    Args:
        a: A method.
        b: Another.
        protocol: The protocol.

    Returns:
        For each method and each of its runs whether each clip was recognised, (repeats, N), the classes of
        the clips (N,) and their groups (N,) or None; or a sentence that says why not.
    """
    tested = [[score.predicted for score in method.scores(protocol)] for method in (a, b)]
    known = [one for runs in tested for one in runs if one is not None]
    if len(known) < sum(map(len, tested)):
        return "predictions that give the main number were not kept, or the protocol has none"
    clips = reduce(np.intersect1d, [one.clips[one.labels >= 0] for one in known])
    if len(clips) < 2:
        return "the runs share fewer than two test clips"
    rows = [_rows_of(one.clips, clips) for one in known]
    labels = known[0].labels[rows[0]]
    if any((one.labels[row] != labels).any() for one, row in zip(known, rows, strict=True)):
        return "the classes of the test clips differ between the runs"
    hits = [np.atleast_2d(one.predictions)[:, row] == labels for one, row in zip(known, rows, strict=True)]
    groups = known[0].groups
    return hits[: len(tested[0])], hits[len(tested[0]) :], labels, None if groups is None else groups[rows[0]]


def differing_settings(contenders: Sequence[Contender]) -> dict[str, tuple[str, ...]]:
    """Settings that are not the same in all methods, by name; empty text where a method has none."""
    keys = dict.fromkeys(key for contender in contenders for key in contender.settings)
    values = {key: tuple(contender.settings.get(key, "") for contender in contenders) for key in keys}
    return {key: of for key, of in values.items() if len(set(of)) > 1}


def comparison_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Rows of a table of text, the head first; accuracies in percent."""
    head = ("protocol", "method", "seeds", "accuracy", "untrained", "gain", "against the first")
    rows: list[tuple[str, ...]] = [head]
    for protocol in comparison.protocols:
        for place, contender in enumerate(comparison.contenders):
            mean = contender.accuracy(protocol)
            if mean is None:
                continue
            before = contender.baseline(protocol, "untrained encoder")
            rows.append(
                (
                    protocol,
                    contender.name,
                    ", ".join(str(run.seed) for run in contender.runs if protocol in run.scores),
                    spread(mean),
                    "" if before is None else f"{100 * before:.1f}",
                    "" if before is None else points(mean.mean - before),
                    difference_text(comparison.differences.get((protocol, place))),
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
    if any(len(contender.runs) == 1 for contender in comparison.contenders):
        sentences.append("A method with one seed has no spread: another seed may give another order.")
    return sentences


def _difference(mean: float, shared: Shared | str, resamples: int, seed: int, level: float) -> Difference:
    if isinstance(shared, str):
        return Difference(mean, reason=shared)
    a, b, labels, groups = shared
    if groups is not None and len(np.unique(groups)) < FEW_GROUPS:
        groups = None
    interval = paired_bootstrap(a, b, groups=groups, resamples=resamples, seed=seed, level=level)
    return Difference(interval.difference, interval, len(labels), "clips" if groups is None else "groups")


def _rows_of(clips: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows at which the wanted clips stand."""
    order = np.argsort(clips, kind="stable")
    rows: np.ndarray = order[np.searchsorted(clips, wanted, sorter=order)]
    return rows
