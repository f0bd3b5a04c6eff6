"""Random numbers of other distributions from uniform ones."""

import math

import torch
from torch import Tensor


def between(uniforms: Tensor, low: float, high: float) -> Tensor:
    """Uniform numbers in [low, high) from such in [0, 1)."""
    return low + (high - low) * uniforms


def choice(uniforms: Tensor, count: int | Tensor) -> Tensor:
    """Whole numbers 0 to count - 1, all equally likely, from uniforms in [0, 1); float dtype kept."""
    # u * count rounds to count for no u below 1 - 2**-24; minimum guards uniforms from elsewhere.
    top = count - 1
    whole = (uniforms * count).floor()
    return whole.minimum(top) if isinstance(top, Tensor) else whole.clamp(max=top)


def normals(uniforms: Tensor) -> Tensor:
    """Independent standard normal numbers, (N, K) from as many uniforms in [0, 1), K even.

    Box and Muller's transform: exact, without infinities, and cheaper than the inverse of the distribution.
    """
    first, second = uniforms.chunk(2, 1)
    radius = (1 - first).log_().mul_(-2).sqrt_()
    # The sine is the cosine a quarter turn earlier; both in one go saves passes over memory.
    turn = torch.arange(2, dtype=uniforms.dtype, device=uniforms.device) * (-math.pi / 2)
    values = torch.add(turn[:, None], second[:, None], alpha=2 * math.pi).cos_().mul_(radius[:, None])
    return values.flatten(1)
