"""BYOL (Grill et al., NeurIPS 2020): predict the teacher's projection of the other view."""

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import at_least_float32


def cosine_distance(first: Tensor, second: Tensor) -> Tensor:
    """Cosine distance, the mean over rows of 2 - 2 cos: the squared distance of unit vectors (equation 2).

    Computed in float32 also under autocast.

    Args:
        first: (N, D).
        second: (N, D).

    Returns:
        A scalar from 0 to 4.

    Raises:
        ValueError: If the shapes differ.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise ValueError(f"expected two (N, D) tensors, got {tuple(first.shape)} and {tuple(second.shape)}")
    with torch.autocast(first.device.type, enabled=False):
        first, second = (functional.normalize(at_least_float32(x), dim=1) for x in (first, second))
        return (2 - 2 * (first * second).sum(1)).mean()


def byol(prediction1: Tensor, prediction2: Tensor, target1: Tensor, target2: Tensor) -> Tensor:
    """Symmetric BYOL loss: each view's prediction against the other view's target.

    Args:
        prediction1: (N, D) of the student's predictor for view 1.
        prediction2: (N, D), likewise for view 2.
        target1: (N, D) of the teacher's projector for view 1; a constant here.
        target2: (N, D), likewise for view 2.

    Returns:
        The loss, a scalar from 0 to 8.

    Raises:
        ValueError: If the shapes differ.
    """
    first = cosine_distance(prediction1, target2.detach())
    return first + cosine_distance(prediction2, target1.detach())
