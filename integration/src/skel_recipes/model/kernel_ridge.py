"""Kernel ridge regression of one-hot classes, with the Gaussian (RBF) kernel."""

import torch
from attrs import define
from torch import Tensor
from torch.nn import functional

from skel_eval.protocols.task import column_statistics

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Candidates of the kernel's gamma, as multiples of 1 / median squared distance."""
STRENGTHS = (1.0, 0.1, 0.01, 1e-3)
MOST_ROWS = 4096
"""Rows of which a kernel matrix is made."""


@define(frozen=True, eq=False)
class KernelRidge:
    """Outputs exp(-gamma ||z - z_i||^2) @ coefficients + bias, on standardised columns z."""

    mean: Tensor
    scale: Tensor
    gamma: Tensor
    vectors: Tensor
    coefficients: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, x: Tensor, y: Tensor, width: float, strength: float) -> "KernelRidge":
        """Minimise the squared error of centred one-hot classes + strength * the norm in the kernel's space.

        Args:
            x: Features (N, D).
            y: Classes (N,).
            width: The kernel's gamma, times the median squared distance of two rows.
            strength: Regularisation.
        """
        x = x.double()
        mean, scale = column_statistics(x)
        z = (x - mean) / scale
        square = _squared_distances(z, z)
        gamma = torch.tensor(width / _median(square), dtype=torch.float64)
        solution, means, present = _solve((-gamma * square).exp(), y, strength)
        classes = int(present.max()) + 1
        coefficients = z.new_zeros(len(z), classes).index_copy_(1, present, solution)
        bias = z.new_full((classes,), -torch.inf).index_copy_(0, present, means)
        return cls(mean, scale, gamma, z, coefficients, bias)

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs (N, classes), about 1 for the right class and 0 for others; -inf for one without rows."""
        z = (x.double() - self.mean) / self.scale
        kernel = (-self.gamma * _squared_distances(z, self.vectors)).exp()
        return kernel @ self.coefficients + self.bias


def choose_kernel_ridge(x: Tensor, y: Tensor, fold: Tensor) -> tuple[float, float]:
    """The width and the strength that predict held-out rows best; the smoothest of equals.

    Args:
        x: Features (N, D).
        y: Classes (N,).
        fold: Part of each row that it is held out with, (N,).

    Raises:
        ValueError: If there are more than `MOST_ROWS` rows.
    """
    if len(x) > MOST_ROWS:
        raise ValueError(
            f"kernel ridge regression takes up to {MOST_ROWS} labelled clips, there are {len(x)}: use a "
            "linear classifier or one with a hidden layer"
        )
    x = x.double()
    mean, scale = column_statistics(x)
    square = _squared_distances((x - mean) / scale, (x - mean) / scale)
    median = _median(square)
    best, chosen = -1, (WIDTHS[0], STRENGTHS[0])
    for width in WIDTHS:
        kernel = (-width / median * square).exp()
        for strength in STRENGTHS:
            right = 0
            for part in torch.unique(fold):
                held = fold == part
                if not held.all():
                    solution, means, present = _solve(kernel[~held][:, ~held], y[~held], strength)
                    outputs = kernel[held][:, ~held] @ solution + means
                    right += int((present[outputs.argmax(1)] == y[held]).sum())
            if right > best:
                best, chosen = right, (width, strength)
    return chosen


def _solve(kernel: Tensor, y: Tensor, strength: float) -> tuple[Tensor, Tensor, Tensor]:
    """Coefficients (N, K), the share of each class (K,), and which classes these are (K,)."""
    present, target = torch.unique(y, return_inverse=True)
    wanted = functional.one_hot(target).double()
    means = wanted.mean(0)
    shifted = kernel + strength * torch.eye(len(kernel), dtype=kernel.dtype)
    return torch.linalg.solve(shifted, wanted - means), means, present


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    lengths = a.square().sum(1)[:, None] + b.square().sum(1)
    return lengths.addmm_(a, b.T, alpha=-2).clamp_min_(0)


def _median(square: Tensor) -> float:
    """Median squared distance of two different rows; 1 if there is none, or most rows are equal."""
    above = square[torch.ones_like(square, dtype=torch.bool).triu_(1)]
    return (float(above.median()) if len(above) else 0.0) or 1.0
