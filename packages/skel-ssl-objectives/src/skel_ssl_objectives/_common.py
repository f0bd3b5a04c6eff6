"""What losses share: the all-gather of rows over processes, and their precision."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Gather = Callable[[Tensor], Tensor]
"""Joins a tensor (N, ...) of every process to (W * N, ...), in the order of ranks, with gradients.

The gradient of a gathered row is the sum of what all processes ask of it. Losses are means over the
rows of this process, so an average of gradients over the processes, as DistributedDataParallel
takes it, is the gradient of the mean over all rows.
"""


Positives = Literal["each", "sum"]
"""How several positives count together: by a logarithm for each, or by the logarithm of their sum."""


def check_form(form: str) -> None:
    """Refuse another word than those of `Positives`.

    Raises:
        ValueError: If it is another.
    """
    if form not in ("each", "sum"):
        raise ValueError(f"over_positives must be each or sum, got {form!r}")


def log_of_sum(log_p: Tensor, positives: Tensor) -> Tensor:
    """Logarithm of the probabilities (N, L) of a row's positives together, (N,)."""
    return log_p.masked_fill(positives == 0, -torch.inf).logsumexp(1)


def at_least_float32(x: Tensor) -> Tensor:
    """Half-precision tensors as float32, others as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
