"""Folds of the labelled clips: what probabilities and thresholds are chosen on."""

import torch
from torch import Tensor

from skel_eval.protocols.holdout import fold_of_rows

FOLDS = 5


def folds_of(labels: Tensor, groups: Tensor | None) -> Tensor:
    """Fold of each row, (N,).

    Groups stay whole, unless some class has all its rows in one group: it could not be learned while that
    group is held out, so rows are dealt class by class.

    Args:
        labels: Classes (N,).
        groups: Group of each row (N,), such as its subject; None for none.
    """
    if groups is not None:
        _, numbered = torch.unique(groups, return_inverse=True)
        pairs = torch.unique(torch.stack([labels, numbered]), dim=1)
        if int(torch.bincount(pairs[0])[torch.unique(labels)].min()) > 1:
            return fold_of_rows(labels, numbered, FOLDS)
    return fold_of_rows(labels, None, FOLDS)
