"""Kernel ridge regression of one-hot classes."""

from itertools import product

import torch
from attrs import define
from torch import Tensor
from torch.nn import functional

from skel_eval.protocols.task import column_statistics

WIDTHS = (0.25, 1.0, 4.0)
"""Candidates of the kernel's gamma, times the number of columns: 1 is scikit-learn's ``scale``."""
STRENGTHS = (1.0, 0.1, 0.01)
MOST_ROWS = 8192
"""Rows of which a kernel matrix is made: it takes half a gigabyte."""


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
            width: The kernel's gamma, times D.
            strength: Regularisation.
        """
        x = x.double()
        mean, scale = column_statistics(x)
        z = (x - mean) / scale
        gamma = torch.tensor(width / x.shape[1], dtype=torch.float64)
        present, target = torch.unique(y, return_inverse=True)
        wanted = functional.one_hot(target).double()
        kernel = _kernel(z, z, gamma)
        kernel.diagonal().add_(strength)
        solution = torch.linalg.solve(kernel, wanted - wanted.mean(0))
        classes = int(present.max()) + 1
        coefficients = z.new_zeros(len(z), classes).index_copy_(1, present, solution)
        bias = z.new_full((classes,), -torch.inf).index_copy_(0, present, wanted.mean(0))
        return cls(mean, scale, gamma, z, coefficients, bias)

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs (N, classes), about 1 for the right class and 0 for others; -inf for one without rows."""
        z = (x.double() - self.mean) / self.scale
        return _kernel(z, self.vectors, self.gamma) @ self.coefficients + self.bias


def choose_kernel_ridge(x: Tensor, y: Tensor, fold: Tensor) -> tuple[float, float]:
    """The width and the strength that predict held-out rows best; the wider and stronger of equals.

    Raises:
        ValueError: If there are more than `MOST_ROWS` rows.
    """
    if len(x) > MOST_ROWS:
        raise ValueError(
            f"kernel ridge regression takes up to {MOST_ROWS} labelled clips, there are {len(x)}: use a "
            "linear classifier or one with a hidden layer"
        )
    best, chosen = -1, (1.0, 0.1)
    for width, strength in product(WIDTHS, STRENGTHS):
        right = 0
        for part in torch.unique(fold):
            held = fold == part
            if held.all():
                continue
            predicted = KernelRidge.fit(x[~held], y[~held], width, strength)(x[held]).argmax(1)
            right += int((predicted == y[held]).sum())
        if right > best:
            best, chosen = right, (width, strength)
    return chosen


def _kernel(a: Tensor, b: Tensor, gamma: Tensor) -> Tensor:
    square = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    return (-gamma * square.clamp_min(0)).exp()
