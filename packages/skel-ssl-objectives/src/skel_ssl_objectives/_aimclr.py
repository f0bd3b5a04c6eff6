"""Losses that AimCLR (Guo et al., AAAI 2022, arXiv 2112.03590) adds to InfoNCE, and its attention drop."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import Gather, at_least_float32


def d3m(logits: Tensor, target_logits: Tensor) -> Tensor:
    """Dual distributional divergence minimisation (D3M), one of its terms (section 3.3).

    Cross-entropy of the similarity distribution of an extreme view against that of the normal view,
    which is a constant. Taken from log softmax: the released program takes the logarithm of a softmax,
    which underflows in half precision. Computed in float32 also under autocast.

    Args:
        logits: (N, L) similarities of the extreme view, see `contrast`.
        target_logits: (N, L) similarities of the normal view to the same keys.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the shapes differ.
    """
    if logits.shape != target_logits.shape:
        raise ValueError(f"expected equal shapes, got {tuple(logits.shape)} and {tuple(target_logits.shape)}")
    logits, target_logits = at_least_float32(logits), at_least_float32(target_logits.detach())
    return -(functional.softmax(target_logits, dim=1) * functional.log_softmax(logits, dim=1)).sum(1).mean()


def nearest_neighbors(views: Iterable[Tensor], *, k: int = 1) -> Tensor:
    """Nearest-neighbour mining of positives in the queue (section 3.4).

    Args:
        views: Logits (N, 1 + K) of each view of the same clips, column 0 the positive.
        k: Neighbours taken from the queue for each view.

    Returns:
        (N, 1 + K) of zeros and ones: column 0 and the union of the views' k nearest.

    Raises:
        ValueError: If there is no view, or k is not from 1 to K.
    """
    views = list(views)
    if not views or not 1 <= k < views[0].shape[1]:
        raise ValueError(
            f"expected one view or more and k from 1 to the queue's size, got {len(views)} and {k}"
        )
    positives = torch.zeros_like(views[0])
    positives[:, 0] = 1
    for logits in views:
        positives.scatter_(1, logits.detach()[:, 1:].topk(k, dim=1).indices + 1, 1)
    return positives


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
