"""Barlow Twins (Zbontar et al., ICML 2021), as PSTL (Zhou et al., AAAI 2023, arXiv 2302.09018) uses it."""

import torch
from torch import Tensor

from skel_ssl_objectives._common import Gather, at_least_float32

_EPSILON = 1e-5


def barlow_twins(
    first: Tensor, second: Tensor, *, off_diagonal: float = 2e-4, gather: Gather | None = None
) -> Tensor:
    """Barlow Twins loss: the correlations of two views' features become 1 on the diagonal and 0 elsewhere.

    sum_i (1 - C_ii)^2 + off_diagonal * sum_{i != j} C_ij^2 (equation 1), with the D x D correlation matrix
    C. It is never built: the sum of its squares is that of the entries of a product of two N x N
    matrices, which costs less wherever D is larger than N. Computed in float32 also under autocast.

    Args:
        first: (N, D) projections of one view.
        second: (N, D) projections of the other view of the same clips.
        off_diagonal: Weight of the redundancy term, lambda.
        gather: Joins the rows of all processes, see `Gather`; then the loss is that of the whole batch.
            None for one process.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the shapes differ or there are fewer than two rows.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise ValueError(f"expected two (N, D) tensors, got {tuple(first.shape)} and {tuple(second.shape)}")
    with torch.autocast(first.device.type, enabled=False):
        first, second = (at_least_float32(x) for x in (first, second))
        if gather is not None:
            first, second = gather(first), gather(second)
        count = len(first)
        if count < 2:
            raise ValueError("a correlation over the batch needs two clips or more, got 1")
        first, second = (_standardised(x) for x in (first, second))
        diagonal = (first * second).sum(0) / count
        squares = ((first @ first.T) * (second @ second.T)).sum() / count**2
        redundancy = squares - diagonal.square().sum()
        return (1 - diagonal).square().sum() + off_diagonal * redundancy


def _standardised(x: Tensor) -> Tensor:
    """Mean zero and variance one in each dimension, as BatchNorm without weights in training."""
    centred = x - x.mean(0)
    return centred * (centred.square().mean(0) + _EPSILON).rsqrt()
