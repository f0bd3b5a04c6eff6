"""The learning rate as a function of training progress."""

import math

from skel_recipes._recipe import OptimSettings


def learning_rate(settings: OptimSettings, epoch: float, epochs: int) -> float:
    """Learning rate at a moment of training.

    Args:
        settings: The schedule.
        epoch: The moment, in epochs; fractions are steps within an epoch.
        epochs: Length of the training.
    """
    if epoch < settings.warmup_epochs:
        return settings.lr * epoch / settings.warmup_epochs
    if settings.schedule == "cosine":
        progress = (epoch - settings.warmup_epochs) / max(epochs - settings.warmup_epochs, 1)
        return settings.lr * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    if settings.schedule == "step":
        return settings.lr * 0.1 ** sum(int(epoch) >= milestone for milestone in settings.milestones)
    return settings.lr
