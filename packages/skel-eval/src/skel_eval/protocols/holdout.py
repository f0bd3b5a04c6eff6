"""Hold-out of training rows, to choose a regularisation; never on test rows."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from skel_eval.protocols.task import Task, scores

# (train rows as a mask on the CPU (N,), strengths) -> one (weight, bias) per strength
Fit = Callable[[Tensor, Sequence[float]], list[tuple[Tensor, Tensor]]]


def choose_strength(
    fit: Fit, task: Task, strengths: Sequence[float], folds: int = 5, enough: int = 5000
) -> tuple[float, tuple[tuple[float, float], ...]]:
    """The strength whose classifiers predict held-out train rows best; the stronger one of equals.

    Folds are held out one after the other until `enough` rows were: of many rows the first fold alone tells
    strengths apart, and every further one costs as much as the last fit.

    Args:
        fit: Fits linear classifiers of several strengths to some of the train rows.
        task: The train rows are used, the test rows are not.
        strengths: What to choose from.
        folds: Largest number of held-out parts.
        enough: Number of held-out rows after which no further part is held out.

    Returns:
        The strength, and (strength, held-out accuracy) of all, strongest first; the latter is empty
        when there is only one strength or only one row, so nothing to choose or nothing to hold out.
    """
    x, y = task.train, task.train_y
    candidates = sorted(set(strengths), reverse=True)
    if len(candidates) == 1 or len(y) == 1:
        return candidates[0], ()
    fold = fold_of_rows(y, task.groups, folds)
    correct, rows = [0] * len(candidates), 0
    for part in torch.unique(fold):
        if rows >= enough:
            break
        held = fold == part
        rows += int(held.sum())
        classifiers, held_x = fit(~held, candidates), x[held.to(x.device)]
        for index, (weight, bias) in enumerate(classifiers):
            predictions = scores(held_x, weight, bias).argmax(1).cpu()
            correct[index] += int((predictions == y[held]).sum())
    best = correct.index(max(correct))
    rates = tuple((s, c / rows) for s, c in zip(candidates, correct, strict=True))
    return candidates[best], rates


def fold_of_rows(labels: Tensor, groups: Tensor | None, folds: int) -> Tensor:
    """Fold of each row, (N,), by its label (N,) and group (N,), which are numbered from 0.

    With at least two groups no group is ever split: up to `folds` groups are one fold each
    (leave one group out); more are dealt, largest first, to the fold with the fewest rows.
    Otherwise rows are dealt class by class, so that each fold has its share of each class.
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
