"""Cross-stream collaborative loss of CMCS (Liu et al., IEEE THMS 2024, arXiv 2307.07791)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import Gather, Positives, at_least_float32, check_form, log_of_sum


class TwoViews(NamedTuple):
    """Predictions and targets of one stream for two views of the same clips, each (N, D)."""

    prediction1: Tensor
    prediction2: Tensor
    target1: Tensor
    target2: Tensor


def cscl(
    streams: Sequence[TwoViews],
    *,
    k: int = 2,
    agree: int = 2,
    over_positives: Positives = "each",
    gather: Gather | None = None,
    rank: int = 0,
) -> list[Tensor]:
    """Cross-stream collaborative loss: each stream learns the pseudo labels that streams agree on.

    In each stream and each of the two directions (a view's predictions against the other view's
    targets), a clip's k nearest clips of the batch and the clip itself are positives. What is positive in
    both directions, in at least `agree` streams, is a pseudo label, which every stream learns by the log
    softmax of its cosine similarities; there is no temperature.

    Args:
        streams: Predictions and targets of each stream; targets are constants here.
        k: Nearest clips that count.
        agree: Streams that must agree.
        over_positives: each: minus the sum of log softmax over the labels of a clip, as in the program of
            CMCS. sum: minus the logarithm of the sum of softmax over them, as in `info_nce`.
        gather: Joins the rows of all processes, see `Gather`; None for one process.
        rank: Rank of this process in what `gather` returns.

    Returns:
        One scalar per stream: the sum over both directions of the mean over clips.

    Raises:
        ValueError: If there is no stream, shapes differ, or k, agree or over_positives is out of range.
    """
    check_form(over_positives)
    if len({tuple(tensor.shape) for pair in streams for tensor in pair}) != 1:
        shapes = [[tuple(tensor.shape) for tensor in pair] for pair in streams]
        raise ValueError(f"expected (N, D) tensors of one shape from one stream or more, got {shapes}")
    if not 1 <= agree <= len(streams):
        raise ValueError(f"expected agree from 1 to the {len(streams)} streams, got {agree}")
    with torch.autocast(streams[0].prediction1.device.type, enabled=False):
        similarities = [
            (_similarity(s.prediction1, s.target2, gather), _similarity(s.prediction2, s.target1, gather))
            for s in streams
        ]
        total = similarities[0][0].shape[1]
        if not 1 <= k <= total:
            raise ValueError(f"expected k from 1 to the {total} clips of the batch, got {k}")
        votes = torch.stack(
            [_positives(one, k, rank) * _positives(two, k, rank) for one, two in similarities]
        )
        labels = votes.sum(0) >= agree
        return [
            -(_log_p(one, labels, over_positives) + _log_p(two, labels, over_positives))
            for one, two in similarities
        ]


def _similarity(prediction: Tensor, target: Tensor, gather: Gather | None) -> Tensor:
    """Cosine similarities (N, W * N) of predictions with the targets of all processes."""
    target = functional.normalize(at_least_float32(target.detach()), dim=1)
    everyone = target if gather is None else gather(target)
    return functional.normalize(at_least_float32(prediction), dim=1) @ everyone.T


def _positives(similarity: Tensor, k: int, rank: int) -> Tensor:
    """Ones at each row's own clip and its k nearest."""
    own = torch.arange(len(similarity), device=similarity.device)[:, None] + rank * len(similarity)
    nearest = similarity.detach().topk(k, dim=1).indices
    return torch.zeros_like(similarity).scatter_(1, torch.cat([own, nearest], dim=1), 1)


def _log_p(similarity: Tensor, labels: Tensor, over_positives: Positives) -> Tensor:
    """Mean over rows of the summed log softmax of the labels, or of the logarithm of their summed softmax."""
    log_p = functional.log_softmax(similarity, dim=1)
    if over_positives == "sum":
        return log_of_sum(log_p, labels).mean()
    return (log_p * labels).sum(1).mean()
