"""Graphs of the skeleton with edges left out or put in, for encoders that take a graph for each clip.

These are no steps of a view: they change what an encoder multiplies by, not the clips.
"""

import torch
from torch import Tensor


def drop_edges(graph: Tensor, p: float | Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Leave each edge out with probability p; the others grow by 1 / (1 - p), as in dropout.

    The program of HiCLR (2211.13466) does this to the adjacency in every layer anew, with p itself uniform
    between 0 and a setting, 0.1; its released settings leave it off.

    Args:
        graph: (..., V, V) weights of the edges. For other edges in each clip, expand it to (N, K, V, V).
        p: Probability, or probabilities that broadcast against the graph, at least 0 and below 1.
        generator: Source of the numbers; PyTorch's own for the graph's device if None.

    Returns:
        A new graph of the same shape.

    Raises:
        ValueError: If p is a number out of range.

    >>> graph = torch.ones(3, 25, 25).expand(8, -1, -1, -1)
    >>> strength = 0.1 * torch.rand(8, 1, 1, 1)
    >>> drop_edges(graph, strength).shape
    torch.Size([8, 3, 25, 25])
    """
    if not isinstance(p, Tensor) and not 0 <= p < 1:
        raise ValueError(f"p must be at least 0 and below 1, got {p}")
    return graph * (_lots(graph, generator) >= p) / (1 - p)


def add_edges(graph: Tensor, p: float | Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Put an edge of weight 1 wherever there is none with probability p, then keep the sum of all weights.

    HiCLR's program has this beside `drop_edges`, with p uniform between 0 and 0.05.

    Args:
        graph: (..., K, V, V) weights of the edges, of which the last three axes share a sum.
        p: Probability, or probabilities that broadcast against the graph, 0 to 1.
        generator: Source of the numbers; PyTorch's own for the graph's device if None.

    Returns:
        A new graph of the same shape.

    Raises:
        ValueError: If p is a number out of range, or the graph has fewer than three axes.
    """
    if not isinstance(p, Tensor) and not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1, got {p}")
    if graph.ndim < 3:
        raise ValueError(f"graph must have at least 3 axes (K, V, V), got shape {tuple(graph.shape)}")
    denser = graph + ((graph == 0) & (_lots(graph, generator) < p))
    before, after = (each.sum((-3, -2, -1), keepdim=True) for each in (graph, denser))
    return denser * (before / after.where(after != 0, 1))  # all edges may be gone


def _lots(graph: Tensor, generator: torch.Generator | None) -> Tensor:
    source = graph.device if generator is None else generator.device
    return torch.rand(graph.shape, generator=generator, device=source).to(graph.device)
