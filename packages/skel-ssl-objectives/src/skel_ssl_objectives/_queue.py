"""Memory queue of negative keys (MoCo, He et al., CVPR 2020)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from skel_ssl_objectives._common import Gather


class Queue(nn.Module):
    """Memory queue of negatives, first in first out, of unit length.

    It fits any batch size, not only divisors of its own. Contents and write position are buffers, so
    they travel with the state dict.

    Args:
        size: Number of keys, K.
        dim: Their dimension, D.
        gather: Joins the keys of all processes in the order of ranks; None for one process. With it
            every process holds the same queue.
        generator: Source of the random first contents.
        with_ids: Keep the id of the clip that each key is of, too.

    Attributes:
        keys: (K, D), rows of unit length.
        ids: (K,) ids of their clips, -1 where no key was put yet or none is known; with `with_ids`.

    Raises:
        ValueError: If size or dimension is not positive.
    """

    keys: Tensor
    position: Tensor
    ids: Tensor

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        gather: Gather | None = None,
        generator: torch.Generator | None = None,
        with_ids: bool = False,
    ) -> None:
        super().__init__()
        if size < 1 or dim < 1:
            raise ValueError(f"a queue needs a positive size and dimension, got {size} and {dim}")
        self.gather = gather
        self.register_buffer("keys", functional.normalize(torch.randn(size, dim, generator=generator), dim=1))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))
        self.with_ids = with_ids
        if with_ids:
            self.register_buffer("ids", torch.full((size,), -1))

    @torch.no_grad()
    def push(self, keys: Tensor, ids: Tensor | None = None) -> None:
        """Enqueue keys in place of the oldest.

        Args:
            keys: (N, D); normalised here. Of more than K only the last K stay.
            ids: (N,) ids of their clips, for a queue with ids; -1 for all unless given.

        Raises:
            ValueError: If the keys are not (N, D), or the ids are not (N,) or the queue has none.
        """
        size, dim = self.keys.shape
        if keys.ndim != 2 or keys.shape[1] != dim:
            raise ValueError(f"expected keys (N, {dim}), got {tuple(keys.shape)}")
        if ids is not None and (not self.with_ids or ids.shape != keys.shape[:1]):
            expected = f"ids ({len(keys)},)" if self.with_ids else "no ids, as the queue has none"
            raise ValueError(f"expected {expected}, got {tuple(ids.shape)}")
        if self.with_ids and ids is None:
            ids = torch.full((len(keys),), -1, device=keys.device)
        if self.gather is not None:
            keys = self.gather(keys)
            ids = None if ids is None else self.gather(ids)
        count = len(keys)
        keys = functional.normalize(keys[-size:].to(self.keys.dtype), dim=1)
        rows = torch.arange(count - len(keys), count, device=keys.device) + self.position
        self.keys[rows % size] = keys
        if ids is not None:
            self.ids[rows % size] = ids[-size:]
        self.position.add_(count).remainder_(size)
