"""Methods: results of runs that differ in their seed only, and their means over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from attrs import define, evolve, field

from skel_eval._result import Result
from skel_eval.comparison.paired import BestSimple, best_simple

_CHOSEN = ("regularisation", "kernel_gamma", "seed", "strength", "stacking_gamma")
_CHOSEN_OF_DETECTION = ("labels", "detections", "held_out")
_BY_CONTENT = ("texts",)  # a path: the digest of the file is a setting, too
_NO_CONDITIONS = (*_CHOSEN, *_CHOSEN_OF_DETECTION, *_BY_CONTENT)


@define(frozen=True)
class Summary:
    """Mean and standard deviation of repeated runs.

    Attributes:
        mean: Arithmetic mean.
        std: Sample standard deviation (n - 1 in the denominator); NaN for a single run.
        n: Number of runs.
    """

    mean: float
    std: float
    n: int

    def __str__(self) -> str:
        return (
            f"{self.mean:.4g} ± {self.std:.2g} (n = {self.n})" if self.n > 1 else f"{self.mean:.4g} (n = 1)"
        )


def summarise(values: Iterable[float]) -> Summary:
    """Mean, sample standard deviation and number of `values`, for instance accuracies of several seeds.

    Raises:
        ValueError: If there are no values.
    """
    numbers = np.array(list(values), dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ValueError(f"values must be at least one number, got shape {numbers.shape}")
    std = float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")
    return Summary(float(numbers.mean()), std, len(numbers))


@define(frozen=True, eq=False)
class Method:
    """Runs that differ in their seed only.

    Attributes:
        name: What they are.
        results: Results of each run, by its seed.
        curves: Records of the training of each run, by its seed.
        settings: Their settings by name, without the seed.
        stream: The stream that the method is for: results by it are compared with those that other methods
            have by theirs.
    """

    name: str
    results: Mapping[int, Sequence[Result]]
    curves: Mapping[int, Sequence[Mapping[str, object]]] = field(factory=dict)
    settings: Mapping[str, str] = field(factory=dict)
    stream: str = "joint"


class Cell(NamedTuple):
    """A question that results of several methods and seeds answer.

    Attributes:
        dataset: Name of the data set.
        split: Name of the split.
        protocol: Title of the protocol, with the main metric if that is not accuracy, and what
            distinguishes it from results with other settings or on other recordings.
        stream: Title of the stream.
    """

    dataset: str
    split: str
    protocol: str
    stream: str


@define(frozen=True)
class Row:
    """A method in a cell: means over its seeds.

    Attributes:
        method: Name of the method.
        dataset: Name of the data set.
        split: Name of the split.
        protocol: Such as "linear" or "1-NN".
        stream: Such as "joint".
        result: The main metric; None where nothing was run.
        distinct: The same on the test clips that are no copy of a training clip.
        baselines: The main metric of each baseline.
        distinct_baselines: The same on the test clips that are no copy.
        simple: The best simple baseline, with the paired difference to it.
        distinct_simple: The same on the test clips that are no copy.
        seeds: Seeds of the runs.
        counts: Numbers of clips, as in `Result`.
        seconds: How long the evaluation took with its baselines, mean.
        variant: Protocol without tag and settings, such as "1-NN": what published numbers are looked up by.
            With positives of other recordings it says so, and no published number is its like.
        streams: The streams, without the weights of their fusion.
        published: What others report, each in percent with its source.
        command: What would fill the cell.
    """

    method: str
    dataset: str
    split: str
    protocol: str
    stream: str
    result: Summary | None = None
    distinct: Summary | None = None
    baselines: Mapping[str, Summary] = field(factory=dict)
    distinct_baselines: Mapping[str, Summary] = field(factory=dict)
    simple: BestSimple | None = None
    distinct_simple: BestSimple | None = None
    seeds: tuple[int, ...] = ()
    counts: Mapping[str, int | None] = field(factory=dict)
    seconds: float | None = None
    variant: str = ""
    streams: str = ""
    published: Sequence[tuple[float, str]] = ()
    command: str = ""


def summarise_methods(methods: Sequence[Method]) -> list[Row]:
    """A row for each cell of each method; seeds without a result do not count in it."""
    rows = []
    found = cells(methods)
    for place, method in enumerate(methods):
        for cell, of_methods in found.items():
            if results := of_methods[place]:
                rows.append(_row(method.name, cell, results))
    return rows


def cells(methods: Sequence[Method], *, own_streams: bool = False) -> dict[Cell, list[dict[int, Result]]]:
    """Results of each cell: for each method those of its runs, by seed.

    Args:
        methods: The methods.
        own_streams: Whether the stream that each method is for counts as one and the same; its name is empty
            then.

    Raises:
        ValueError: If a run has two results of one cell with different numbers.
    """
    every = [
        (place, seed, result)
        for place, method in enumerate(methods)
        for seed, results in method.results.items()
        for result in results
    ]
    streams = [
        "" if own_streams and result.stream_title == methods[place].stream else result.stream_title
        for place, _, result in every
    ]
    found: dict[Cell, list[dict[int, Result]]] = {}
    for (place, seed, result), cell in zip(every, _cells([one for *_, one in every], streams), strict=True):
        runs = found.setdefault(cell, [{} for _ in methods])[place]
        if seed in runs and runs[seed].metrics != result.metrics:
            raise ValueError(
                f"{methods[place].name}, seed {seed}, has two results of {', '.join(filter(None, cell))}, "
                "with different numbers: evaluate one of them again with a tag, or remove its file"
            )
        runs[seed] = result
    return found


def over_seeds(results: Iterable[Result], baseline: str | None = None) -> Summary | None:
    """The main metric of the results, or that of a baseline; None where there is none."""
    found = [one if baseline is None else one.baseline(baseline) for one in results]
    values = [one.metric.value for one in found if one is not None]
    return summarise(values) if values else None


def _cells(results: Sequence[Result], streams: Sequence[str]) -> list[Cell]:
    """The cell of each result; where settings or stores within one cell differ, its protocol says so.

    What a protocol chose on training clips, and its seed, may differ.
    """
    plain = []
    for one, stream in zip(results, streams, strict=True):
        dataset, split, protocol, _ = one.cell
        metric = "" if one.main == "accuracy" else f", {one.main}"
        plain.append(Cell(dataset, split, protocol + metric, stream))
    told = list(plain)
    for cell in set(plain):
        places = [place for place, other in enumerate(plain) if other == cell]
        conditions = [_conditions(results[place]) for place in places]
        for name in dict.fromkeys(name for of in conditions for name in of):
            values = {str(of[name]) for of in conditions if name in of}
            for place, of in zip(places, conditions, strict=True):
                if name in of and len(values) > 1:
                    told[place] = told[place]._replace(protocol=f"{told[place].protocol}, {name} {of[name]}")
    return told


def _conditions(result: Result) -> dict[str, Any]:
    settings = {name: value for name, value in result.settings.items() if name not in _NO_CONDITIONS}
    streams = result.stream.count("+") + 1
    for name, value in settings.items():
        # of a late fusion: one for each stream
        if streams > 1 and isinstance(value, list) and value == value[:1] * streams:
            settings[name] = value[0]
    return settings | ({"store": result.store[:8]} if result.store else {})


def _row(method: str, cell: Cell, results: Mapping[int, Result]) -> Row:
    every = list(results.values())
    of_distinct = {seed: found for seed, one in results.items() if (found := one.distinct()) is not None}
    distinct = list(of_distinct.values())
    lasted = [one.seconds for one in every if one.seconds is not None]
    return Row(
        method,
        *cell,
        result=over_seeds(every),
        distinct=over_seeds(distinct),
        baselines=_baselines(every),
        distinct_baselines=_baselines(distinct),
        simple=best_simple(results),
        distinct_simple=best_simple(of_distinct),
        seeds=tuple(results),
        counts=every[0].counts,
        seconds=sum(lasted) / len(lasted) if lasted else None,
        variant=evolve(every[0], tag="").title,
        streams=every[0].stream,
    )


def _baselines(results: Sequence[Result]) -> dict[str, Summary]:
    names = dict.fromkeys(one.model for result in results for one in result.baselines)
    found = {name: over_seeds(results, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}
