"""Linear probe: how much a linear classifier can read from frozen features."""

import math
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from attrs import asdict, define, field, validators
from torch import Tensor
from torch.nn import functional

from skel_eval._arrays import Array, Groups
from skel_eval._feature_set import FeatureSet
from skel_eval.protocols.holdout import choose_strength
from skel_eval.protocols.logistic import fit_logistic
from skel_eval.protocols.protocol import Outcome, classified
from skel_eval.protocols.task import ProbeResult, task_of, with_absent_classes
from skel_eval.protocols.training import (
    ABOVE_0,
    AT_LEAST_0,
    SHARE,
    TrainingSettings,
    build_optimizer,
    step_sizes,
    strictly_positive,
    whole,
)

_NORM_MOMENTUM, _NORM_EPS = 0.1, 1e-6  # of MAMP's BatchNorm


@define(frozen=True)
class LBFGS:
    """Logistic regression on standardised features, to its optimum.

    Attributes:
        strengths: Factors of half the squared weights, added to the mean loss; the one with the best accuracy
            on held-out training rows is chosen.
        tolerance: Largest entry of the gradient at the optimum.
        max_iter: Limit of the iterations of one fit.
    """

    name: ClassVar[str] = "lbfgs"
    strengths: tuple[float, ...] = field(default=(1.0, 0.1, 0.01, 1e-3, 1e-4), validator=strictly_positive)
    tolerance: float = field(default=1e-5, validator=ABOVE_0)
    max_iter: int = field(default=1000, validator=whole(1))


@define(frozen=True, kw_only=True)
class _Steps(TrainingSettings):
    """Training of a linear layer by steps, as the published programs do it.

    Attributes:
        batch_norm: Whether features are normalised by the mean and variance of each step, and by the running
            ones afterwards, without learned scale or shift (MoCo v3, MAMP).
        init: Initial weights: "normal" of standard deviation init_std, "xavier" normal, both with biases of
            0, or "pytorch", those of `torch.nn.Linear`.
        init_std: normal: standard deviation of the initial weights.
        mean_logits: A joint head on several encoders: train the mean of their logits, as CrosSCLR does, and
            not the sum, as CMCS does. The steps are those of a smaller learning rate.
    """

    batch_norm: bool = False
    init: Literal["normal", "xavier", "pytorch"] = field(
        default="normal", validator=validators.in_(("normal", "xavier", "pytorch"))
    )
    init_std: float = field(default=0.02, validator=AT_LEAST_0)
    mean_logits: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.init != "normal":
            self._refuse("init_std", because=f"init {self.init!r}")


@define(frozen=True, kw_only=True)
class SGD(_Steps):
    """SGD on the features as they are; the defaults are those of the CrosSCLR and AimCLR family.

    Attributes:
        momentum: Momentum of the gradient.
        nesterov: Whether the momentum is Nesterov's.
    """

    name: ClassVar[str] = "sgd"
    momentum: float = field(default=0.9, validator=SHARE)
    nesterov: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")


@define(frozen=True, kw_only=True)
class Adam(_Steps):
    """Adam on the features as they are.

    Attributes:
        learning_rate: Initial learning rate.
    """

    name: ClassVar[str] = "adam"
    learning_rate: float = field(default=0.01, validator=ABOVE_0)


Solver = LBFGS | SGD | Adam


@define(frozen=True)
class LinearProbe:
    """Linear probe on frozen features.

    Attributes:
        solver: How the linear classifier is trained; `published_protocol` has settings of published programs.
        fusion: Of several streams or runs: late trains a classifier for each and adds their logits (AimCLR);
            joint trains one on the features of all (CrosSCLR, CMCS).
    """

    fuses: ClassVar[Literal["logits", "features"]] = "logits"
    title: ClassVar[str] = "linear"
    solver: Solver = field(factory=LBFGS, validator=validators.instance_of(Solver))
    fusion: Literal["late", "joint"] = field(default="late", validator=validators.in_(("late", "joint")))

    def __call__(self, features: FeatureSet, *, device: str | None = None, encoders: int = 1) -> Outcome:
        """Train on the training rows, predict the test rows; the main metric is the accuracy.

        Args:
            features: The features.
            device: Where to compute.
            encoders: How many encoders the features are of, side by side.
        """
        probe = linear_probe(
            *features.arrays(),
            solver=self.solver,
            groups=features.train_groups,
            device=device,
            encoders=encoders,
        )
        used = {"solver": self.solver.name, "regularisation": probe.strength, **asdict(self.solver)}
        return classified(features, probe.predictions, probe.logits, used)


def linear_probe(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    *,
    solver: Solver | None = None,
    groups: Groups | None = None,
    device: torch.device | str | None = None,
    encoders: int = 1,
) -> ProbeResult:
    """Train a linear classifier on the train features and apply it to the test features.

    Nothing is fitted to or chosen on the test rows; `test_y` is used for the accuracy alone. The
    regularisation of `LBFGS` is the one with the best accuracy on held-out train rows, the stronger one of
    equals; afterwards it is fitted to all train rows, in float64. `SGD` and `Adam` compute in float64 if the
    train features are, else in float32.

    Args:
        train_x: Features, (N_train, D); rows of more than one axis are flattened.
        train_y: Classes, (N_train,); rows with a negative label are dropped.
        test_x: Features, (N_test, D).
        test_y: Classes, (N_test,); rows with a negative label do not count.
        solver: How to train; None means `LBFGS()`.
        groups: Group of each train row, (N_train,), for instance its subject: no group is split between
            the fitted and the held-out part. None holds out stratified parts.
        device: Where to compute; None means where `train_x` is.
        encoders: How many encoders the features are of, side by side. `SGD` then trains as if each had a
            classifier of its own, with a bias, and their logits were added, or averaged (`mean_logits`).

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a feature is not finite, no train row is labelled, or the
            training diverges.
    """
    solver = LBFGS() if solver is None else solver
    exact = isinstance(solver, LBFGS) or "float64" in str(getattr(train_x, "dtype", None))
    dtype = torch.float64 if exact else torch.float32
    task = task_of(train_x, train_y, test_x, test_y, groups, device, dtype)
    if not isinstance(solver, LBFGS):
        return task.result(*_train(task.train, task.train_y, solver, encoders))
    fit = partial(fit_logistic, tolerance=solver.tolerance, max_iter=solver.max_iter)
    strength, held_out = choose_strength(
        lambda rows, some: fit(task.train[rows.to(task.train.device)], task.train_y[rows], some),
        task,
        solver.strengths,
    )
    weight, bias = fit(task.train, task.train_y, (strength,))[0]
    return task.result(weight, bias, strength, held_out)


def _train(x: Tensor, y: Tensor, solver: SGD | Adam, encoders: int = 1) -> tuple[Tensor, Tensor]:
    """Train one linear layer by steps and return it as it is after the last epoch.

    Random numbers come from one CPU generator, so they are the same on every device: first the weights,
    then one permutation of the rows per epoch.

    Args:
        x: Features, (N, D); their dtype is that of the weights.
        y: Classes on the CPU, (N,).
        solver: How to train.
        encoders: How many encoders the columns are of.

    Returns:
        Weight (classes, D) and bias (classes,); a class without rows has bias -inf.
    """
    if solver.batch_norm and len(x) == 1:
        raise ValueError("batch_norm needs at least 2 labelled train rows, got 1")
    generator = torch.Generator().manual_seed(solver.seed)
    present, target = torch.unique(y, return_inverse=True)
    # The bias is the weight of a last column. That of `encoders` columns of ones moves as one of their root.
    factor = 1 / encoders if solver.mean_logits else 1.0
    last = factor * encoders**0.5
    weight = _initial(solver, len(present), x.shape[1], x.dtype, generator).to(x.device).requires_grad_()
    mean, var = x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])
    if not solver.batch_norm:
        x = functional.pad(x if factor == 1 else factor * x, (0, 1), value=last)
    more: dict[str, Any] = {}
    if isinstance(solver, SGD):
        more = {"momentum": solver.momentum, "nesterov": solver.nesterov}
    optimizer = build_optimizer(
        [weight], solver.name, solver.learning_rate, weight_decay=solver.weight_decay, **more
    )
    least = 2 if solver.batch_norm else 1
    sizes = step_sizes(len(x), solver.batch_size, drop_last=solver.drop_last, least=least)
    with torch.enable_grad():
        for epoch in range(solver.epochs):
            order = torch.randperm(len(x), generator=generator)[: sum(sizes)]
            wanted = torch.split(target[order].to(x.device), sizes)
            for step, rows in enumerate(torch.split(order.to(x.device), sizes)):
                batch = x.index_select(0, rows)
                if solver.batch_norm:
                    batch = functional.batch_norm(
                        batch, mean, var, training=True, momentum=_NORM_MOMENTUM, eps=_NORM_EPS
                    )
                    batch = functional.pad(factor * batch, (0, 1), value=last)
                loss = functional.cross_entropy(batch @ weight.T, wanted[step])
                (weight.grad,) = torch.autograd.grad(loss, weight)
                optimizer.param_groups[0]["lr"] = solver.learning_rate_at(epoch, step, len(sizes))
                optimizer.step()
    weight = weight.detach()
    if not bool(torch.isfinite(weight).all()):
        raise ValueError(
            f"training diverged: after {solver.epochs} epochs of {solver.name} at learning rate "
            f"{solver.learning_rate:g}, on features up to {float(x.abs().max()):g}, weights are not finite"
        )
    weight, bias = factor * weight[:, :-1], last * weight[:, -1]
    if solver.batch_norm:
        weight = weight * (var + _NORM_EPS).rsqrt()
        bias = bias - weight @ mean
    return with_absent_classes(weight, bias, present)


def _initial(
    solver: SGD | Adam, classes: int, width: int, dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    """Initial weights and, in the last column, biases, (classes, width + 1)."""
    if solver.init == "pytorch":
        reach = 1 / math.sqrt(width)
        shapes = ((classes, width), (classes, 1))
        parts = [torch.rand(shape, generator=generator, dtype=dtype) for shape in shapes]
        return torch.cat(parts, 1).mul_(2).sub_(1).mul_(reach)
    std = solver.init_std if solver.init == "normal" else math.sqrt(2 / (classes + width))
    weight = torch.randn(classes, width, generator=generator, dtype=dtype).mul_(std)
    return functional.pad(weight, (0, 1))
