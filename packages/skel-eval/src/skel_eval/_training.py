"""What everything that is trained here shares: the learning rate over time, and the size of each step."""

import math
from typing import Protocol


class Schedule(Protocol):
    """The settings that `learning_rate_at` reads; `LinearProbe`, `MlpProbe` and `Finetune` have them."""

    @property
    def schedule(self) -> str: ...
    @property
    def epochs(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def milestones(self) -> tuple[int, ...]: ...
    @property
    def gamma(self) -> float: ...
    @property
    def warmup_epochs(self) -> int: ...
    @property
    def min_learning_rate(self) -> float: ...
    @property
    def per_step(self) -> bool: ...


def learning_rate_at(settings: Schedule, epoch: int, step: int, steps: int) -> float:
    """Learning rate of step `step` of the `steps` of epoch `epoch`, both counted from 0.

    It rises from 0 in a straight line through the warm-up, step by step; then it follows the schedule,
    whose time stands still within an epoch unless `per_step` is set.
    """
    time, peak, warmup = epoch + step / steps, settings.learning_rate, settings.warmup_epochs
    if time < warmup:
        return peak * time / warmup
    if settings.schedule == "step":
        return peak * settings.gamma ** sum(epoch >= milestone for milestone in settings.milestones)
    if settings.schedule == "cosine":
        passed = (time if settings.per_step else epoch) - warmup
        wave = (1 + math.cos(math.pi * passed / (settings.epochs - warmup))) / 2
        return settings.min_learning_rate + (peak - settings.min_learning_rate) * wave
    return peak


def step_sizes(rows: int, batch_size: int, *, drop_last: bool, least: int = 1) -> list[int]:
    """How many rows each step of an epoch takes.

    The rows that are left over at the end are a smaller step of their own. They are dropped with
    `drop_last`, and join the step before them if they are fewer than `least`. A first step is always kept.
    """
    whole, left = divmod(rows, batch_size)
    if whole == 0 or left == 0:
        return [batch_size] * whole + [left] * (left > 0)
    if drop_last:
        return [batch_size] * whole
    if left < least:
        return [batch_size] * (whole - 1) + [batch_size + left]
    return [batch_size] * whole + [left]
