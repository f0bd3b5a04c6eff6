"""Segments of a clip's time, and parts of the body."""

import torch
from torch import Tensor

from skel_data import ClipShape, SkeletonLayout


def segment_numbers(shape: ClipShape, segments: int, device: torch.device) -> Tensor:
    """(T,) number of the segment that each frame belongs to; those of a shorter clip may be empty."""
    return torch.arange(shape.frames, device=device) * segments // shape.frames


def part_members(layout: SkeletonLayout, count: int) -> Tensor:
    """(P, V) on the CPU: one where a joint belongs to a part of the body; it may be in none or several."""
    parts = layout.parts
    if len(parts) < count:
        raise ValueError(f"layout {layout.name!r} has {len(parts)} body parts, not {count}")
    members = torch.zeros(len(parts), layout.num_joints)
    for row, (_, joints) in zip(members, parts, strict=True):
        row[list(joints)] = 1.0
    return members
