"""What losses share: the all-gather of rows over processes, and their precision."""

from collections.abc import Callable

import torch
from torch import Tensor

Gather = Callable[[Tensor], Tensor]
"""Joins a tensor (N, ...) of every process to (W * N, ...), in the order of ranks, with gradients.

The gradient of a gathered row is the sum of what all processes ask of it. Losses are means over the
rows of this process, so an average of gradients over the processes, as DistributedDataParallel
takes it, is the gradient of the mean over all rows.
"""


def at_least_float32(x: Tensor) -> Tensor:
    """Half-precision tensors as float32, others as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
