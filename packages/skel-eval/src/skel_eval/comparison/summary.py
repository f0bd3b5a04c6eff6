"""Mean and standard deviation over seeds."""

from collections.abc import Iterable

import numpy as np
from attrs import define


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
