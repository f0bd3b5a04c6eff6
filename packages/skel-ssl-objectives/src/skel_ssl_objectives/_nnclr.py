"""NNCLR (Dwibedi et al., ICCV 2021): the positive of a clip is its nearest neighbour in a queue."""

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import Gather, at_least_float32


@torch.no_grad()
def queue_neighbor(
    projection: Tensor,
    keys: Tensor,
    *,
    ids: Tensor | None = None,
    queue_ids: Tensor | None = None,
    rank: Tensor | None = None,
) -> Tensor:
    """Nearest neighbours in a queue by cosine similarity; a clip is never its own.

    Args:
        projection: (N, D), normalised here.
        keys: (K, D) of unit length, such as `Queue.keys`.
        ids: (N,) ids of the clips, 0 or more; None if no key is of one of them.
        queue_ids: (K,) ids of the clips that the keys are of, such as `Queue.ids`; needed with ids.
        rank: (N,) int64 which neighbour of each clip to take, 0 for the nearest, and the last for larger
            numbers; the nearest unless given.

    Returns:
        (N, D), rows of `keys`, without gradient. Of a clip that all keys are of, one of these.

    Raises:
        ValueError: If the shapes do not fit, or there are ids without those of the queue.
    """
    if projection.ndim != 2 or keys.shape[1:] != projection.shape[1:]:
        raise ValueError(
            f"expected projection (N, D) and keys (K, D), got {tuple(projection.shape)} and "
            f"{tuple(keys.shape)}"
        )
    if ids is not None and (
        queue_ids is None or ids.shape != projection.shape[:1] or queue_ids.shape != keys.shape[:1]
    ):
        got = None if queue_ids is None else tuple(queue_ids.shape)
        raise ValueError(
            f"expected ids ({len(projection)},) and queue_ids ({len(keys)},), got {tuple(ids.shape)} "
            f"and {got}"
        )
    if rank is not None and rank.shape != projection.shape[:1]:
        raise ValueError(f"expected rank ({len(projection)},), got {tuple(rank.shape)}")
    with torch.autocast(projection.device.type, enabled=False):
        projection = functional.normalize(at_least_float32(projection), dim=1)
        similarity = projection @ keys.to(projection.dtype).T
        if ids is not None and queue_ids is not None:
            similarity = similarity.masked_fill(ids[:, None] == queue_ids, -torch.inf)
        if rank is None:
            return keys[similarity.argmax(1)]
        nearest = similarity.topk(min(int(rank.max()) + 1, len(keys)), dim=1).indices
        last = (similarity > -torch.inf).sum(1).clamp(min=1) - 1  # behind it are keys of the clip itself
        return keys[nearest.gather(1, rank.minimum(last)[:, None])[:, 0]]


def nnclr(
    prediction: Tensor,
    neighbor: Tensor,
    *,
    temperature: float = 0.07,
    gather: Gather | None = None,
    rank: int = 0,
) -> Tensor:
    """NNCLR loss: a neighbour of one view finds the prediction of the other among those of the batch.

    For two views take the mean of both directions.

    Args:
        prediction: (N, D) of one view; normalised here, gradients flow into it.
        neighbor: (N, D), a neighbour of the other view of each clip, see `queue_neighbor`; normalised here,
            treated as a constant.
        temperature: Divisor of the cosine similarities.
        gather: Joins the predictions of all processes, so that the whole batch is compared.
        rank: Rank of this process in what `gather` returns.

    Returns:
        The loss, a scalar: the mean over rows of this process.

    Raises:
        ValueError: If the shapes do not fit, there are no negatives, or the temperature is not positive.
    """
    if prediction.ndim != 2 or prediction.shape != neighbor.shape:
        raise ValueError(
            f"expected prediction and neighbor (N, D), got {tuple(prediction.shape)} and "
            f"{tuple(neighbor.shape)}"
        )
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    with torch.autocast(prediction.device.type, enabled=False):
        prediction = functional.normalize(at_least_float32(prediction), dim=1)
        neighbor = functional.normalize(at_least_float32(neighbor.detach()), dim=1).to(prediction.dtype)
        everyone = prediction if gather is None else gather(prediction)
        if len(everyone) < 2:
            raise ValueError("NNCLR needs at least two clips in a batch: the others are the negatives")
        own = torch.arange(len(prediction), device=prediction.device) + rank * len(prediction)
        return functional.cross_entropy(neighbor @ everyone.T / temperature, own)
