"""Ridge regression, the baseline on raw coordinates."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from skel_eval._arrays import Array, Groups, rows_per_block
from skel_eval.protocols.holdout import Fit, choose_strength
from skel_eval.protocols.task import (
    ProbeResult,
    Task,
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
    The strength is chosen as in `linear_probe`. With more columns than rows all strengths share one
    eigendecomposition of Z Z^T; else Z^T Z is summed block by block in float64 and factorised for each.

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
    task = task_of(train_x, train_y, test_x, test_y, groups, device, None)
    fit = _fit_rows(task) if task.train.shape[1] > task.train.shape[0] else _fit_columns(task)
    strength, held_out = choose_strength(fit, task, strengths)
    weight, bias = fit(torch.ones_like(task.train_y, dtype=torch.bool), (strength,))[0]
    return task.result(weight, bias, strength, held_out)


def _fit_rows(task: Task) -> Fit:
    """Ridge regression where there are more columns than rows, by the dual problem."""

    def fit(rows: Tensor, strengths: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
        x = task.train[rows.to(task.train.device)].double()
        mean, scale = column_statistics(x)
        z = (x - mean) / scale
        target, bias, present = one_hot(task.train_y[rows])
        values, vectors = torch.linalg.eigh(z @ z.T)
        projected = vectors.T @ target.to(z)
        found = []
        for strength in strengths:
            solution = vectors @ (projected / (values.clamp_min(0) + strength)[:, None])
            weight, raw_bias = in_raw_units((z.T @ solution).T, bias.to(z), mean, scale)
            found.append(with_absent_classes(weight, raw_bias, present))
        return found

    return fit


def _fit_columns(task: Task) -> Fit:
    """Ridge regression where there are as many rows as columns or more, by the normal equations.

    The Gram matrix of some rows is that of all less that of the others. Columns are centred by the mean of
    all rows first, so that the differences lose no digits.
    """
    x = task.train
    centre = _column_statistics(x)[0]
    gram = _gram(x, centre)

    def fit(rows: Tensor, strengths: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
        others = x[~rows.to(x.device)]
        kept = x if len(others) == 0 else x[rows.to(x.device)]
        target, bias, present = one_hot(task.train_y[rows])
        mean, scale = _column_statistics(kept)
        moved = (mean - centre)[:, None]
        own = (_gram(others, centre).neg_() if len(others) else torch.zeros_like(gram)).add_(gram)
        own.addmm_(moved, moved.T, alpha=-len(kept)).div_(scale).div_(scale[:, None])
        projected = torch.zeros(x.shape[1], target.shape[1], dtype=gram.dtype, device=gram.device)
        wanted = target.to(projected)
        for block, some in zip(_blocks(kept), torch.split(wanted, _rows(kept)), strict=True):
            projected.addmm_((block - mean).T, some)
        solutions = solve_ridge(own, projected / scale[:, None], strengths)
        return [
            with_absent_classes(*in_raw_units(solution.T, bias.to(gram), mean, scale), present)
            for solution in solutions
        ]

    return fit


def one_hot(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centred one-hot classes (N, K), their means (K,), and which classes these are (K,)."""
    present, target = torch.unique(labels, return_inverse=True)
    wanted = functional.one_hot(target).double()
    means = wanted.mean(0)
    return wanted - means, means, present


def _rows(x: Tensor) -> int:
    return rows_per_block(8 * x.shape[1], None)


def _blocks(x: Tensor) -> Iterator[Tensor]:
    """Some rows at a time, in float64."""
    return (block.double() for block in torch.split(x, _rows(x)))


def _column_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """`column_statistics` of columns in any precision, some at a time."""
    parts = [column_statistics(some.double()) for some in torch.split(x, _rows(x.T), dim=1)]
    return torch.cat([mean for mean, _ in parts]), torch.cat([scale for _, scale in parts])


def _gram(x: Tensor, centre: Tensor) -> Tensor:
    """Lower triangle of the Gram matrix of the centred columns, (D, D); what is above it is left open."""
    width, step = x.shape[1], 1024
    gram = torch.zeros(width, width, dtype=torch.float64, device=x.device)
    for block in _blocks(x):
        block = block - centre
        for start in range(0, width, step):
            gram[start:, start : start + step].addmm_(block[:, start:].T, block[:, start : start + step])
    return gram


def solve_ridge(gram: Tensor, projected: Tensor, strengths: Sequence[float]) -> list[Tensor]:
    """Solutions (D, K) for each strength, from the lower triangle of a Gram matrix (D, D)."""
    found = []
    for strength in strengths:
        shifted = gram.clone()
        shifted.diagonal().add_(strength)
        factor, failed = torch.linalg.cholesky_ex(shifted)
        if failed:  # too weak for what rounding leaves of columns that depend on each other
            values, vectors = torch.linalg.eigh(gram)
            inner = (vectors.T @ projected) / (values.clamp_min(0) + strength)[:, None]
            found.append(vectors @ inner)
        else:
            found.append(torch.cholesky_solve(projected, factor))
    return found
