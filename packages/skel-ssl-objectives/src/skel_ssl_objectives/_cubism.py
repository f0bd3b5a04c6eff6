"""TS-Cubism (Tang et al., TOMM 2022, arXiv 2207.08095): actions where known, and orders everywhere."""

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import at_least_float32


def cubism(
    order_logits: Tensor,
    orders: Tensor,
    action_logits: Tensor | None = None,
    actions: Tensor | None = None,
    *,
    order_weight: float = 0.1,
) -> dict[str, Tensor]:
    """TS-Cubism's loss: cross-entropy of the action, and of how a clip was permuted.

    Both are means over the rows that they have. The paper's program gives the actions of permuted source
    clips, and the orders of permuted source and target clips. Without actions it is the pretext alone.
    Computed in float32 also under autocast.

    Args:
        order_logits: (N, K) logits of the K permutations.
        orders: (N,) which permutation a clip had.
        action_logits: (L, A) logits of the actions of labelled clips.
        actions: (L,) their actions.
        order_weight: Weight of the term of orders.

    Returns:
        The terms ``action``, if actions are given, and ``order``, times its weight; TS-Cubism minimises
        their sum.

    Raises:
        ValueError: If labels and logits do not match, or of actions only one of both is given.
    """
    if (action_logits is None) != (actions is None):
        raise ValueError("action_logits and actions go together")
    terms = {} if action_logits is None or actions is None else {"action": _entropy(action_logits, actions)}
    return {**terms, "order": order_weight * _entropy(order_logits, orders)}


def _entropy(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"expected logits (N, K) and labels (N,), got {tuple(logits.shape)} and {tuple(labels.shape)}"
        )
    with torch.autocast(logits.device.type, enabled=False):
        return functional.cross_entropy(at_least_float32(logits), labels)
