"""What every protocol with a trained linear classifier takes in and gives back."""

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
    same_width,
)
from skel_eval._metrics import accuracy


@define(frozen=True, eq=False)
class ProbeResult:
    """What `linear_probe` or `ridge` found.

    Attributes:
        predictions: Class of each test row, (N_test,).
        logits: (N_test, classes); -inf for a class without train rows.
        accuracy: Share of the labelled test rows that are predicted right.
        train_accuracy: The same on the train rows.
        strength: Regularisation that was used; None for the solvers sgd and adam.
        held_out: (strength, accuracy on held-out train rows), strongest first; empty without a choice.
        weight: (classes, D): the classifier is ``features @ weight.T + bias``.
        bias: (classes,).
    """

    predictions: np.ndarray = field(repr=False)
    logits: np.ndarray = field(repr=False)
    accuracy: float
    train_accuracy: float
    strength: float | None
    held_out: tuple[tuple[float, float], ...]
    weight: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)


@define(frozen=True, eq=False)
class Task:
    """Checked arrays: features on the device, labels and groups on the CPU, unlabelled train rows gone.

    Attributes:
        train: (N_train, D).
        train_y: (N_train,).
        test: (N_test, D).
        test_y: (N_test,); negative means unlabelled.
        groups: (N_train,), numbered from 0, or None.
    """

    train: Tensor
    train_y: Tensor
    test: Tensor
    test_y: Tensor
    groups: Tensor | None

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
        logits = (self.test @ weight.T + bias).cpu()
        refuse_nan(logits, "logits")
        predictions = logits.argmax(1)
        train_predictions = (self.train @ weight.T + bias).argmax(1).cpu()
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
    dtype: torch.dtype,
) -> Task:
    """Check the arrays of a protocol and bring them to `device`; rows of more than one axis are flattened.

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
        train=train[rows.to(train.device)].to(device, dtype),
        train_y=labels[rows],
        test=test.to(device, dtype),
        test_y=truth,
        groups=None if group is None else group[rows],
    )


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1) if x.ndim > 2 else x
