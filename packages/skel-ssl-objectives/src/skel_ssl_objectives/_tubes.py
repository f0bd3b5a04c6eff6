"""Semantic tube masks of SLiM (Do et al., NeurIPS 2026, arXiv 2603.10648)."""

from collections.abc import Sequence

import torch
from torch import Tensor

TRIES = 10


def tube_mask(
    uniforms: Tensor,
    budgets: Tensor,
    groups: Sequence[Sequence[int]],
    rows: int,
    joints: int,
    *,
    smallest: int = 4,
    largest: int = 100,
) -> Tensor:
    """Masks of tokens in semantic tubes: joints of one limb over a stretch of time.

    Tubes are proposed until a mask has as many cells as its budget. A proposal is some joints next to each
    other in the list of a random group, and as many rows of the grid as make up a random area; it is taken if
    it adds one cell or more, and no more than ``largest`` or than are missing. After ten proposals in a row
    that are not taken, or when ``uniforms`` has no more, the mask stays short of its budget.

    Args:
        uniforms: (B, P, 5) numbers in [0, 1) of P proposals: group, number of joints, first joint, area,
            first row.
        budgets: (B,) int64 cells to hide in each mask.
        groups: Joints of each limb, in the order along it.
        rows: T', rows of the grid.
        joints: V.
        smallest: Smallest area of a tube.
        largest: Largest area; never more than is missing.

    Returns:
        (B, T' V) true for hidden tokens, time-major.

    Raises:
        ValueError: If the shapes do not fit, or a group is empty or names a joint that there is not.
    """
    if uniforms.ndim != 3 or uniforms.shape[2] != 5 or budgets.shape != uniforms.shape[:1]:
        raise ValueError(
            "expected uniforms (B, P, 5) and budgets (B,), got "
            f"{tuple(uniforms.shape)}, {tuple(budgets.shape)}"
        )
    if not groups or any(not group or not 0 <= min(group) <= max(group) < joints for group in groups):
        raise ValueError(f"groups must be lists of joints from 0 to {joints - 1}, got {groups}")
    device, kind = uniforms.device, uniforms.dtype
    sizes = torch.tensor([len(group) for group in groups], device=device)
    places = torch.full((len(groups), joints), -1)  # of each joint in its group's list
    for number, group in enumerate(groups):
        places[number, list(group)] = torch.arange(len(group))
    places = places.to(device)
    grid = torch.arange(rows, device=device)
    mask = torch.zeros(len(uniforms), rows, joints, dtype=torch.bool, device=device)
    left, misses = budgets.clone(), torch.zeros_like(budgets)
    for drawn in uniforms.unbind(1):
        active = (left > 0) & (misses < TRIES)
        if not active.any():
            break
        chosen = _whole(drawn[:, 0], sizes.new_tensor(len(groups)))
        size = sizes[chosen]
        width = 1 + _whole(drawn[:, 1], size)
        first = _whole(drawn[:, 2], size - width + 1)
        area = smallest + (left.clamp(max=largest).to(kind) - smallest) * drawn[:, 3]
        height = (area / width).round().clamp(1, rows).long()
        row = _whole(drawn[:, 4], rows - height + 1)
        place = places[chosen]
        limb = (place >= first[:, None]) & (place < (first + width)[:, None])
        time = (grid >= row[:, None]) & (grid < (row + height)[:, None])
        new = time[:, :, None] & limb[:, None] & ~mask
        added = new.sum((1, 2))
        taken = active & (added > 0) & (added <= left.clamp(max=largest))
        mask |= new & taken[:, None, None]
        left = torch.where(taken, left - added, left)
        misses = torch.where(taken, 0, misses + 1)
    return mask.flatten(1)


def _whole(uniforms: Tensor, count: Tensor) -> Tensor:
    """Whole numbers 0 to count - 1, all equally likely."""
    return (uniforms * count).long().minimum(count - 1)
