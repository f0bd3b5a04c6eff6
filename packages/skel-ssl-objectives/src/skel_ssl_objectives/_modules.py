"""Modules beside the encoder: MLP head, queue of negatives, EMA momentum teacher."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from skel_ssl_objectives._common import Gather


def mlp_head(
    in_dim: int,
    hidden_dim: int,
    out_dim: int,
    *,
    layers: int = 2,
    batch_norm: bool = False,
    output_norm: bool = False,
) -> nn.Sequential:
    """MLP head: the projector or predictor of all methods here, (N, in_dim) to (N, out_dim).

    MoCo v2's head is two layers without BatchNorm; SimCLR's and BYOL's have BatchNorm before each ReLU.

    Args:
        in_dim: Features in.
        hidden_dim: Width of the layers between.
        out_dim: Features out.
        layers: Number of linear layers, 1 or more.
        batch_norm: Whether BatchNorm precedes each ReLU.
        output_norm: Whether BatchNorm without weights follows the last layer, as in SimSiam (Chen & He, CVPR
            2021): then what all outputs have in common does not count in their cosine similarity.

    Raises:
        ValueError: If there are fewer layers than one.
    """
    if layers < 1:
        raise ValueError(f"a head has one layer or more, got {layers}")
    modules: list[nn.Module] = []
    width = in_dim
    for _ in range(layers - 1):
        modules.append(nn.Linear(width, hidden_dim, bias=not batch_norm))
        if batch_norm:
            modules.append(nn.BatchNorm1d(hidden_dim))
        modules.append(nn.ReLU(inplace=True))
        width = hidden_dim
    modules.append(nn.Linear(width, out_dim))
    if output_norm:
        modules.append(nn.BatchNorm1d(out_dim, affine=False))
    return nn.Sequential(*modules)


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


class Teacher(nn.Module):
    """EMA momentum teacher, a moving average of a student module: teacher = m teacher + (1 - m) student.

    Parameters follow the average; buffers such as BatchNorm statistics are the teacher's own, from the
    clips it sees, as in MoCo. No gradient reaches it.

    Args:
        student: The module to follow; the copy starts equal to it.
    """

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Forward pass of the teacher without gradients."""
        result: Tensor = self.module(*args, **kwargs)
        return result

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """Update every parameter by the moving average.

        Args:
            student: A module of the same structure.
            momentum: EMA momentum m in [0, 1]; 1 leaves the teacher as it is.

        Raises:
            ValueError: If the momentum is out of range, or the parameters have other shapes.
        """
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {momentum}")
        mine, theirs = list(self.module.parameters()), list(student.parameters())
        if [p.shape for p in mine] != [p.shape for p in theirs]:
            raise ValueError("teacher and student have different parameters")
        if mine:
            get_ema_multi_avg_fn(momentum)(mine, theirs, 0)  # type: ignore[no-untyped-call]
