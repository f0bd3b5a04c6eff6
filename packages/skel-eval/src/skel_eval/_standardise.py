"""Zero mean and unit variance from the statistics of the train rows."""

import torch
from torch import Tensor


def column_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale of each column, both (D,); the scale of a constant column is 1.

    Args:
        x: Train rows in float64, (N, D).
    """
    std, mean = torch.std_mean(x, dim=0, correction=0)
    # what rounding in single precision leaves of a constant is noise, not to be blown up to variance 1
    constant = std <= 1e-6 * mean.abs()
    return mean, torch.where(constant, torch.ones_like(std), std)


def in_raw_units(weight: Tensor, bias: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The classifier for raw columns that equals ``((x - mean) / scale) @ weight.T + bias``."""
    weight = weight / scale
    return weight, bias - weight @ mean
