"""Input validation: numpy arrays and torch tensors."""

import operator
from collections.abc import Hashable, Sequence
from typing import SupportsIndex

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Array = np.ndarray | Tensor
Groups = Array | Sequence[Hashable]

MOST_CLASSES = 1 << 16
"""Tables of classes are as long as the largest label; larger ones are codes, not numbers from 0."""


def as_tensor(values: Array, name: str) -> Tensor:
    """`values` as a tensor that shares memory where that is safe.

    Raises:
        TypeError: If `values` is neither a numpy array nor a tensor, or does not hold real numbers of at most
            64 bits.
    """
    if isinstance(values, Tensor):
        if values.is_complex():
            raise TypeError(f"{name} must hold real numbers, got {values.dtype}")
        return values.detach()
    if not isinstance(values, np.ndarray):
        raise TypeError(f"{name} must be a numpy array or a torch tensor, got {type(values).__name__}")
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold real numbers of at most 64 bits, got {values.dtype}")
    # torch knows neither another byte order, nor strides below 0, nor read-only memory (such as a memory map)
    values = np.asarray(values, values.dtype.newbyteorder("="), order="C")
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


def as_integers(values: Array, name: str) -> Tensor:
    """Whole numbers as int64 on the CPU, (N,).

    Raises:
        TypeError: If `values` is not an array of integers.
        ValueError: If the shape is not (N,).
    """
    numbers = as_tensor(values, name)
    if numbers.is_floating_point() or numbers.dtype == torch.bool:
        raise TypeError(f"{name} must hold integers, got {numbers.dtype}")
    if numbers.ndim != 1:
        raise ValueError(f"{name} must have shape (N,), got {tuple(numbers.shape)}")
    return numbers.long().cpu()


def as_labels(values: Array, count: int | None, name: str) -> Tensor:
    """Labels as int64 on the CPU, (N,); negative means unlabelled.

    Raises:
        TypeError: If `values` is not an array of integers.
        ValueError: If there are not `count` of them, or one is `MOST_CLASSES` or more.
    """
    labels = as_integers(values, name)
    if count is not None and len(labels) != count:
        raise ValueError(f"{name} must have shape ({count},), one for each row, got ({len(labels)},)")
    if len(labels) and int(labels.max()) >= MOST_CLASSES:
        raise ValueError(f"{name} must number the classes from 0, below {MOST_CLASSES}, got {labels.max()}")
    return labels


def as_count(value: SupportsIndex, name: str, least: int = 1) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    number = operator.index(value)
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def as_groups(groups: Groups | None, count: int) -> Tensor | None:
    """One group per row, numbered from 0, (N,); None stays None."""
    if groups is None:
        return None
    values = groups.cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if values.shape != (count,):
        raise ValueError(f"groups must have shape ({count},), one per row, got {values.shape}")
    try:
        return torch.from_numpy(np.unique(values, return_inverse=True)[1])
    except TypeError as error:
        raise TypeError(f"groups must be all numbers or all text: {error}") from None


def unit_rows(x: Tensor) -> Tensor:
    """Rows brought to length 1, (..., D); rows of zeros stay.

    Each row is first scaled by a power of 2, which rounds nothing, since the squares of very large and very
    small numbers do not fit in their own precision: the result is the same at every scale of the features.
    """
    largest = x.abs().amax(-1, keepdim=True)
    power = (largest / (2 * torch.frexp(largest).mantissa)).where(largest > 0, 1)
    return functional.normalize(x / power, dim=-1)


def refuse_nan(logits: Tensor, name: str) -> None:
    """Check that a prediction can be read from each row."""
    rows = int(logits.isnan().any(1).sum())
    if rows:
        raise ValueError(f"{name} of {rows} of {len(logits)} rows are NaN")


def same_width(a: Tensor, b: Tensor, names: str) -> None:
    """Check that two feature arrays have the same number of columns."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{names} must have the same width, got {a.shape[1]} and {b.shape[1]}")


def labelled_rows(labels: Tensor) -> Tensor:
    """Indices of the rows that have a label, at least one, (L,)."""
    rows = torch.nonzero(labels >= 0).squeeze(1)
    if len(rows) == 0:
        raise ValueError("train_y has no labelled row: every label is negative")
    return rows


BLOCK_SIZE = 2**26
"""Elements that are worked on together: 256 MiB in single precision."""


def rows_per_block(width: int, chunk: int | None) -> int:
    """Rows of `width` numbers that are worked on together: `chunk`, or as many as memory is meant to hold."""
    return max(1, BLOCK_SIZE // width) if chunk is None else as_count(chunk, "chunk")
