"""Ridge regression, the baseline on raw coordinates."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from skel_eval._arrays import Array, Groups
from skel_eval.protocols.holdout import choose_strength
from skel_eval.protocols.task import (
    ProbeResult,
    column_statistics,
    in_raw_units,
    task_of,
    with_absent_classes,
)


def ridge(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    *,
    groups: Groups | None = None,
    strengths: Sequence[float] = (1e6, 1e5, 1e4, 1e3, 1e2, 1e1),
    device: torch.device | str | None = None,
) -> ProbeResult:
    """Ridge regression of standardised columns to one-hot classes; the largest output is the prediction.

    Minimises ||Y - Z W - b||^2 + strength * ||W||^2, the convention of scikit-learn's `RidgeClassifier`.
    The strength is chosen as in `linear_probe`. All strengths share one eigendecomposition of the smaller
    one of the Gram matrices Z Z^T and Z^T Z.

    Args:
        train_x: Coordinates or features, (N_train, ...), flattened to (N_train, D).
        train_y: Classes, (N_train,); rows with a negative label are dropped.
        test_x: (N_test, ...), likewise.
        test_y: Classes, (N_test,); rows with a negative label do not count.
        groups: Group of each train row, (N_train,), as in `linear_probe`.
        strengths: What to choose from, all above 0.
        device: Where to compute; None means where `train_x` is.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a number is not finite, a strength is not above 0, or no
            train row is labelled.
    """
    if len(strengths) == 0 or not all(strength > 0 for strength in strengths):
        raise ValueError(f"strengths must be numbers above 0, got {tuple(strengths)}")
    task = task_of(train_x, train_y, test_x, test_y, groups, device, torch.float64)
    strength, held_out = choose_strength(fit_ridge, task, strengths)
    weight, bias = fit_ridge(task.train, task.train_y, (strength,))[0]
    return task.result(weight, bias, strength, held_out)


def fit_ridge(x: Tensor, y: Tensor, strengths: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
    """Weight (classes, D) and bias (classes,) for raw columns, per strength.

    A class without rows gets bias -inf.

    Args:
        x: Columns in float64, (N, D).
        y: Classes on the CPU, (N,).
        strengths: Penalties, all above 0.
    """
    mean, scale = column_statistics(x)
    z = (x - mean) / scale
    present, target = torch.unique(y, return_inverse=True)
    target = functional.one_hot(target).to(x)
    bias = target.mean(0)
    target = target - bias
    dual = z.shape[1] > z.shape[0]
    values, vectors = torch.linalg.eigh(z @ z.T if dual else z.T @ z)
    projected = vectors.T @ (target if dual else z.T @ target)
    found = []
    for strength in strengths:
        solution = vectors @ (projected / (values.clamp_min(0) + strength)[:, None])
        weight = (z.T @ solution if dual else solution).T
        found.append(with_absent_classes(*in_raw_units(weight, bias, mean, scale), present))
    return found
