"""Axes of formats whose second one does not point up."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def from_z_up(positions: NDArray[Any]) -> NDArray[Any]:
    """Positions (..., 3) whose third axis points up, turned about the first so that the second does."""
    return np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], -1)


def from_y_down(positions: NDArray[Any]) -> NDArray[Any]:
    """Positions (..., 3) whose second axis points down, turned half around the first."""
    return positions * (1, -1, -1)
