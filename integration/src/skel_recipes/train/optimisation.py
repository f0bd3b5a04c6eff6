"""Optimiser and learning-rate schedule of a recipe."""

import math

import torch
from torch import nn

from skel_recipes.config.recipe import OptimSettings


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


def build_optimizer(settings: OptimSettings, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of a recipe over the weights that are trained."""
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, settings.lr, momentum=0.9, weight_decay=settings.weight_decay)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(weights, settings.lr, weight_decay=settings.weight_decay)
