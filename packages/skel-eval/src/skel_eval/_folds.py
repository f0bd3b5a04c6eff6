"""Parts of the train set that are held out in turn to choose a setting."""

import torch
from torch import Tensor


def fold_of_rows(labels: Tensor, groups: Tensor | None, folds: int) -> Tensor:
    """Fold of each row, (N,), a function of its arguments alone.

    With at least two groups no group is ever split: up to `folds` groups are one fold each
    (leave one group out); more are dealt, largest first, to the fold with the fewest rows.
    Otherwise rows are dealt class by class, so that each fold has its share of each class.

    Args:
        labels: Classes, (N,).
        groups: Group of each row, numbered from 0, (N,); for actions, the subject.
        folds: Largest number of folds.
    """
    if groups is not None and len(torch.unique(groups)) > 1:
        sizes = torch.bincount(groups)
        fold_of_group = torch.zeros_like(sizes)
        load = torch.zeros(folds, dtype=torch.long)
        for group in torch.argsort(sizes, descending=True, stable=True):
            lightest = int(load.argmin())
            fold_of_group[group] = lightest
            load[lightest] += sizes[group]
        return fold_of_group[groups]
    fold = torch.empty_like(labels)
    fold[torch.argsort(labels, stable=True)] = torch.arange(len(labels)) % folds
    return fold
