"""Ridge regression from features to texts.

The predicted text of a clip is a sum of the texts of the seen classes: ``responses @ texts``. So scores need
only the responses, which do not depend on the texts, and the inner products of texts. Other texts, such as
permuted ones, cost next to nothing.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from skel_eval.protocols.holdout import fold_of_rows
from skel_eval.protocols.task import column_statistics

STRENGTHS = (1e6, 1e5, 1e4, 1e3, 1e2, 1e1)
WIDEST = 1024
_BLOCK = 2**23


def prepare(train: Tensor, other: Tensor, *, narrow: bool = False) -> tuple[Tensor, Tensor]:
    """Standardise features by the columns of the training rows, and make wide ones narrower.

    Fewer rows than columns are rotated into the span of the rows, which changes nothing for ridge regression.
    More than `WIDEST` columns that are left are projected at random, always by the same matrix.

    Args:
        train: (N, D).
        other: (Q, D).
        narrow: Project wide rows in any case, as for heads that are trained.
    """
    train, other = train.double(), other.double()
    mean, scale = column_statistics(train)
    z, q = (train - mean) / scale, (other - mean) / scale
    if len(z) < z.shape[1] and len(z) <= WIDEST and not narrow:
        basis = torch.linalg.qr(z.T).Q
    elif z.shape[1] > WIDEST:
        generator = torch.Generator().manual_seed(0)
        basis = torch.randn(z.shape[1], WIDEST, generator=generator).to(z) / WIDEST**0.5
    else:
        return z, q
    return z @ basis, q @ basis


def responses(z: Tensor, y: Tensor, classes: int, query: Tensor, strengths: Sequence[float]) -> list[Tensor]:
    """How much of each class's text a ridge regression predicts, (Q, classes), for each strength.

    Minimises ||T_y - Z W - b||^2 + strength * ||W||^2 for any texts T.

    Args:
        z: Training rows, (N, D).
        y: Their classes, numbered from 0, (N,).
        classes: Number of classes.
        query: Rows to predict, (Q, D).
        strengths: All above 0.
    """
    target = functional.one_hot(y, classes).to(z)
    mean = z.mean(0)
    centred = z - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred)
    projected, moved = vectors.T @ (centred.T @ target), (query - mean) @ vectors
    share = target.mean(0)
    return [moved @ (projected / (values.clamp_min(0) + s)[:, None]) + share for s in strengths]


def relations(gram: Tensor, orders: Tensor, seen: Tensor) -> Tensor:
    """Cosines between texts that are centred by the mean of the seen ones, (P, classes, classes).

    Args:
        gram: Inner products of the texts, (classes, classes).
        orders: Which text each class has, in each of P orders, (P, classes).
        seen: Seen classes, (S,).
    """
    inner = gram[orders[:, :, None], orders[:, None, :]]
    to_mean = inner[:, :, seen].mean(2)
    of_mean = to_mean[:, seen].mean(1)[:, None, None]
    inner = inner - to_mean[:, :, None] - to_mean[:, None, :] + of_mean
    squared = inner.diagonal(dim1=1, dim2=2)
    length = torch.where(squared > 1e-12, squared.clamp_min(1e-12).sqrt(), torch.inf)
    return inner / length[:, :, None] / length[:, None, :]


def best_class(given: Tensor, between: Tensor) -> Tensor:
    """The class whose text is nearest to the predicted one, (P, Q), as a place among the candidates.

    Args:
        given: Responses, (Q, S).
        between: Cosines of the texts of the seen classes with those of the candidates, (P, S, K).
    """
    step = max(1, _BLOCK // max(1, len(given) * between.shape[2]))
    return torch.cat([(given @ some).argmax(-1) for some in torch.split(between, step)])


def class_folds(count: int, rng: np.random.Generator) -> Tensor:
    """A fold of each seen class, at least two classes in each and five folds at most, (count,)."""
    return torch.from_numpy(rng.permutation(count) % min(5, count // 2))


def choose(
    z: Tensor, y: Tensor, fold: Tensor, gram: Tensor, orders: Tensor, strengths: Sequence[float]
) -> Tensor:
    """Place of the strength that tells held-out seen classes apart best, for each order of the texts, (P,).

    Args:
        z: Clips of the seen classes, (N, D).
        y: Their classes, (N,), numbered from 0 to S - 1.
        fold: Fold of each seen class, (S,).
        gram: Inner products of all texts, (classes, classes).
        orders: Text of each seen class, (P, S).
        strengths: From strong to weak; the stronger one of equals is taken.
    """
    hits = torch.zeros(len(orders), len(strengths), dtype=torch.long, device=z.device)
    for fitted, held, asked, given in _held_out(z, y, fold, strengths):
        between = relations(gram, orders, fitted)[:, fitted][:, :, held]
        own = torch.searchsorted(held, y[asked])
        for place, one in enumerate(given):
            hits[:, place] += (best_class(one, between) == own).sum(1)
    return hits.argmax(1)


def _held_out(
    z: Tensor, y: Tensor, fold: Tensor, strengths: Sequence[float], clips: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor, list[Tensor]]]:
    """Regressions that leave a fold of the classes out, and one of the clips besides if `clips` has folds.

    Yields the fitted and the held-out classes, which clips are held out, (N,), and the responses to these.
    """
    parts = None if clips is None else torch.unique(clips)
    for part in range(int(fold.max()) + 1):
        fitted, held = (torch.nonzero(one).squeeze(1).to(z.device) for one in (fold != part, fold == part))
        asked = torch.isin(y, held)
        if clips is not None and parts is not None:
            asked |= (clips == parts[part % len(parts)]).to(z.device)
        rows = ~asked
        if bool(rows.any()):
            own = torch.searchsorted(fitted, y[rows])
            yield fitted, held, asked, responses(z[rows], own, len(fitted), z[asked], strengths)


def margins(
    given: Tensor, between: Tensor, y: Tensor, seen: Tensor, unseen: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What calibrated stacking needs to know of each clip, all (Q,).

    Args:
        given: Responses, (Q, S).
        between: Cosines of all texts, (classes, classes).
        y: Classes of the clips, (Q,).
        seen: Seen classes, (S,).
        unseen: Unseen classes, (U,).

    Returns:
        By how much the best seen class is ahead of the best unseen one, whether the best class of the clip's
        own sort is right, and whether the clip is of an unseen class.
    """
    squared = ((given @ between[seen][:, seen]) * given).sum(1, keepdim=True)
    cosines = (given @ between[seen]) / squared.clamp_min(1e-24).sqrt()
    ahead, best = cosines[:, seen].max(1)
    behind, other = cosines[:, unseen].max(1)
    novel = torch.isin(y, unseen)
    return ahead - behind, torch.where(novel, unseen[other], seen[best]) == y, novel


def rates(gap: Tensor, right: Tensor, novel: Tensor, gammas: Tensor) -> tuple[Tensor, Tensor]:
    """Accuracy on clips of seen and of unseen classes where unseen ones get + gamma, both (gammas,)."""
    found = gap[:, None] >= gammas
    known = (found & right[:, None])[~novel].double().mean(0)
    return known, (~found & right[:, None])[novel].double().mean(0)


def harmonic(known: Tensor, novel: Tensor) -> Tensor:
    """Harmonic mean; 0 where both are 0."""
    return torch.where(known + novel > 0, 2 * known * novel / (known + novel).clamp_min(1e-12), 0)


def area(gap: Tensor, right: Tensor, novel: Tensor) -> float:
    """Area under the curve of the accuracy on seen over that on unseen classes for all gamma (AUSUC)."""
    known, unknown = gap[~novel & right], gap[novel & right].contiguous()
    known = known.sort().values
    below = torch.searchsorted(known, unknown) + torch.searchsorted(known, unknown, right=True)
    pairs = 2 * len(known) * len(unknown) - int(below.sum())
    return pairs / 2 / max(1, int((~novel).sum()) * int(novel.sum()))


def choose_gamma(
    z: Tensor,
    y: Tensor,
    fold: Tensor,
    gram: Tensor,
    strength: float,
    groups: Tensor | None,
) -> float:
    """The gamma with the best harmonic mean on held-out classes and held-out clips of the seen ones.

    Args:
        z: Clips of the seen classes, (N, D).
        y: Their classes, (N,), numbered from 0 to S - 1.
        fold: Fold of each seen class, (S,).
        gram: Inner products of their texts, (S, S).
        strength: Strength of the regression.
        groups: Group of each clip on the CPU, (N,), or None.
    """
    gammas = torch.linspace(-2, 2, 401, dtype=torch.float64, device=z.device)
    order, clips = torch.arange(len(gram), device=z.device)[None], fold_of_rows(y.cpu(), groups, 5)
    found = [
        margins(given[0], relations(gram, order, fitted)[0], y[asked], fitted, held)
        for fitted, held, asked, given in _held_out(z, y, fold, (strength,), clips)
    ]
    gap, right, is_novel = (torch.cat(one) for one in zip(*found, strict=True))
    known, novel = rates(gap, right, is_novel, gammas)
    means = harmonic(known, novel)
    best = gammas[means >= means.max() - 1e-12]
    return float(best[best.abs().argmin()])
