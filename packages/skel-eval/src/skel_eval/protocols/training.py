"""Training by steps: settings, learning-rate schedule, optimiser."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from attrs import define, field, fields, validators

from skel_eval._arrays import as_count


def whole(least: int) -> Callable[[Any, Any, Any], None]:
    """A validator: a whole number of at least this size."""

    def check(_: Any, attribute: Any, value: Any) -> None:
        as_count(value, attribute.name, least)

    return check


def number(
    *, above: float = -math.inf, least: float = -math.inf, below: float = math.inf
) -> Callable[..., None]:
    """A validator: a finite number in these bounds."""

    def check(_: Any, attribute: Any, value: Any) -> None:
        if not (above < value < below and least <= value):
            limits = (("above", above), ("at least", least), ("below", below))
            bounds = [f"{word} {limit:g}" for word, limit in limits if math.isfinite(limit)]
            raise ValueError(f"{attribute.name} must be finite, {' and '.join(bounds)}, got {value!r}")

    return check


def strictly_positive(_: object, attribute: Any, values: tuple[float, ...]) -> None:
    """A validator: one number above 0 or more."""
    if len(values) == 0 or not all(0 < value < math.inf for value in values):
        raise ValueError(f"{attribute.name} must be numbers above 0, got {values}")


AT_LEAST_0, ABOVE_0, SHARE = number(least=0), number(above=0), number(least=0, below=1)


@define(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of a training by steps; what the schedule does not use can only have its default.

    Attributes:
        epochs: Passes over the training rows; the last one is reported.
        batch_size: Rows per step.
        drop_last: Whether rows that do not fill a last step of an epoch are left out of it.
        learning_rate: Initial learning rate.
        schedule: Learning-rate schedule: "step", or "cosine" from the learning rate to the smallest one.
        milestones: step: epochs after which the learning rate is multiplied by gamma.
        gamma: step: that factor.
        per_step: cosine: whether the learning rate changes with every step, not with every epoch.
        min_learning_rate: cosine: the learning rate at the end.
        warmup_epochs: Epochs in which the learning rate first rises linearly from 0, step by step.
        weight_decay: Weight decay, the optimizer's own kind.
        seed: Seed of the initial weights, of the order of the rows and of all else that is drawn.
    """

    epochs: int = field(default=100, validator=whole(1))
    batch_size: int = field(default=128, validator=whole(1))
    drop_last: bool = False
    learning_rate: float = field(default=3.0, validator=ABOVE_0)
    schedule: Literal["step", "cosine"] = field(default="step", validator=validators.in_(("step", "cosine")))
    milestones: tuple[int, ...] = (80,)
    gamma: float = field(default=0.1, validator=ABOVE_0)
    per_step: bool = False
    min_learning_rate: float = field(default=0.0, validator=AT_LEAST_0)
    warmup_epochs: int = field(default=0, validator=whole(0))
    weight_decay: float = field(default=0.0, validator=AT_LEAST_0)
    seed: int = field(default=0, validator=whole(0))

    def __attrs_post_init__(self) -> None:
        unused = {"step": ("per_step", "min_learning_rate"), "cosine": ("milestones", "gamma")}
        self._refuse(*unused[self.schedule], because=f"schedule {self.schedule!r}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be fewer than the {self.epochs} epochs, got {self.warmup_epochs}"
            )

    def _refuse(self, *names: str, because: str) -> None:
        """Check that settings that are not used have their defaults."""
        for name in names:
            value = getattr(self, name)
            if value != getattr(fields(type(self)), name).default:
                raise ValueError(f"{name} is not used with {because}; got {name}={value!r}")

    def learning_rate_at(self, epoch: int, step: int, steps: int) -> float:
        """Learning rate of step `step` of the `steps` of epoch `epoch`, both counted from 0."""
        time = epoch + step / steps
        return learning_rate_at(
            time if self.per_step or time < self.warmup_epochs else epoch,
            self.epochs,
            peak=self.learning_rate,
            schedule=self.schedule,
            milestones=self.milestones,
            gamma=self.gamma,
            warmup_epochs=self.warmup_epochs,
            minimum=self.min_learning_rate,
        )


def learning_rate_at(
    epoch: float,
    epochs: int,
    *,
    peak: float,
    schedule: str,
    milestones: Sequence[int] = (),
    gamma: float = 0.1,
    warmup_epochs: float = 0,
    minimum: float = 0.0,
) -> float:
    """Learning rate at a moment of a training: linear warm-up from 0, then the schedule.

    Args:
        epoch: The moment, in epochs; fractions are steps within an epoch.
        epochs: Length of the training.
        peak: Learning rate after the warm-up.
        schedule: "constant", "step" or "cosine".
        milestones: step: epochs at which the learning rate is multiplied by gamma.
        gamma: step: that factor.
        warmup_epochs: Length of the warm-up.
        minimum: cosine: learning rate at the end.
    """
    if epoch < warmup_epochs:
        return peak * epoch / warmup_epochs
    if schedule == "step":
        return peak * gamma ** sum(int(epoch) >= milestone for milestone in milestones)
    if schedule == "cosine":
        length = max(epochs - warmup_epochs, 1)
        wave = (1 + math.cos(math.pi * min((epoch - warmup_epochs) / length, 1.0))) / 2
        return minimum + (peak - minimum) * wave
    return peak


def build_optimizer(
    parameters: Iterable[Any],
    optimizer: str,
    learning_rate: float,
    *,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    nesterov: bool = False,
    beta2: float = 0.999,
) -> torch.optim.Optimizer:
    """The optimizer of `torch.optim` of this name.

    Args:
        parameters: Parameters, or groups of them, as PyTorch's optimizers take them.
        optimizer: "sgd", "adam" or "adamw".
        learning_rate: That of groups without one of their own.
        weight_decay: Likewise.
        momentum: sgd: momentum of the gradient.
        nesterov: sgd: whether the momentum is Nesterov's.
        beta2: adam, adamw: decay rate of the mean of squared gradients.
    """
    if optimizer == "sgd":
        return torch.optim.SGD(
            parameters, learning_rate, momentum, weight_decay=weight_decay, nesterov=nesterov
        )
    if optimizer == "adam":
        return torch.optim.Adam(parameters, learning_rate, (0.9, beta2), weight_decay=weight_decay)
    return torch.optim.AdamW(parameters, learning_rate, (0.9, beta2), weight_decay=weight_decay)


def step_sizes(rows: int, batch_size: int, *, drop_last: bool, least: int = 1) -> list[int]:
    """How many rows each step of an epoch takes.

    The rows that are left over at the end are a smaller step of their own. They are dropped with
    `drop_last`, and join the step before them if they are fewer than `least`. A first step is always kept.
    """
    whole_steps, left = divmod(rows, batch_size)
    if whole_steps == 0 or left == 0:
        return [batch_size] * whole_steps + [left] * (left > 0)
    if drop_last:
        return [batch_size] * whole_steps
    if left < least:
        return [batch_size] * (whole_steps - 1) + [batch_size + left]
    return [batch_size] * whole_steps + [left]
