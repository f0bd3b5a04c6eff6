"""Accuracy in its usual forms. Rows with a negative label do not count.

These are counts; torchmetrics, which has them too, takes several seconds to import.
"""

import numpy as np
import torch
from torch import Tensor

from skel_eval._arrays import Array, as_labels


def accuracy(predictions: Array, labels: Array) -> float:
    """Share of the labelled rows that are predicted right; NaN without labelled rows.

    Args:
        predictions: Classes, (N,).
        labels: Classes, (N,); negative means unlabelled.
    """
    truth = as_labels(labels, None, "labels")
    guess = as_labels(predictions, len(truth), "predictions")
    known = truth >= 0
    return float((guess == truth)[known].double().mean())


def confusion_matrix(labels: Array, predictions: Array, classes: int | None = None) -> np.ndarray:
    """How often each class (row) was taken for each class (column), (classes, classes).

    Args:
        labels: Classes, (N,); negative means unlabelled.
        predictions: Classes, (N,).
        classes: Number of classes; None takes the largest one that occurs.

    Raises:
        ValueError: If a class is `classes` or larger, or a prediction is negative.
    """
    truth = as_labels(labels, None, "labels")
    guess = as_labels(predictions, len(truth), "predictions")
    known = truth >= 0
    truth, guess = truth[known], guess[known]
    pairs = torch.cat([truth, guess])
    highest = int(pairs.max()) if len(pairs) else -1
    count = highest + 1 if classes is None else classes
    if highest >= count or bool((guess < 0).any()):
        raise ValueError(f"classes must lie in 0..{count - 1}, got {int(pairs.min())}..{highest}")
    matrix: Tensor = torch.bincount(truth * count + guess, minlength=count * count)
    return matrix.reshape(count, count).numpy()


def per_class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of each class that is predicted right, (classes,); NaN for a class without rows.

    Args:
        confusion: As from `confusion_matrix`.
    """
    totals = confusion.sum(1)
    rates = np.full(len(confusion), np.nan)
    np.divide(np.diagonal(confusion), totals, out=rates, where=totals > 0)
    return rates
