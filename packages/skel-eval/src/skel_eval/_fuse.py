"""Late fusion of streams."""

from collections.abc import Sequence

import numpy as np
import torch

from skel_eval._arrays import Array, as_tensor


def fuse(logits: Sequence[Array], weights: Sequence[float] | None = None) -> np.ndarray:
    """Weighted sum of the logits of several streams, (N, classes).

    Published weights for joint, bone and motion are equal (CrosSCLR, 2104.14466) or 0.6, 0.6, 0.4 (AimCLR,
    2112.03590).

    Args:
        logits: One (N, classes) array per stream, rows in the same order.
        weights: One number >= 0 per stream; None gives every stream weight 1.

    Raises:
        ValueError: If shapes differ, or weights do not match the streams, are negative or all 0.
    """
    streams = [as_tensor(stream, "logits").cpu() for stream in logits]
    shapes = {tuple(stream.shape) for stream in streams}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"every stream must have the same shape (N, classes), got {sorted(shapes)}")
    factors = [1.0] * len(streams) if weights is None else [float(weight) for weight in weights]
    if len(factors) != len(streams) or not all(factor >= 0 for factor in factors) or not any(factors):
        raise ValueError(f"{len(streams)} streams need as many weights >= 0, not all 0, got {factors}")
    # a stream of weight 0 is left out: its -inf for a class it never saw would become NaN
    used = [factor * stream for factor, stream in zip(factors, streams, strict=True) if factor]
    return torch.stack(used).sum(0).numpy()
