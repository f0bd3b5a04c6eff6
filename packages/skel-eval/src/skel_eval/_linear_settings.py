"""Settings of the linear probe."""

import math
from collections.abc import Sequence

from attrs import define, field, validators

from skel_eval._settings import (
    ABOVE_0,
    AT_LEAST_0,
    SHARE,
    only,
    refuse_long_warmup,
    refuse_unused,
    whole,
)

TRAINED = ("sgd", "adam")


def _strictly_positive(_: object, attribute: object, values: Sequence[float]) -> None:
    if len(values) == 0 or not all(0 < value < math.inf for value in values):
        raise ValueError(f"{getattr(attribute, 'name', attribute)} must be numbers above 0, got {values}")


_LBFGS, _STEPS = only(solver=("lbfgs",)), only(solver=TRAINED)
_STEP, _COSINE = only(solver=TRAINED, schedule=("step",)), only(solver=TRAINED, schedule=("cosine",))


@define(frozen=True)
class LinearProbe:
    """Settings of `linear_probe`.

    A setting that the solver, the schedule or the initialisation does not use can only have its default.
    The defaults of the sgd solver are the protocol of the CrosSCLR and AimCLR family;
    `published_protocol` has those of other methods.

    Attributes:
        solver: ``"lbfgs"``, a convex optimum on standardised features whose regularisation is chosen on
            held-out train rows; ``"sgd"`` or ``"adam"``, training for a number of epochs on the features as
            they are, as the published programs do.
        strengths: lbfgs: factors of half the squared weights to choose from, beside the mean loss.
        folds: lbfgs: parts of the train set that are held out in turn to choose the strength.
        tolerance: lbfgs: largest entry of the gradient at the optimum.
        max_iter: lbfgs: limit of the iterations of one fit.
        epochs: sgd, adam: passes over the train set; the last one is reported.
        batch_size: sgd, adam: rows per step.
        drop_last: sgd, adam: whether rows that do not fill a last step of an epoch are left out of it.
        learning_rate: sgd, adam: initial learning rate; by default 3 for sgd and 0.01 for adam.
        schedule: sgd, adam: ``"step"`` or ``"cosine"``, from the learning rate to the smallest one.
        milestones: step: epochs after which the learning rate is multiplied by gamma.
        gamma: step: that factor.
        per_step: cosine: whether the learning rate changes with every step, not with every epoch.
        min_learning_rate: cosine: the learning rate at the end.
        warmup_epochs: sgd, adam: epochs in which the learning rate first rises from 0, step by step.
        momentum: sgd: momentum of the gradient.
        nesterov: sgd: whether the momentum is Nesterov's.
        weight_decay: sgd, adam: factor of half the squared weights and biases.
        batch_norm: sgd, adam: whether features are normalised by the mean and variance of each step, and
            by the running ones afterwards, without learned scale or shift (MoCo v3, MAMP).
        init: sgd, adam: initial weights: ``"normal"`` of standard deviation init_std, ``"xavier"`` normal,
            both with biases of 0, or ``"pytorch"``, those of `torch.nn.Linear`.
        init_std: normal: standard deviation of the initial weights.
        seed: sgd, adam: seed of the initial weights and of the order of the rows.
    """

    solver: str = field(default="lbfgs", validator=validators.in_(("lbfgs", *TRAINED)))
    strengths: tuple[float, ...] = field(
        default=(1.0, 0.1, 0.01, 1e-3, 1e-4), validator=_strictly_positive, metadata=_LBFGS
    )
    folds: int = field(default=5, validator=whole(2), metadata=_LBFGS)
    tolerance: float = field(default=1e-5, validator=ABOVE_0, metadata=_LBFGS)
    max_iter: int = field(default=1000, validator=whole(1), metadata=_LBFGS)
    epochs: int = field(default=100, validator=whole(1), metadata=_STEPS)
    batch_size: int = field(default=128, validator=whole(1), metadata=_STEPS)
    drop_last: bool = field(default=False, metadata=_STEPS)
    learning_rate: float = field(validator=ABOVE_0, metadata=_STEPS)
    schedule: str = field(default="step", validator=validators.in_(("step", "cosine")), metadata=_STEPS)
    milestones: tuple[int, ...] = field(default=(80,), metadata=_STEP)
    gamma: float = field(default=0.1, validator=ABOVE_0, metadata=_STEP)
    per_step: bool = field(default=False, metadata=_COSINE)
    min_learning_rate: float = field(default=0.0, validator=AT_LEAST_0, metadata=_COSINE)
    warmup_epochs: int = field(default=0, validator=whole(0), metadata=_STEPS)
    momentum: float = field(default=0.9, validator=SHARE, metadata=only(solver=("sgd",)))
    nesterov: bool = field(default=False, metadata=only(solver=("sgd",)))
    weight_decay: float = field(default=0.0, validator=AT_LEAST_0, metadata=_STEPS)
    batch_norm: bool = field(default=False, metadata=_STEPS)
    init: str = field(
        default="normal", validator=validators.in_(("normal", "xavier", "pytorch")), metadata=_STEPS
    )
    init_std: float = field(
        default=0.02, validator=AT_LEAST_0, metadata=only(solver=TRAINED, init=("normal",))
    )
    seed: int = field(default=0, validator=whole(0), metadata=_STEPS)

    @learning_rate.default
    def _learning_rate_of_solver(self) -> float:
        return 0.01 if self.solver == "adam" else 3.0

    def __attrs_post_init__(self) -> None:
        refuse_unused(self)
        refuse_long_warmup(self.warmup_epochs, self.epochs)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
