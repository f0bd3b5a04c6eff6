"""Feature diagnostics without labels: effective rank, alignment, uniformity, instance retrieval."""

import math

import torch

from skel_eval._arrays import Array, as_count, as_features, same_width, unit_rows
from skel_eval.protocols.knn import nearest


@torch.no_grad()
def feature_health(x: Array) -> dict[str, float]:
    """How much of the feature space is in use.

    `std` is the standard deviation of the L2-normalised features, averaged over the dimensions: 0 for
    a constant feature, 1 / sqrt(D) for directions spread evenly (Chen & He 2021, section 4.1).
    `effective_rank` is the exponential of the entropy of the singular values divided by their sum (Roy &
    Vetterli 2007; RankMe, Garrido et al. 2023): between 1 and min(N, D). Features are not centred, so that a
    constant feature has rank 1 and not the rank of its rounding errors.

    Args:
        x: Features, (N, D).
    """
    features = as_features(x, "x").double()
    std = unit_rows(features).std(0, correction=0).mean()
    singular = torch.linalg.svdvals(features)
    share = singular / singular.sum().clamp_min(torch.finfo(singular.dtype).tiny)
    entropy = torch.special.entr(share).sum()
    return {"std": float(std), "effective_rank": float(entropy.exp())}


@torch.no_grad()
def instance_retrieval(a: Array, b: Array, *, chunk: int = 1024) -> float:
    """Share of the rows of `a` whose most similar row of `b`, by cosine, has the same number.

    With features of two views of the same clips this watches a training without labels: 1 / N when
    the encoder tells clips apart no better than chance, 1 when it always finds the other view.

    Args:
        a: Features of one view, (N, D).
        b: Features of the other view, (N, D), rows in the same order.
        chunk: Rows of `a` per block.

    Raises:
        ValueError: If the shapes differ.
    """
    first, second = _pair(a, b)
    found = nearest(unit_rows(first), unit_rows(second), 1, as_count(chunk, "chunk"))[1].squeeze(1)
    return float((found == torch.arange(len(found), device=found.device)).double().mean())


@torch.no_grad()
def alignment(a: Array, b: Array) -> float:
    """Mean squared distance between the normalised features of two views (Wang & Isola 2020, alpha = 2).

    Args:
        a: Features of one view, (N, D).
        b: Features of the other view, (N, D), rows in the same order.

    Raises:
        ValueError: If the shapes differ.
    """
    first, second = _pair(a, b)
    difference = unit_rows(first) - unit_rows(second)
    return float(difference.square().sum(1).double().mean())


@torch.no_grad()
def uniformity(x: Array, *, t: float = 2.0, chunk: int = 1024) -> float:
    """Log of the mean Gaussian potential over all pairs of normalised features (Wang & Isola 2020).

    0 for a constant feature; the lower, the more evenly the features cover the sphere.

    Args:
        x: Features, (N, D), at least two rows.
        t: Sharpness of the potential.
        chunk: Rows per block.

    Raises:
        ValueError: If there is only one row.
    """
    features = unit_rows(as_features(x, "x"))
    count = len(features)
    if count < 2:
        raise ValueError(f"uniformity needs at least two rows, got {count}")
    chunk, total = as_count(chunk, "chunk"), 0.0
    for start in range(0, count, chunk):
        block = features[start : start + chunk]
        potential = torch.exp(2 * t * (block @ features.T - 1))
        potential[:, start : start + chunk].fill_diagonal_(0)  # a row is not a pair with itself
        total += float(potential.sum(dtype=torch.float64))
    return math.log(total / (count * (count - 1)))


def _pair(a: Array, b: Array) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = as_features(a, "a"), as_features(b, "b")
    same_width(first, second, "a and b")
    if len(first) != len(second):
        raise ValueError(f"a and b must have the same rows, got {len(first)} and {len(second)}")
    return first, second.to(first.device, first.dtype)
