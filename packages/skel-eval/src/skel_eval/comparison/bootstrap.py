"""Bootstrap intervals of an accuracy and of the difference of two.

Clips or groups, seeds and repeats are drawn at once, which `scipy.stats.bootstrap` cannot.
"""

from collections.abc import Sequence

import numpy as np
from attrs import define
from torch import Tensor

from skel_eval._arrays import BLOCK_SIZE, Array, Groups, as_count, as_groups, as_tensor

Hits = Array | Sequence[Array]


@define(frozen=True)
class BootstrapInterval:
    """Percentile interval of `bootstrap` or `paired_bootstrap`.

    Attributes:
        value: The accuracy, mean over clips and seeds; paired: that of the first method minus the second.
        low: Lower end of the interval.
        high: Upper end.
        p_value: Paired: two-sided, twice the smaller share of resamples on one side of 0, 0 included, the
            observed difference counted as one more resample, at most 1.
    """

    value: float
    low: float
    high: float
    p_value: float | None = None


def bootstrap(
    correct: Hits,
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
    return BootstrapInterval(_mean(hits), low, high)


def paired_bootstrap(
    correct_a: Hits,
    correct_b: Hits,
    *,
    groups: Groups | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> BootstrapInterval:
    """Percentile interval and p-value of the difference of two accuracies on the same test clips.

    Each resample draws clips with replacement, the same for both methods. With several seeds of a method it
    draws seeds with replacement, too, for each method on its own, so that the interval covers other
    trainings; with one seed per method it says nothing of them. If a seed was evaluated several times, such
    as with other labelled subsets, repeats are drawn within each drawn seed. Few seeds or few groups, say
    below ten, make every bootstrap interval too narrow.

    Args:
        correct_a: Whether each test clip was predicted right, 0 or 1 or boolean, (N,) or (seeds, N); or an
            array (repeats, N) for each seed, all of which weigh the same.
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
    counts = [hits[0].shape[1] for hits in (first, second)]
    if counts[0] != counts[1]:
        raise ValueError(
            f"correct_a and correct_b must tell of the same clips, got {counts[0]} and {counts[1]}"
        )
    rates_a, rates_b = _resampled([first, second], groups, resamples, seed, level)
    differences = rates_a - rates_b
    low, high = _interval(differences, level)
    side = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p_value = min(1.0, 2 * (side + 1) / (resamples + 1))
    return BootstrapInterval(_mean(first) - _mean(second), low, high, p_value)


def _hits(correct: Hits, name: str) -> list[np.ndarray]:
    """For each seed (repeats, N) in float64."""
    if isinstance(correct, (np.ndarray, Tensor)):
        whole = np.atleast_2d(as_tensor(correct, name).cpu().numpy())
        seeds = [whole] if whole.ndim != 2 or 0 in whole.shape else list(whole[:, None])
    else:
        seeds = [np.atleast_2d(as_tensor(one, name).cpu().numpy()) for one in correct]
    shapes = [values.shape for values in seeds]
    if not seeds or any(len(shape) != 2 or 0 in shape or shape[1] != shapes[0][1] for shape in shapes):
        raise ValueError(
            f"{name} must have shape (N,) or (seeds, N), or (repeats, N) each seed, got {shapes}"
        )
    if not all(np.isin(values, (0, 1)).all() for values in seeds):
        raise ValueError(f"{name} must hold 0 and 1 only")
    return [values.astype(np.float64) for values in seeds]


def _mean(hits: Sequence[np.ndarray]) -> float:
    """The mean over seeds of the mean over their repeats."""
    return float(np.mean([values.mean() for values in hits]))


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _resampled(
    methods: Sequence[Sequence[np.ndarray]], groups: Groups | None, resamples: int, seed: int, level: float
) -> list[np.ndarray]:
    """Accuracy of each method, for each seed (repeats, N), in each resample, (resamples,).

    A unit, clip or group, enters through its number of clips and its hits per training alone. Units in which
    these agree are of one kind, and drawing units comes to drawing how often each kind occurs: for clips of
    two methods of one seed there are four kinds, however many clips there are.
    """
    resamples, seed = as_count(resamples, "resamples"), as_count(seed, "seed", 0)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    clips = methods[0][0].shape[1]
    units = np.concatenate([np.ones((1, clips)), *(values for method in methods for values in method)])
    group = as_groups(groups, clips)
    if group is not None:
        units = np.stack([np.bincount(group.numpy(), weights=row) for row in units])
    count = units.shape[1]
    if count < 2:
        raise ValueError("a bootstrap needs at least two clips or groups to draw from, got one")
    kinds, often = np.unique(units, axis=1, return_counts=True)
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK_SIZE // (8 * kinds.shape[1]))
    rates: list[list[np.ndarray]] = [[] for _ in methods]
    for start in range(0, resamples, step):
        draws = min(step, resamples - start)
        sums = rng.multinomial(count, often / count, draws) @ kinds.T  # (draws, 1 + trainings of all)
        column = 1
        for found, method in zip(rates, methods, strict=True):
            often_seed = rng.multinomial(len(method), np.full(len(method), 1 / len(method)), draws)
            hits = np.zeros(draws)
            for drawn, repeats in zip(often_seed.T, map(len, method), strict=True):
                weights = rng.multinomial(drawn * repeats, np.full(repeats, 1 / repeats)) / repeats
                hits += (sums[:, column : column + repeats] * weights).sum(1)
                column += repeats
            found.append(hits / (len(method) * sums[:, 0]))
    return [np.concatenate(found) for found in rates]
