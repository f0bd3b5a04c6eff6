"""Cross-view consistency mining of CrosSCLR (Li et al., CVPR 2021, arXiv 2104.14466, section 3.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from skel_ssl_objectives._common import Positives, at_least_float32
from skel_ssl_objectives._contrast import info_nce


def cross_view(
    logits: Tensor,
    guide: Tensor,
    *,
    temperature: float = 0.07,
    k: int = 1,
    context: bool = True,
    over_positives: Positives = "each",
) -> Tensor:
    """Cross-view loss, one directed term: a view learns the positives that another view mines in the queue.

    Positives are the key and the k queue entries that are nearest by the guide. The context appends, for
    each queue entry, the product of its similarities in both views, with the same positives. Gradients
    flow into both views through that product, as in the released program. Computed in float32 also under
    autocast.

    Args:
        logits: (N, 1 + K) of the view that learns, see `contrast`.
        guide: (N, 1 + K) of the view that guides; its queue holds the same clips in the same places.
        temperature: The temperature that both logits were divided by.
        k: Positives taken from the queue.
        context: Whether to append the products.
        over_positives: How several positives count, see `info_nce`.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the shapes differ, k is not from 1 to K or the temperature is not positive.
    """
    if logits.ndim != 2 or logits.shape != guide.shape:
        raise ValueError(f"expected equal shapes, got {tuple(logits.shape)} and {tuple(guide.shape)}")
    if not 1 <= k < logits.shape[1]:
        raise ValueError(f"expected k from 1 to the queue's size {logits.shape[1] - 1}, got {k}")
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    logits, guide = at_least_float32(logits), at_least_float32(guide)
    others = guide[:, 1:]
    mined = torch.zeros_like(others).scatter_(1, others.detach().topk(k, dim=1).indices, 1)
    own = torch.ones_like(logits[:, :1])
    if not context:
        return info_nce(logits, torch.cat([own, mined], dim=1), over_positives=over_positives)
    # Both logits carry 1 / temperature; the product of similarities is to carry it once.
    product = logits[:, 1:] * others * temperature
    positives = torch.cat([own, mined, mined], dim=1)
    return info_nce(torch.cat([logits, product], dim=1), positives, over_positives=over_positives)


def crossclr(
    logits: Sequence[Tensor],
    *,
    temperature: float = 0.07,
    k: int = 1,
    context: bool = True,
    over_positives: Positives = "each",
) -> list[Tensor]:
    """Cross-view losses of all views: the means of `cross_view` over the other views as guides.

    Args:
        logits: (N, 1 + K) of each view, two or more.
        temperature: See `cross_view`.
        k: See `cross_view`.
        context: See `cross_view`.
        over_positives: See `cross_view`.

    Returns:
        One scalar per view; CrosSCLR minimises their sum.

    Raises:
        ValueError: If there are fewer than two views, or `cross_view` refuses them.
    """
    if len(logits) < 2:
        raise ValueError(f"cross-view mining needs two views or more, got {len(logits)}")
    losses = []
    for view, own in enumerate(logits):
        guides = [*logits[:view], *logits[view + 1 :]]
        terms = [
            cross_view(
                own, guide, temperature=temperature, k=k, context=context, over_positives=over_positives
            )
            for guide in guides
        ]
        losses.append(torch.stack(terms).mean())
    return losses
