"""Calibration of a classifier on held-out training clips: the temperature, and the threshold of rejection."""

from typing import Any

import torch
from attrs import asdict, define
from torch import Tensor

KEPT = 0.95
_PRECISION = 1e-3  # of the decimal logarithm of a temperature
RULE = (
    f"{100 * KEPT:g} % of the held-out training clips that are classified right have a probability at or "
    "above the threshold"
)


@define(frozen=True)
class Calibration:
    """What was chosen on held-out training clips.

    Attributes:
        temperature: What the logits are divided by before the softmax.
        threshold: Probability of the most probable class below which a clip is "none of these".
        accuracy: Share of the held-out training clips that were classified right; None if none could be
            held out.
        clips: Number of these clips.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    accuracy: float | None = None
    clips: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, with the rule of the threshold."""
        return {**asdict(self), "rule": RULE}


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """Choose temperature and threshold on held-out clips.

    The temperature minimises the cross-entropy (Guo et al., 2017), with the labels smoothed as if one more
    clip had been seen that may be of any class: so a few clips that are all right do not make it sure of
    everything. The threshold is the probability that `KEPT` of the clips that are classified right have or
    exceed.

    Args:
        logits: (N, classes), each from a classifier that was fitted without that row; -inf for a class that
            it did not know.
        labels: (N,); a row whose class the classifier did not know does not count.
    """
    known = logits[torch.arange(len(labels)), labels] > -torch.inf
    logits, labels = logits[known].double(), labels[known]
    if not len(labels):
        return Calibration()
    temperature = _temperature(logits, labels)
    probability, predicted = (logits / temperature).softmax(1).max(1)
    right = predicted == labels
    sure = probability[right].sort(descending=True).values
    threshold = float(sure[max(round(KEPT * len(sure)) - 1, 0)]) if len(sure) else 0.0
    return Calibration(temperature, threshold, float(right.double().mean()), len(labels))


def _temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature between 0.001 and 1000 of least cross-entropy.

    The cross-entropy is convex in the inverse of the temperature, so a ternary search finds it.
    """
    there = logits > -torch.inf
    classes = there.sum(1, keepdim=True)
    target = there / classes.double()
    target[torch.arange(len(labels)), labels] += len(labels)
    target /= len(labels) + 1

    def loss(exponent: float) -> float:
        predicted = (logits / 10**exponent).log_softmax(1)
        return -float((target * torch.where(there, predicted, 0)).sum(1).mean())

    low, high = -3.0, 3.0
    while high - low > _PRECISION:
        third = (high - low) / 3
        if loss(low + third) < loss(high - third):
            high -= third
        else:
            low += third
    return float(10 ** ((low + high) / 2))
