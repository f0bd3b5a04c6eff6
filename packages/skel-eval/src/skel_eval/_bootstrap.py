"""Bootstrap: how far could an accuracy, or the difference of two, be due to the test clips at hand."""

from collections.abc import Sequence

import numpy as np
from attrs import define

from skel_eval._arrays import Array, Groups, as_groups, as_tensor
from skel_eval._blocks import NUMBERS


@define(frozen=True)
class BootstrapInterval:
    """What `bootstrap` found.

    Attributes:
        accuracy: Mean over clips and seeds.
        low: Lower end of its percentile interval.
        high: Upper end.
    """

    accuracy: float
    low: float
    high: float


@define(frozen=True)
class BootstrapDifference:
    """What `paired_bootstrap` found.

    Attributes:
        difference: Accuracy of the first method minus that of the second.
        low: Lower end of its percentile interval.
        high: Upper end.
        p_value: Two-sided: twice the smaller share of resamples on one side of 0, 0 included, the observed
            difference counted as one more resample, at most 1.
    """

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap(
    correct: Array,
    *,
    groups: Groups | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> BootstrapInterval:
    """Percentile interval of an accuracy (Efron 1979), for other test clips (or groups) and other seeds.

    The arguments are those of `paired_bootstrap`.

    Raises:
        TypeError: If `correct` is not an array.
        ValueError: As in `paired_bootstrap`.
    """
    hits = _hits(correct, "correct")
    (rates,) = _resampled([hits], groups, resamples, seed, level)
    low, high = _interval(rates, level)
    return BootstrapInterval(float(hits.mean()), low, high)


def paired_bootstrap(
    correct_a: Array,
    correct_b: Array,
    *,
    groups: Groups | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> BootstrapDifference:
    """Percentile interval and p-value of the difference of two accuracies on the same test clips.

    Each resample draws clips with replacement, the same for both methods. With several seeds of a method it
    draws seeds with replacement, too, for each method on its own, so that the interval covers other
    trainings; with one seed per method it says nothing of them. Few seeds or few groups, say below ten, make
    every bootstrap interval too narrow.

    Args:
        correct_a: Whether each test clip was predicted right, 0 or 1 or boolean, (N,) or (seeds, N).
        correct_b: The same of the second method, the clips in the same order; seeds may be more or fewer.
        groups: Group of each clip, (N,), for instance its subject: groups are drawn as wholes, because clips
            of one person resemble each other. None draws clips.
        resamples: Number of resamples.
        seed: Seed of the draws.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        TypeError: If an argument is not an array.
        ValueError: If shapes do not match, a value is neither 0 nor 1, there is only one clip or group, or
            `resamples` or `level` is out of range.
    """
    first, second = _hits(correct_a, "correct_a"), _hits(correct_b, "correct_b")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"correct_a and correct_b must tell of the same clips, got {first.shape[1]} and {second.shape[1]}"
        )
    rates_a, rates_b = _resampled([first, second], groups, resamples, seed, level)
    differences = rates_a - rates_b
    low, high = _interval(differences, level)
    side = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return BootstrapDifference(
        difference=float(first.mean() - second.mean()),
        low=low,
        high=high,
        p_value=min(1.0, 2 * (side + 1) / (resamples + 1)),
    )


def _hits(correct: Array, name: str) -> np.ndarray:
    """(seeds, N) in float64."""
    values = np.atleast_2d(as_tensor(correct, name).cpu().numpy())
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"{name} must have shape (N,) or (seeds, N), got {values.shape}")
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must hold 0 and 1 only")
    return values.astype(np.float64)


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _resampled(
    methods: Sequence[np.ndarray], groups: Groups | None, resamples: int, seed: int, level: float
) -> list[np.ndarray]:
    """Accuracy of each method, (seeds, N), in each resample, (resamples,).

    A unit, clip or group, enters through its number of clips and its hits per seed alone. Units in which
    these agree are of one kind, and drawing units comes to drawing how often each kind occurs: for clips of
    two methods of one seed there are four kinds, however many clips there are.
    """
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(
            f"resamples must be at least 1 and level between 0 and 1, got {resamples} and {level}"
        )
    clips = methods[0].shape[1]
    units = np.concatenate([np.ones((1, clips)), *methods])
    group = as_groups(groups, clips)
    if group is not None:
        units = np.stack([np.bincount(group.numpy(), weights=row) for row in units])
    count = units.shape[1]
    if count < 2:
        raise ValueError("a bootstrap needs at least two clips or groups to draw from, got one")
    kinds, often = np.unique(units, axis=1, return_counts=True)
    rng = np.random.default_rng(seed)
    step = max(1, NUMBERS // (8 * kinds.shape[1]))
    rates: list[list[np.ndarray]] = [[] for _ in methods]
    for start in range(0, resamples, step):
        draws = min(step, resamples - start)
        sums = rng.multinomial(count, often / count, draws) @ kinds.T  # (draws, 1 + seeds of all methods)
        column = 1
        for found, seeds in zip(rates, map(len, methods), strict=True):
            weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws)
            hits = (sums[:, column : column + seeds] * weights).sum(1)
            found.append(hits / (seeds * sums[:, 0]))
            column += seeds
    return [np.concatenate(found) for found in rates]
