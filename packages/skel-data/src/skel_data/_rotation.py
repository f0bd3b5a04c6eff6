"""Rotation about a coordinate axis."""

import numpy as np
from numpy.typing import NDArray


def about(axis: int, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (..., 3, 3) about one axis by angles (...)."""
    matrix = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -matrix[..., j, i]
    return matrix
