"""Precision of losses."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Half-precision tensors as float32, others as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
