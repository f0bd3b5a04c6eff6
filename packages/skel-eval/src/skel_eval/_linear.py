"""The linear probe: how much a linear classifier can read from frozen features."""

from functools import partial

import torch

from skel_eval._arrays import Array, Groups
from skel_eval._choice import choose_strength
from skel_eval._linear_settings import LinearProbe
from skel_eval._logistic import fit_logistic
from skel_eval._sgd import fit_sgd
from skel_eval._task import ProbeResult, task_of


def linear_probe(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    *,
    settings: LinearProbe | None = None,
    groups: Groups | None = None,
    device: torch.device | str | None = None,
) -> ProbeResult:
    """Train a linear classifier on the train features and apply it to the test features.

    Nothing is fitted to or chosen on the test rows; `test_y` is used for the accuracy alone. The
    regularisation of the lbfgs solver is the one with the best accuracy on held-out train rows, the
    stronger one of equals; afterwards it is fitted to all train rows, in float64. The other solvers
    compute in float64 if the train features are, else in float32.

    Args:
        train_x: Features, (N_train, D); rows of more than one axis are flattened.
        train_y: Classes, (N_train,); rows with a negative label are dropped.
        test_x: Features, (N_test, D).
        test_y: Classes, (N_test,); rows with a negative label do not count.
        settings: How to train; None means `LinearProbe()`.
        groups: Group of each train row, (N_train,), for instance its subject: no group is split between
            the fitted and the held-out part. None holds out stratified parts.
        device: Where to compute; None means where `train_x` is.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a feature is not finite, or no train row is labelled.
    """
    settings = settings or LinearProbe()
    exact = settings.solver == "lbfgs" or "float64" in str(getattr(train_x, "dtype", None))
    dtype = torch.float64 if exact else torch.float32
    task = task_of(train_x, train_y, test_x, test_y, groups, device, dtype)
    if settings.solver != "lbfgs":
        return task.result(*fit_sgd(task.train, task.train_y, settings))
    fit = partial(fit_logistic, tolerance=settings.tolerance, max_iter=settings.max_iter)
    strength, held_out = choose_strength(fit, task, settings.strengths, settings.folds)
    weight, bias = fit(task.train, task.train_y, (strength,))[0]
    return task.result(weight, bias, strength, held_out)
