"""Losses that AimCLR (Guo et al., AAAI 2022, arXiv 2112.03590) adds to InfoNCE."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional


def d3m(logits: Tensor, target_logits: Tensor) -> Tensor:
    """Dual distributional divergence minimisation (D3M), one of its terms (section 3.3).

    Cross-entropy of the similarity distribution of an extreme view against that of the normal view,
    which is a constant. Taken from log softmax: the released program takes the logarithm of a softmax,
    which underflows in half precision.

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
    target = functional.softmax(target_logits.detach(), dim=1)
    return -(target * functional.log_softmax(logits, dim=1)).sum(1).mean()


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
