"""Adjacency stacks of graph convolutions (Yan et al., AAAI 2018, section 3.3), from any layout."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skel_data import SkeletonLayout

Strategy = Literal["uniform", "distance", "spatial"]


def adjacency(
    layout: SkeletonLayout, strategy: Strategy = "spatial", *, max_hop: int = 1
) -> NDArray[np.float32]:
    """The column-normalised adjacency of a skeleton, split into subsets of neighbours.

    Args:
        layout: The skeleton; its centre tells the spatial subsets apart.
        strategy: ``uniform`` keeps one subset, ``distance`` has one per hop, ``spatial`` has the joint
            itself, then per hop the neighbours that are farther from the centre or level with it, and
            those that are nearer. As in the published programs, hops beyond ``max_hop`` count as
            infinitely far, also from the centre: two joints beyond it are level.
        max_hop: Largest number of edges between neighbours.

    Returns:
        Array (K, V, V); entry (k, v, w) is the weight with which joint v flows into joint w.

    Raises:
        ValueError: If the strategy is unknown or max_hop is negative.
    """
    if max_hop < 0:
        raise ValueError(f"max_hop must be 0 or more, got {max_hop}")
    count = layout.num_joints
    linked = np.eye(count, dtype=bool)
    for child, parent in layout.bones:
        linked[child, parent] = linked[parent, child] = True
    hops = np.full((count, count), np.inf)
    reached = np.eye(count, dtype=bool)
    for hop in range(max_hop + 1):
        hops[reached & np.isinf(hops)] = hop
        reached = reached @ linked
    near = hops <= max_hop
    weights = near / near.sum(axis=0)

    if strategy == "uniform":
        subsets = [near]
    elif strategy == "distance":
        subsets = [hops == hop for hop in range(max_hop + 1)]
    elif strategy == "spatial":
        from_center = hops[:, layout.center]
        inwards = from_center[:, None] < from_center[None, :]
        subsets = [hops == 0]
        for hop in range(1, max_hop + 1):
            subsets += [(hops == hop) & ~inwards, (hops == hop) & inwards]
    else:
        raise ValueError(f"no strategy {strategy!r}; there are uniform, distance and spatial")
    return np.stack([weights * subset for subset in subsets]).astype(np.float32)
