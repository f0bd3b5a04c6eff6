"""InfoNCE with a queue of negatives (van den Oord et al., 2018; MoCo, He et al., CVPR 2020)."""

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import Positives, at_least_float32, check_form, log_of_sum


def contrast(query: Tensor, key: Tensor, negatives: Tensor, *, temperature: float = 0.07) -> Tensor:
    """Logits of a queue loss: similarities of queries to their key and to shared negatives.

    Computed in float32 also under autocast: at a temperature of 0.07 the rounding of a bfloat16
    similarity would move a logit by 0.1.

    Args:
        query: (N, D); normalised here, gradients flow into it.
        key: (N, D); normalised here, treated as a constant.
        negatives: (K, D) of unit length, such as `Queue.keys`.
        temperature: Divisor of the cosine similarities.

    Returns:
        Logits (N, 1 + K); column 0 is the positive.

    Raises:
        ValueError: If the shapes do not fit or the temperature is not positive.
    """
    if query.ndim != 2 or query.shape != key.shape or negatives.shape[1:] != query.shape[1:]:
        raise ValueError(
            "expected query (N, D), key (N, D), negatives (K, D), "
            f"got {tuple(query.shape)}, {tuple(key.shape)}, {tuple(negatives.shape)}"
        )
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    with torch.autocast(query.device.type, enabled=False):
        query = functional.normalize(at_least_float32(query), dim=1)
        key = functional.normalize(at_least_float32(key.detach()), dim=1)
        positive = (query * key).sum(1, keepdim=True)
        return torch.cat([positive, query @ negatives.detach().to(query.dtype).T], dim=1) / temperature


def info_nce(
    logits: Tensor, positives: Tensor | None = None, *, over_positives: Positives = "each"
) -> Tensor:
    """InfoNCE loss, with one or several positives a row; the mean over rows.

    Computed in float32 also under autocast.

    Args:
        logits: (N, L), see `contrast`.
        positives: (N, L) of zeros and ones, a one in each row; column 0 alone unless given.
        over_positives: each: minus the mean of log softmax(logits) over the positives of a row, as in the
            programs of CrosSCLR and AimCLR. sum: minus the logarithm of the sum of softmax(logits) over
            them, as in their papers.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the positives are not of the shape of the logits, or there is no such form.
    """
    check_form(over_positives)
    log_p = functional.log_softmax(at_least_float32(logits), dim=1)
    if positives is None:
        return -log_p[:, 0].mean()
    if positives.shape != logits.shape:
        raise ValueError(f"expected positives {tuple(logits.shape)}, got {tuple(positives.shape)}")
    if over_positives == "sum":
        return -log_of_sum(log_p, positives).mean()
    return -((log_p * positives).sum(1) / positives.sum(1)).mean()
