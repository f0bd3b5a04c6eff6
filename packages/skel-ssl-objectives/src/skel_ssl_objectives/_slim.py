"""The loss of SLiM (Do et al., NeurIPS 2026, arXiv 2603.10648)."""

import torch
from torch import Tensor

from skel_ssl_objectives._common import Gather
from skel_ssl_objectives._prototypes import koleo, patch_loss, prototype_loss


def slim(
    local_logits: Tensor,
    global_logits: Tensor,
    targets: Tensor,
    classes: Tensor,
    patch_logits: Tensor,
    patch_targets: Tensor,
    hidden: Tensor,
    *,
    temperature: float = 0.1,
    koleo_weight: float = 0.1,
    patch_weight: float = 1.0,
    gather: Gather | None = None,
) -> dict[str, Tensor]:
    """SLiM's terms for 2 global and L local views of N clips; rows are view by view.

    Every local view learns the teacher's assignment of both global ones, each global view that of the other,
    hidden tokens of global views their own, and the class tokens of each global view keep apart.

    Args:
        local_logits: (L N, K) of the student for the class tokens of the local views.
        global_logits: (2 N, K) likewise of the global views.
        targets: (2 N, K) the teacher's assignment of the global views; a constant.
        classes: (2 N, D) the student's class tokens of the global views.
        patch_logits: (H, K') of the student for the hidden tokens of the global views.
        patch_targets: (H, K') the teacher's assignment of them; a constant.
        hidden: (2 N, T' V) true for the hidden tokens, H in all.
        temperature: Of the student.
        koleo_weight: Weight of `koleo`.
        patch_weight: Weight of `patch_loss`.
        gather: See `koleo`.

    Returns:
        The terms ``local``, ``global``, ``koleo`` and ``patch``, each times its weight; SLiM minimises their
        sum.

    Raises:
        ValueError: If the shapes do not fit.
    """
    rows = len(targets) // 2
    if len(targets) != 2 * rows or not rows or len(local_logits) % rows:
        raise ValueError(
            "expected logits of L N local and 2 N global views, got "
            f"{len(local_logits)} and {len(targets)} rows"
        )
    if not len(classes) == len(hidden) == len(targets):
        raise ValueError(
            f"expected classes and hidden of {len(targets)} global views, got {len(classes)} and "
            f"{len(hidden)} rows"
        )
    views = len(local_logits) // rows
    pairs = 2 + 2 * views
    first, second = targets.detach().chunk(2)
    across = prototype_loss(torch.cat([second, first]), global_logits, temperature=temperature).mean()
    # the cross-entropy is linear in the target: the sum over both global views in one pass
    local = prototype_loss((first + second).repeat(views, 1), local_logits, temperature=temperature)
    spread = torch.stack([koleo(view, gather=gather) for view in classes.chunk(2)]).sum()
    patches = patch_loss(patch_targets, patch_logits, hidden, temperature=temperature)
    return {
        "local": local.sum() / (rows * pairs),
        "global": 2 * across / pairs,
        "koleo": koleo_weight * spread,
        "patch": patch_weight * patches,
    }
