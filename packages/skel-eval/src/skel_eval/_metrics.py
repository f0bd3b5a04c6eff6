"""Accuracy in its usual forms, and calibration. Rows with a negative label do not count.

torchmetrics, which has the counts too, takes several seconds to import.
"""

import numpy as np
import torch
from attrs import define, field
from torch import Tensor
from torch.nn import functional

from skel_eval._arrays import Array, as_count, as_labels, as_tensor


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


@define(frozen=True, eq=False)
class Calibration:
    """What `calibration` found over the labelled rows.

    Attributes:
        expected_error: Mean distance between confidence and accuracy of the bins, weighted by their rows.
        maximum_error: The largest such distance.
        brier: Mean squared distance between the probabilities and the one-hot label, summed over the
            classes: from 0 to 2.
        nll: Mean negative log likelihood, in nats; infinite if a class that occurs was ruled out.
        counts: Rows of each bin, (bins,); bin i holds the confidences in (i / bins, (i + 1) / bins].
        confidences: Mean confidence of each bin, (bins,); NaN for an empty one.
        accuracies: Accuracy of each bin, (bins,); NaN for an empty one.
    """

    expected_error: float
    maximum_error: float
    brier: float
    nll: float
    counts: np.ndarray = field(repr=False)
    confidences: np.ndarray = field(repr=False)
    accuracies: np.ndarray = field(repr=False)


@torch.no_grad()
def calibration(logits: Array, labels: Array, *, bins: int = 15) -> Calibration:
    """Compare the softmax of `logits` with what is right (Guo et al. 2017).

    The confidence of a row is its largest probability. All is computed in float64.

    Args:
        logits: (N, classes); -inf rules a class out, as the probes do for a class without train rows.
        labels: Classes, (N,); negative means unlabelled. A class that has no column was ruled out, too.
        bins: Bins of equal width for the confidence.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a logit is NaN or inf, a row rules all classes out, no row is
            labelled, or `bins` is below 1.
    """
    scores = as_tensor(logits, "logits").double().cpu()
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError(f"logits must have shape (N, classes), both above 0, got {tuple(scores.shape)}")
    if not bool((scores < torch.inf).all()):
        raise ValueError("logits must be numbers or -inf, got NaN or inf")
    if bool((scores == -torch.inf).all(1).any()):
        raise ValueError("logits must leave a class in each row, got a row of -inf")
    bins = as_count(bins, "bins")
    truth = as_labels(labels, len(scores), "labels")
    known = truth >= 0
    if not bool(known.any()):
        raise ValueError("labels has no labelled row: every label is negative")
    scores, truth = scores[known], truth[known]
    without_column = max(0, int(truth.max()) + 1 - scores.shape[1])
    log_probabilities = functional.pad(scores, (0, without_column), value=-torch.inf).log_softmax(1)
    of_truth = log_probabilities.gather(1, truth[:, None]).squeeze(1)
    probabilities = log_probabilities.exp()
    brier = probabilities.square().sum(1) - 2 * of_truth.exp() + 1
    confidence, guess = probabilities.max(1)
    edges = torch.arange(1, bins + 1, dtype=torch.float64) / bins
    place = torch.searchsorted(edges, confidence.clamp_max(1))  # the first bin that ends at or above it
    counts = torch.bincount(place, minlength=bins)
    confidences, accuracies = (
        torch.bincount(place, weights=values, minlength=bins) / counts
        for values in (confidence, (guess == truth).double())
    )
    gaps = (confidences - accuracies).abs().nan_to_num(0)
    return Calibration(
        expected_error=float((gaps * counts).sum() / counts.sum()),
        maximum_error=float(gaps.max()),
        brier=float(brier.mean()),
        nll=float(-of_truth.mean()),
        counts=counts.numpy(),
        confidences=confidences.numpy(),
        accuracies=accuracies.numpy(),
    )
