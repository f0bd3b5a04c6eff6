"""Inputs and result of the protocols with a linear classifier."""

import numpy as np
import torch
from attrs import define, field
from torch import Tensor

from skel_eval._arrays import (
    Array,
    Groups,
    as_features,
    as_groups,
    as_labels,
    as_tensor,
    labelled_rows,
    refuse_nan,
    rows_per_block,
    same_width,
)
from skel_eval._metrics import accuracy


@define(frozen=True, eq=False, kw_only=True)
class ProbeResult:
    """A classifier that was trained on train rows, and its predictions of test rows.

    Attributes:
        predictions: Class of each test row, (N_test,).
        logits: (N_test, classes); -inf for a class without train rows.
        accuracy: Share of the labelled test rows that are predicted right.
        train_accuracy: The same on the train rows.
        weight: (classes, D): the classifier is ``features @ weight.T + bias``.
        bias: (classes,).
        strength: Regularisation that was used; None for a training by steps.
        held_out: (strength, accuracy on held-out train rows), strongest first; empty without a choice.
    """

    predictions: np.ndarray = field(repr=False)
    logits: np.ndarray = field(repr=False)
    accuracy: float
    train_accuracy: float
    weight: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)
    strength: float | None = None
    held_out: tuple[tuple[float, float], ...] = ()


@define(frozen=True, eq=False)
class Task:
    """Checked arrays: features on the device, labels and groups on the CPU, unlabelled train rows gone."""

    train: Tensor  # (N_train, D)
    train_y: Tensor  # (N_train,)
    test: Tensor  # (N_test, D)
    test_y: Tensor  # (N_test,); negative means unlabelled
    groups: Tensor | None  # (N_train,), numbered from 0

    def result(
        self,
        weight: Tensor,
        bias: Tensor,
        strength: float | None = None,
        held_out: tuple[tuple[float, float], ...] = (),
    ) -> ProbeResult:
        """Apply a classifier, (classes, D) and (classes,), and count.

        Raises:
            ValueError: If a logit is NaN, as after a training that diverged.
        """
        logits = scores(self.test, weight, bias).cpu()
        refuse_nan(logits, "logits")
        predictions = logits.argmax(1)
        train_predictions = scores(self.train, weight, bias).argmax(1).cpu()
        return ProbeResult(
            predictions=predictions.numpy(),
            logits=logits.numpy(),
            accuracy=accuracy(predictions, self.test_y),
            train_accuracy=accuracy(train_predictions, self.train_y),
            strength=strength,
            held_out=held_out,
            weight=weight.cpu().numpy(),
            bias=bias.cpu().numpy(),
        )


def task_of(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    groups: Groups | None,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> Task:
    """Check the arrays of a protocol and bring them to `device`; rows of more than one axis are flattened.

    They keep their precision if `dtype` is None, and then share memory where they can.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a feature is not finite, or no train row is labelled.
    """
    train = as_features(_flat(as_tensor(train_x, "train_x")), "train_x")
    test = as_features(_flat(as_tensor(test_x, "test_x")), "test_x")
    same_width(train, test, "train_x and test_x")
    labels, truth = as_labels(train_y, len(train), "train_y"), as_labels(test_y, len(test), "test_y")
    group = as_groups(groups, len(train))
    rows = labelled_rows(labels)
    device = train.device if device is None else device
    return Task(
        train=(train if len(rows) == len(train) else train[rows.to(train.device)]).to(device, dtype),
        train_y=labels[rows],
        test=test.to(device, dtype),
        test_y=truth,
        groups=None if group is None else group[rows],
    )


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1) if x.ndim > 2 else x


def scores(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Scores of a linear classifier (N, classes), in the precision of its weights.

    Args:
        x: Features, (N, D); they are brought to that precision block by block.
        weight: (classes, D).
        bias: (classes,).
    """
    blocks = torch.split(x, rows_per_block(x.shape[1], None))
    return torch.cat([block.to(weight.dtype) @ weight.T + bias for block in blocks])


def with_absent_classes(weight: Tensor, bias: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Add the classes without train rows to a linear classifier; they can never be predicted.

    Args:
        weight: Rows of the classes with train rows, (K, D).
        bias: Likewise, (K,).
        present: Numbers of these classes, ascending, (K,).

    Returns:
        Weight (classes, D) and bias (classes,): 0 and -inf for the others.
    """
    classes = int(present.max()) + 1
    rows = present.to(weight.device)
    full_weight = weight.new_zeros(classes, weight.shape[1]).index_copy_(0, rows, weight)
    full_bias = bias.new_full((classes,), -torch.inf).index_copy_(0, rows, bias)
    return full_weight, full_bias


def column_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale of each column of x (N, D) in float64, both (D,); the scale of a constant one is 1."""
    std, mean = torch.std_mean(x, dim=0, correction=0)
    # what rounding in single precision leaves of a constant is noise, not to be blown up to variance 1
    constant = std <= 1e-6 * mean.abs()
    return mean, torch.where(constant, torch.ones_like(std), std)


def in_raw_units(weight: Tensor, bias: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The linear classifier for raw columns that equals ``((x - mean) / scale) @ weight.T + bias``."""
    weight = weight / scale
    return weight, bias - weight @ mean
