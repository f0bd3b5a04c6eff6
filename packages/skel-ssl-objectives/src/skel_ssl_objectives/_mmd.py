"""Maximum mean discrepancy (Gretton et al., JMLR 2012), as DAN (Long et al., ICML 2015) uses it."""

import torch
from torch import Tensor

from skel_ssl_objectives._common import at_least_float32


def mmd(first: Tensor, second: Tensor, *, kernels: int = 5) -> Tensor:
    """Squared maximum mean discrepancy: how far apart the distributions of two sets of features are.

    The biased estimate with a sum of Gaussian kernels exp(-d^2 / w). The middle width w is the mean squared
    distance of different rows, which gets no gradient; each other one is twice or half of the next.
    Computed in float32 also under autocast.

    Args:
        first: (N, D) features, such as those of labelled clips of one data set.
        second: (M, D) features, such as those of unlabelled clips of another one.
        kernels: Number of kernels.

    Returns:
        The loss, a scalar, 0 for equal sets.

    Raises:
        ValueError: If the features have another shape, or there are no kernels.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"expected features (N, D) and (M, D), got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    if kernels < 1:
        raise ValueError(f"expected one kernel or more, got {kernels}")
    with torch.autocast(first.device.type, enabled=False):
        rows = torch.cat([at_least_float32(first), at_least_float32(second)])
        rows = rows - rows.mean(0)  # smaller numbers, for the differences of squares
        norms, count = rows.square().sum(1), len(rows)
        squared = (norms[:, None] + norms - 2 * rows @ rows.T).clamp_min(0)
        middle = (squared.detach().sum() / (count * (count - 1))).clamp_min(1e-12)
        kernel = sum(
            (squared / (middle * 2.0 ** (number - kernels // 2))).neg().exp() for number in range(kernels)
        )
        sign = torch.cat([rows.new_full((len(x),), one / len(x)) for x, one in ((first, 1), (second, -1))])
        return sign @ torch.as_tensor(kernel) @ sign
