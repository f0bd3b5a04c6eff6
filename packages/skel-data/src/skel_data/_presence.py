"""Which bodies of a clip are there, for numpy arrays and torch tensors alike."""

from typing import Any, TypeVar

Array = TypeVar("Array")


def presence(clips: Array) -> Array:
    """Where there is a body: a body is absent from a frame when all its joints are exactly zero there.

    So clips come from a pipeline. Take the mask before augmentation: a shift moves zeros as well.

    Args:
        clips: Clips (..., C, T, V, M), a numpy array or a torch tensor.

    Returns:
        A mask (..., M, T) of the same kind, bool.

    Raises:
        ValueError: If the clips have fewer than four axes.
    """
    x: Any = clips
    if x.ndim < 4:
        raise ValueError(f"clips must be (..., C, T, V, M), got shape {tuple(x.shape)}")
    mask: Array = (x != 0).any(-2).any(-3).swapaxes(-1, -2)
    return mask
