"""Late fusion of several encoders."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from skel_eval._arrays import Array, as_features, as_tensor, unit_rows


def fuse(logits: Sequence[Array], weights: Sequence[float] | None = None) -> np.ndarray:
    """Weighted sum of the logits of several streams, (N, classes).

    Published weights for joint, bone and motion are equal (CrosSCLR, 2104.14466) or 0.6, 0.6, 0.4 (AimCLR,
    2112.03590).

    Args:
        logits: One (N, classes) array per stream, rows in the same order.
        weights: One number >= 0 per stream; None gives every stream weight 1.

    Raises:
        ValueError: If shapes differ, a logit is NaN or inf, or weights do not match the streams, are negative
            or all 0.
    """
    streams = [as_tensor(stream, "logits").cpu() for stream in logits]
    shapes = {tuple(stream.shape) for stream in streams}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"every stream must have the same shape (N, classes), got {sorted(shapes)}")
    if not all(bool((stream < torch.inf).all()) for stream in streams):
        raise ValueError("logits must be numbers or -inf, got NaN or inf")
    factors = fusion_weights(weights, len(streams))
    # a stream of weight 0 is left out: its -inf for a class it never saw would become NaN
    used = [factor * stream for factor, stream in zip(factors, streams, strict=True) if factor]
    return torch.stack(used).sum(0).numpy()


def side_by_side(parts: Sequence[Array], weights: Sequence[float] | None = None) -> np.ndarray:
    """Features of several encoders as one: its cosine similarity is the weighted mean of theirs.

    Args:
        parts: One (N, D) array per encoder, rows in the same order.
        weights: One number >= 0 per encoder; None for equal ones.

    Returns:
        (N, sum of all D); of one encoder its features as they are.

    Raises:
        ValueError: If the rows differ in number, or weights do not match the encoders, are negative or all 0.
    """
    features = [as_features(part, "features").cpu() for part in parts]
    if len({len(part) for part in features}) != 1:
        raise ValueError(f"every encoder must have the same rows, got {[len(part) for part in features]}")
    factors = fusion_weights(weights, len(features))
    if len(features) == 1:
        return features[0].numpy()
    unit = [factor**0.5 * unit_rows(part) for factor, part in zip(factors, features, strict=True)]
    return torch.cat(unit, 1).numpy()


def fusion_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    """The weights of streams, 1 for each unless given; refused where they do not fit."""
    factors = [1.0] * count if weights is None else [float(weight) for weight in weights]
    if len(factors) != count or not all(0 <= factor < math.inf for factor in factors) or not any(factors):
        raise ValueError(f"{count} streams need as many weights >= 0, not all 0, got {factors}")
    return factors
