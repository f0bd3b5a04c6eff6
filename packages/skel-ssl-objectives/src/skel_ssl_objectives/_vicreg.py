"""VICReg (Bardes et al., ICLR 2022, arXiv 2105.04906) for any number of views; its forms in USDRL, UmURL."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import Gather, at_least_float32

_TINY = 1e-12


def vicreg(
    views: Sequence[Tensor],
    *,
    invariance_weight: float = 10.0,
    variance_weight: float = 5.0,
    covariance_weight: float = 1.0,
    gather: Gather | None = None,
) -> dict[str, Tensor]:
    """VICReg of K views: variance, invariance, covariance.

    Invariance is the sum over views of the mean squared distance to the mean of the views. Variance and
    covariance are the sums over views of `variance_loss` and `covariance_loss`. With two views the paper's
    weights, 25, 25 and 1, are 50, 12.5 and 1 here, as their distance to their mean is half of what lies
    between them. Computed in float32 also under autocast.

    Args:
        views: (N, D) projections of each view of the same clips, two views or more.
        invariance_weight: Weight of the invariance.
        variance_weight: Weight of the variance term.
        covariance_weight: Weight of the covariance term.
        gather: Joins the rows of all processes, see `Gather`; then the terms are those of the whole batch.
            None for one process.

    Returns:
        The terms ``invariance``, ``variance`` and ``covariance``, each times its weight; VICReg minimises
        their sum.

    Raises:
        ValueError: If there are fewer than two views or two rows, or the shapes differ.
    """
    with _full_precision(views):
        whole = _whole(views, gather)
        return {
            "invariance": invariance_weight * _to_mean(whole),
            **_regularisers(whole, variance_weight, covariance_weight),
        }


def usdrl(
    views: Sequence[Tensor],
    *,
    similarity_weight: float = 5.0,
    variance_weight: float = 5.0,
    covariance_weight: float = 1.0,
    correlation_weight: float = 0.0,
    off_diagonal: float = 0.005,
    gather: Gather | None = None,
) -> dict[str, Tensor]:
    """USDRL's feature decorrelation (Weng et al., AAAI 2025, arXiv 2412.09220): VICReg around the last view.

    All views but the last are drawn to the last one and to their own mean. The defaults are those of USDRL+
    (arXiv 2508.12586); a ``correlation_weight`` of 0.001 is USDRL. Computed in float32 also under autocast.

    Args:
        views: (N, D) projections of each view of the same clips, two views or more; the papers have four.
        similarity_weight: Weight of the mean squared distances.
        variance_weight: Weight of the variance term, see `variance_loss`.
        covariance_weight: Weight of the covariance term, see `covariance_loss`.
        correlation_weight: Weight of the sum of `cross_correlation` over all pairs of views; with 0 it is not
            computed.
        off_diagonal: See `cross_correlation`.
        gather: Joins the rows of all processes, see `Gather`; then the terms are those of the whole batch.
            None for one process.

    Returns:
        The terms ``similarity``, ``variance``, ``covariance`` and, if it has a weight, ``correlation``, each
        times its weight; USDRL minimises their sum.

    Raises:
        ValueError: If there are fewer than two views or two rows, or the shapes differ.
    """
    with _full_precision(views):
        whole = _whole(views, gather)
        *others, last = whole
        similarity = _total(functional.mse_loss(view, last) for view in others) + _to_mean(others)
        terms = {
            "similarity": similarity_weight * similarity,
            **_regularisers(whole, variance_weight, covariance_weight),
        }
        if correlation_weight:
            pairs = combinations(whole, 2)
            total = _total(cross_correlation(*pair, off_diagonal=off_diagonal) for pair in pairs)
            terms["correlation"] = correlation_weight * total
        return terms


def umurl(
    single: Sequence[Tensor],
    fused: Sequence[Tensor],
    *,
    consistency_weight: float = 5.0,
    variance_weight: float = 5.0,
    covariance_weight: float = 1.0,
    gather: Gather | None = None,
) -> dict[str, Tensor]:
    """UmURL's multi-modal consistency (Sun et al., ACM MM 2023, arXiv 2311.03106): VICReg over modalities.

    Each modality is drawn to what the fused feature says of it (intra-modal), and to the mean of all
    modalities (inter-modal). Computed in float32 also under autocast.

    Args:
        single: (N, D) projections of each modality seen alone, two modalities or more.
        fused: (N, D) projections of the fused feature, one for each modality, in the same order.
        consistency_weight: Weight of the mean squared distances.
        variance_weight: Weight of the variance term, see `variance_loss`.
        covariance_weight: Weight of the covariance term, see `covariance_loss`.
        gather: Joins the rows of all processes, see `Gather`; then the terms are those of the whole batch.
            None for one process.

    Returns:
        The terms ``intra``, ``inter``, ``variance`` and ``covariance``, each times its weight; UmURL
        minimises their sum.

    Raises:
        ValueError: If there are fewer than two modalities or two rows, or numbers or shapes differ.
    """
    if len(single) != len(fused):
        raise ValueError(
            f"expected a fused projection for each modality, got {len(fused)} of {len(single)} modalities"
        )
    with _full_precision(single):
        whole = _whole([*single, *fused], gather, fewest=4)
        alone, together = whole[: len(single)], whole[len(single) :]
        pairs = zip(alone, together, strict=True)
        return {
            "intra": consistency_weight * _total(functional.mse_loss(*pair) for pair in pairs),
            "inter": consistency_weight * _to_mean(alone),
            **_regularisers(whole, variance_weight, covariance_weight),
        }


def variance_loss(
    features: Tensor, *, target_std: float = 1.0, epsilon: float = 1e-4, gather: Gather | None = None
) -> Tensor:
    """Variance term of VICReg: a hinge on the standard deviation of each dimension over the batch.

    The mean over dimensions of relu(target_std - sqrt(variance + epsilon)), with the unbiased variance
    (equation 1).

    Args:
        features: (N, D).
        target_std: Standard deviation at or above which a dimension costs nothing.
        epsilon: Added to the variance, so that its root has a gradient where a dimension is constant.
        gather: See `vicreg`.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If there are fewer than two rows.
    """
    with _full_precision([features]):
        (features,) = _whole([features], gather, fewest=1)
        return functional.relu(target_std - (features.var(0) + epsilon).sqrt()).mean()


def covariance_loss(features: Tensor, *, gather: Gather | None = None) -> Tensor:
    """Covariance term of VICReg: the sum of squared covariances of different dimensions, divided by D.

    Equation 4 of the paper, with N - 1 in the covariance. Where D is larger than N the D x D matrix is not
    built: its squares sum up to those of the N x N products of the rows.

    Args:
        features: (N, D).
        gather: See `vicreg`.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If there are fewer than two rows.
    """
    with _full_precision([features]):
        (features,) = _whole([features], gather, fewest=1)
        count, dim = features.shape
        centred = features - features.mean(0)
        products = centred @ centred.T if count < dim else centred.T @ centred
        diagonal = centred.square().sum(0)
        return (products.square().sum() - diagonal.square().sum()) / ((count - 1) ** 2 * dim)


def cross_correlation(
    first: Tensor, second: Tensor, *, off_diagonal: float = 0.005, gather: Gather | None = None
) -> Tensor:
    """Cross-correlation term of USDRL: `barlow_twins` as its program computes it.

    Features are divided by the unbiased standard deviation but correlations by N, so that those of a view
    with itself are (N - 1) / N.

    Args:
        first: (N, D) projections of one view.
        second: (N, D) projections of the other view of the same clips.
        off_diagonal: Weight of the correlations of different dimensions.
        gather: See `vicreg`.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the shapes differ or there are fewer than two rows.
    """
    with _full_precision([first, second]):
        whole = _whole([first, second], gather)
        count, dim = whole[0].shape
        first, second = (x - x.mean(0) for x in whole)
        first, second = (x * x.var(0).clamp_min(_TINY).rsqrt() for x in (first, second))
        diagonal = (first * second).sum(0) / count
        if count < dim:
            squares = ((first @ first.T) * (second @ second.T)).sum()
        else:
            squares = (first.T @ second).square().sum()
        beside = squares / count**2 - diagonal.square().sum()
        return (1 - diagonal).square().sum() + off_diagonal * beside


def _regularisers(views: Sequence[Tensor], variance: float, covariance: float) -> dict[str, Tensor]:
    return {
        "variance": variance * _total(variance_loss(view) for view in views),
        "covariance": covariance * _total(covariance_loss(view) for view in views),
    }


def _to_mean(views: Sequence[Tensor]) -> Tensor:
    """The sum of the mean squared distances of views to their mean."""
    mean = torch.stack(list(views)).mean(0)
    return _total(functional.mse_loss(view, mean) for view in views)


def _total(terms: Iterator[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def _full_precision(views: Sequence[Tensor]) -> torch.autocast:
    return torch.autocast(views[0].device.type if views else "cpu", enabled=False)


def _whole(views: Sequence[Tensor], gather: Gather | None, fewest: int = 2) -> list[Tensor]:
    """The rows of all processes in each view, in float32 at least."""
    shapes = [tuple(view.shape) for view in views]
    if len(views) < fewest or len(set(shapes)) > 1 or len(shapes[0]) != 2:
        several = "(N, D) tensors of two views or more"
        wanted = {1: "an (N, D) tensor", 2: several}.get(fewest, "(N, D) tensors of two modalities or more")
        raise ValueError(f"expected {wanted}, got {', '.join(map(str, shapes)) or 'none'}")
    whole = [at_least_float32(view) for view in views]
    if gather is not None:
        whole = [gather(view) for view in whole]
    if len(whole[0]) < 2:
        raise ValueError("a variance over the batch needs two clips or more, got 1")
    return whole
