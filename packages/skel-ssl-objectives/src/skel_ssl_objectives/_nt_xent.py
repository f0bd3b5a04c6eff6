"""NT-Xent, the contrast with in-batch negatives of SimCLR (Chen et al., ICML 2020, equation 1)."""

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import Gather, at_least_float32


def nt_xent(
    first: Tensor, second: Tensor, *, temperature: float = 0.1, gather: Gather | None = None, rank: int = 0
) -> Tensor:
    """NT-Xent loss, the normalised temperature-scaled cross-entropy between two views of a batch.

    Computed in float32 also under autocast.

    Args:
        first: (N, D) embeddings of one view; normalised here.
        second: (N, D) embeddings of the other view of the same clips.
        temperature: Divisor of the cosine similarities.
        gather: Joins the rows of all processes, see `Gather`; then negatives come from all of them. None
            for one process.
        rank: Rank of this process in what `gather` returns.

    Returns:
        The loss, a scalar: mean over the 2 N anchors of this process.

    Raises:
        ValueError: If the shapes differ, there are no negatives, or the temperature is not positive.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise ValueError(f"expected two (N, D) tensors, got {tuple(first.shape)} and {tuple(second.shape)}")
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    with torch.autocast(first.device.type, enabled=False):
        first, second = (functional.normalize(at_least_float32(x), dim=1) for x in (first, second))
        everyone = [first, second] if gather is None else [gather(first), gather(second)]
        count, total = len(first), len(everyone[0])
        if total < 2:
            raise ValueError("NT-Xent needs at least two clips in a batch: the others are the negatives")
        logits = torch.cat([first, second]) @ torch.cat(everyone).T / temperature
        own = torch.arange(count, device=first.device) + rank * count
        rows = torch.arange(2 * count, device=first.device)
        logits = logits.index_put((rows, torch.cat([own, own + total])), logits.new_tensor(float("-inf")))
        return functional.cross_entropy(logits, torch.cat([own + total, own]))
