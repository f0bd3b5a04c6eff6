"""Scores of pose estimators: the confidence channel of a recording."""

import math

import numpy as np
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout


def drop_low_scores(
    positions: NDArray[np.float32], layout: SkeletonLayout, min_score: float
) -> NDArray[np.float32]:
    """Positions in which joints of a low score are missing, as exact zeros.

    Args:
        positions: Coordinates and score (..., V, C).
        layout: The joints, with a confidence channel, unless the score is 0.
        min_score: Least score of a joint that stays; 0 leaves all as they are.

    Raises:
        ValueError: If the score is negative or not finite, or the layout has no scores.
    """
    check_min_score(layout, min_score)
    if min_score == 0:
        return positions
    kept = positions[..., layout.dims, None] >= min_score  # not so for NaN
    return np.where(kept, positions, np.float32(0))


def check_min_score(layout: SkeletonLayout, min_score: float) -> None:
    """Refuse a least score that is not a number, or that a layout without scores cannot have."""
    if not 0 <= min_score < math.inf:
        raise ValueError(f"min_score must be 0 or more and finite, got {min_score}")
    if min_score and not layout.confidence:
        raise ValueError(f"min_score is {min_score:g}, but layout {layout.name} has no scores")
