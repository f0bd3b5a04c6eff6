"""All-gather of rows over processes, for losses of the whole batch."""

from collections.abc import Callable

from torch import Tensor

Gather = Callable[[Tensor], Tensor]
"""Joins a tensor (N, ...) of every process to (W * N, ...), in the order of ranks, with gradients.

The gradient of a gathered row is the sum of what all processes ask of it. Losses are means over the
rows of this process, so an average of gradients over the processes, as DistributedDataParallel
takes it, is the gradient of the mean over all rows.
"""
