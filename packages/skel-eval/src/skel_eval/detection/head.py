"""Classifier of windows with a background class: logistic regression on principal components."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from skel_eval._arrays import as_features, as_groups, as_labels, same_width
from skel_eval.protocols.holdout import fold_of_rows
from skel_eval.protocols.logistic import fit_logistic
from skel_eval.protocols.task import column_statistics, scores

COMPONENTS = 256
"""Principal components of the training windows that are kept, of encoders and hand-made features alike."""
STRENGTHS = (1.0, 0.1, 0.01)
_FOLDS = 5


@torch.no_grad()
def window_probabilities(
    train_x: np.ndarray,
    train_y: np.ndarray,
    groups: np.ndarray,
    test_x: np.ndarray,
    *,
    classes: int,
    device: torch.device | str | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Class probabilities of windows; of a training window by a classifier that has not seen its group.

    Up to 5 parts of the training windows are held out, and no group is ever split. The strength of the
    regularisation is the one with the best accuracy on all held-out windows.

    Args:
        train_x: Features of the training windows, (N, D).
        train_y: Their classes, (N,); negative is background.
        groups: Group of each, (N,), at least two: subjects, or recordings.
        test_x: Features of other windows, (W, D).
        classes: Number of classes.
        device: Where to compute.

    Returns:
        Probabilities of background, then of each class, (N, 1 + classes) held out and (W, 1 + classes); and
        the strength. A class without a training window has probability 0.

    Raises:
        ValueError: If there are fewer than two groups, or shapes do not match.
    """
    x, query = as_features(train_x, "train_x"), as_features(test_x, "test_x")
    same_width(x, query, "train_x and test_x")
    y = as_labels(np.maximum(train_y, -1) + 1, len(x), "train_y")
    group = as_groups(groups, len(x))
    if group is None or int(group.max()) < 1:
        raise ValueError("windows of two groups or more are needed, to hold one out")
    z, q = _components(x.to(device, torch.float64), query.to(device, torch.float64))
    fold = fold_of_rows(y, group, _FOLDS)
    fit = partial(fit_logistic, tolerance=1e-3, max_iter=1000, standardise=False)
    held = torch.zeros(len(STRENGTHS), len(z), 1 + classes, dtype=torch.float64)
    for part in torch.unique(fold):
        rows = fold == part
        own = rows.to(z.device)
        for place, found in enumerate(fit(z[~own], y[~rows], STRENGTHS)):
            held[place, rows] = _softmax(z[own], *found, classes)
    best = int((held.argmax(2) == y).sum(1).argmax())
    (final,) = fit(z, y, (STRENGTHS[best],))
    return held[best].numpy(), _softmax(q, *final, classes).numpy(), STRENGTHS[best]


def _components(x: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """Rows in the first principal components of the standardised training rows."""
    mean, scale = column_statistics(x)
    z, q = (x - mean) / scale, (query - mean) / scale
    if z.shape[1] <= COMPONENTS:
        return z, q
    basis = torch.linalg.eigh(z.T @ z).eigenvectors[:, -COMPONENTS:]
    return z @ basis, q @ basis


def _softmax(x: Tensor, weight: Tensor, bias: Tensor, classes: int) -> Tensor:
    logits = scores(x, weight, bias).cpu()
    full = logits.new_full((len(x), 1 + classes), -torch.inf)
    full[:, : logits.shape[1]] = logits
    return full.softmax(1)
