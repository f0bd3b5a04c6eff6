"""The linear probe: how much a linear classifier can read from frozen features."""

import math
from collections.abc import Sequence
from functools import partial

import torch
from attrs import define, field, validators

from skel_eval._arrays import Array, Groups
from skel_eval._choice import choose_strength
from skel_eval._logistic import fit_logistic
from skel_eval._sgd import fit_sgd
from skel_eval._task import ProbeResult, task_of


def _strictly_positive(_: object, attribute: object, values: Sequence[float]) -> None:
    if len(values) == 0 or not all(0 < value < math.inf for value in values):
        raise ValueError(f"{getattr(attribute, 'name', attribute)} must be numbers above 0, got {values}")


@define(frozen=True)
class LinearProbe:
    """Settings of `linear_probe`.

    Attributes:
        solver: ``"lbfgs"``, a convex optimum on standardised features whose regularisation is chosen on
            held-out train rows; or ``"sgd"``, the published protocol of the CrosSCLR and AimCLR family.
        strengths: lbfgs: factors of half the squared weights to choose from, beside the mean loss.
        folds: lbfgs: parts of the train set that are held out in turn to choose the strength.
        tolerance: lbfgs: largest entry of the gradient at the optimum.
        max_iter: lbfgs: limit of the iterations of one fit.
        epochs: sgd: passes over the train set; the last one is reported.
        batch_size: sgd: rows per step.
        learning_rate: sgd: initial learning rate.
        milestones: sgd: epochs after which the learning rate is divided by 10.
        momentum: sgd: momentum of the gradient.
        weight_decay: sgd: factor of half the squared weights.
        init_std: sgd: standard deviation of the initial weights; biases start at 0.
        seed: sgd: seed of the initial weights and of the order of the rows.
    """

    solver: str = field(default="lbfgs", validator=validators.in_(("lbfgs", "sgd")))
    strengths: tuple[float, ...] = field(default=(1.0, 0.1, 0.01, 1e-3, 1e-4), validator=_strictly_positive)
    folds: int = field(default=5, validator=validators.ge(2))
    tolerance: float = field(default=1e-5, validator=validators.gt(0))
    max_iter: int = field(default=1000, validator=validators.ge(1))
    epochs: int = field(default=100, validator=validators.ge(1))
    batch_size: int = field(default=128, validator=validators.ge(1))
    learning_rate: float = field(default=3.0, validator=validators.gt(0))
    milestones: tuple[int, ...] = (80,)
    momentum: float = field(default=0.9, validator=validators.ge(0))
    weight_decay: float = field(default=0.0, validator=validators.ge(0))
    init_std: float = field(default=0.02, validator=validators.ge(0))
    seed: int = 0


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
    stronger one of equals; afterwards it is fitted to all train rows, in float64.

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
    dtype = torch.float64 if settings.solver == "lbfgs" else torch.float32
    task = task_of(train_x, train_y, test_x, test_y, groups, device, dtype)
    if settings.solver == "sgd":
        weight, bias = fit_sgd(
            task.train,
            task.train_y,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            milestones=settings.milestones,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            init_std=settings.init_std,
            seed=settings.seed,
        )
        return task.result(weight, bias)
    fit = partial(fit_logistic, tolerance=settings.tolerance, max_iter=settings.max_iter)
    strength, held_out = choose_strength(fit, task, settings.strengths, settings.folds)
    weight, bias = fit(task.train, task.train_y, (strength,))[0]
    return task.result(weight, bias, strength, held_out)
