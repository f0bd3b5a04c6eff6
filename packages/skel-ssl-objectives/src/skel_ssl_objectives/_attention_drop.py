"""Energy-based attention-guided drop of AimCLR (arXiv 2112.03590, section 3.2)."""

import torch
from torch import Tensor

from skel_ssl_objectives._common import Gather, at_least_float32


def attention_drop(
    features: Tensor, *, threshold: float = 0.7, energy: float = 1e-4, gather: Gather | None = None
) -> Tensor:
    """Attention-guided dropout: drop what the encoder attends to most, so that the rest must tell the action.

    The attention is SimAM's (Yang et al., ICML 2021): how far a value lies from its channel's mean. Whole
    joints whose mean attention reaches the threshold are dropped, then single values whose own attention
    does, as in the released program. What stays is scaled up by the share that stayed in the batch.

    Args:
        features: (..., T, V, D) features before pooling.
        threshold: Attention, a sigmoid between 0.62 and 1, at or above which a joint or value is dropped.
        energy: SimAM's regulariser lambda.
        gather: Joins the rows of all processes, see `Gather`; then the share that stayed is that of the
            whole batch. None for one process.

    Returns:
        Features of the same shape. The masks are constants for the gradient.

    Raises:
        ValueError: If the features have fewer than three axes.
    """
    if features.ndim < 3:
        raise ValueError(f"expected features (..., T, V, D), got {tuple(features.shape)}")
    with torch.no_grad():
        x = at_least_float32(features)
        squares = (x - x.mean((-3, -2), keepdim=True)).square()
        others = x.shape[-3] * x.shape[-2] - 1
        variance = squares.sum((-3, -2), keepdim=True) / max(others, 1)
        attention = torch.sigmoid(squares / (4 * (variance + energy)) + 0.5)
        joints = (attention.mean((-3, -1), keepdim=True) < threshold).to(x.dtype)
        values = (attention < threshold).to(x.dtype)
        kept = torch.stack([joints.sum() / joints.numel(), values.sum() / values.numel()])
        if gather is not None:
            kept = gather(kept[None]).mean(0)
        # Of nothing kept the scale does not matter, as long as it is a number.
        scale = 1 / kept.clamp(min=torch.finfo(x.dtype).eps).prod()
        mask = (joints * values * scale).to(features.dtype)
    return features * mask
