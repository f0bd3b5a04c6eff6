"""What the protocols accept: numpy arrays and torch tensors, checked once at the door."""

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray | Tensor
Groups = Array | Sequence[Hashable]


def as_tensor(values: Array, name: str) -> Tensor:
    """`values` as a tensor that shares memory where that is safe.

    Raises:
        TypeError: If `values` is neither a numpy array nor a tensor.
    """
    if isinstance(values, Tensor):
        return values.detach()
    if not isinstance(values, np.ndarray):
        raise TypeError(f"{name} must be a numpy array or a torch tensor, got {type(values).__name__}")
    # torch cannot express read-only memory, such as a memory map opened for reading
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def as_features(values: Array, name: str) -> Tensor:
    """Features as a floating point tensor of at least single precision, (N, D).

    Raises:
        TypeError: If `values` is not an array.
        ValueError: If the shape is not (N, D), N or D is 0, or a value is not finite.
    """
    features = as_tensor(values, name)
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"{name} must have shape (N, D) with N and D above 0, got {tuple(features.shape)}")
    if features.dtype not in (torch.float32, torch.float64):
        features = features.float()
    if not bool(torch.isfinite(features).all()):
        raise ValueError(f"{name} holds values that are not finite")
    return features


def as_labels(values: Array, count: int, name: str) -> Tensor:
    """Labels as int64 on the CPU, (N,); negative means unlabelled.

    Raises:
        TypeError: If `values` is not an array of integers.
        ValueError: If the shape is not (count,).
    """
    labels = as_tensor(values, name)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"{name} must hold integers, got {labels.dtype}")
    if tuple(labels.shape) != (count,):
        raise ValueError(
            f"{name} must have shape ({count},) to match its features, got {tuple(labels.shape)}"
        )
    return labels.long().cpu()


def as_groups(groups: Groups | None, count: int) -> Tensor | None:
    """Groups numbered from 0, (N,); None stays None.

    Raises:
        ValueError: If there is not one group per row.
    """
    if groups is None:
        return None
    values = groups.cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if values.shape != (count,):
        raise ValueError(f"groups must have shape ({count},), one per row, got {values.shape}")
    return torch.from_numpy(np.unique(values, return_inverse=True)[1])


def same_width(a: Tensor, b: Tensor, names: str) -> None:
    """Check that two feature arrays have the same number of columns.

    Raises:
        ValueError: If they have not.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{names} must have the same width, got {a.shape[1]} and {b.shape[1]}")


def labelled_rows(labels: Tensor) -> Tensor:
    """Indices of the rows that have a label, (L,).

    Raises:
        ValueError: If no row has one.
    """
    rows = torch.nonzero(labels >= 0).squeeze(1)
    if len(rows) == 0:
        raise ValueError("train_y has no labelled row: every label is negative")
    return rows
