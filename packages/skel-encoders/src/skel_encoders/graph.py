"""Adjacency matrices of graph convolutions, from any layout.

The partitions of ST-GCN (Yan et al., AAAI 2018, section 3.3) and of CTR-GCN (Chen et al., ICCV 2021).
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skel_data import SkeletonLayout

Strategy = Literal["uniform", "distance", "spatial", "directed"]


def adjacency(
    layout: SkeletonLayout, strategy: Strategy = "spatial", *, max_hop: int = 1
) -> NDArray[np.float32]:
    """Normalised adjacency matrices of a skeleton, one for each subset of neighbours.

    Args:
        layout: The skeleton; its centre tells the spatial subsets apart.
        strategy: ``uniform`` keeps one subset, ``distance`` has one per hop, ``spatial`` has the joint
            itself, then per hop the neighbours that are farther from the centre or level with it, and
            those that are nearer. As in the published programs, hops beyond ``max_hop`` count as
            infinitely far, also from the centre: two joints beyond it are level. These three share one
            normalisation: what flows into a joint sums to 1 over all subsets. ``directed`` follows the
            bones: the joint itself, child to parent, parent to child; as in the program of CTR-GCN,
            what flows out of a joint sums to 1 in each subset where it has neighbours.
        max_hop: Largest number of edges between neighbours; 1 for ``directed``.

    Returns:
        Array (K, V, V); entry (k, v, w) is the weight with which joint v flows into joint w.

    Raises:
        ValueError: If the strategy is unknown, or max_hop is negative or does not fit the strategy.
    """
    if max_hop < 0:
        raise ValueError(f"max_hop must be 0 or more, got {max_hop}")
    if strategy == "directed":
        if max_hop != 1:
            raise ValueError(f"the directed strategy has bones only, so max_hop must be 1, got {max_hop}")
        return _directed(layout)
    hops = np.array(layout.hops, dtype=np.float64)
    hops[hops > max_hop] = np.inf
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
        raise ValueError(f"no strategy {strategy!r}; there are uniform, distance, spatial and directed")
    return np.stack([weights * subset for subset in subsets]).astype(np.float32)


def _directed(layout: SkeletonLayout) -> NDArray[np.float32]:
    """The joint itself, child to parent, parent to child; (3, V, V)."""
    count = layout.num_joints
    stack: NDArray[np.float64] = np.zeros((3, count, count))
    stack[0] = np.eye(count)
    for child, parent in layout.bones:
        stack[1, child, parent] = stack[2, parent, child] = 1
    outflow: NDArray[np.float64] = stack.sum(axis=2, keepdims=True).clip(min=1)
    return (stack / outflow).astype(np.float32)
