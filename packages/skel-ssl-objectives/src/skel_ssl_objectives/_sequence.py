"""Reconstruction of whole sequences, as in CRRL (Wang et al., TIP 2022, arXiv 2111.11051)."""

import torch
from torch import Tensor

from skel_ssl_objectives._common import at_least_float32


def sequence_mse(prediction: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Reconstruction loss of CRRL: the squared error of a frame, a mean over frames and over sequences.

    The error of a frame is the sum over its numbers, not their mean. With one frame it is the loss of a
    distillation by squared distance. Computed in float32 also under autocast.

    Args:
        prediction: (N, T, D).
        target: (N, T, D), a constant.
        lengths: (N,) frames of each sequence, from 1 to T; those behind do not count. T for all unless given.

    Returns:
        The loss, a scalar: the mean over rows of this process.

    Raises:
        ValueError: If the shapes differ.
    """
    rows = prediction.shape[:1]
    if (
        prediction.ndim != 3
        or target.shape != prediction.shape
        or (lengths is not None and lengths.shape != rows)
    ):
        given = [prediction, target] if lengths is None else [prediction, target, lengths]
        shapes = ", ".join(str(tuple(x.shape)) for x in given)
        raise ValueError(f"expected (N, T, D), (N, T, D), (N,), got {shapes}")
    with torch.autocast(prediction.device.type, enabled=False):
        error = (at_least_float32(prediction) - at_least_float32(target.detach())).square().sum(2)
        if lengths is None:
            return error.mean()
        counts = torch.arange(error.shape[1], device=error.device) < lengths[:, None]
        return ((error * counts).sum(1) / lengths).mean()
