"""Optimiser of a pretraining: parameter groups, learning rate, weight decay, gradient clipping."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from skel_data import ClipShape
from skel_encoders import freeze_layers, layer_groups
from skel_eval import build_optimizer, learning_rate_at
from skel_recipes.config.recipe import OptimSettings, Recipe
from skel_recipes.methods.context import encoders_of
from skel_recipes.run.run import build_encoders
from skel_ssl_objectives import cosine_schedule


class Optimization:
    """Optimiser of a method, with the schedules of its learning rate and weight decay.

    Args:
        method: The method; layers of its encoders that the settings freeze no longer take gradients.
        streams: Those whose encoders it trains.
        settings: Those of the recipe.
        epochs: Epochs of the training.
        steps: Steps of an epoch.
    """

    def __init__(
        self, method: nn.Module, streams: Sequence[str], settings: OptimSettings, epochs: int, steps: int
    ) -> None:
        self.method, self.settings = method, settings
        self.epochs, self.steps = epochs, steps
        if settings.frozen_layers:
            for encoder in encoders_of(method, streams).values():
                freeze_layers(encoder, settings.frozen_layers)
        self.optimizer = build_optimizer(
            parameter_groups(method, streams, settings),
            settings.optimizer,
            settings.lr,
            weight_decay=settings.weight_decay,
            beta2=settings.beta2,
        )

    def begin(self, epoch: int, step: int) -> float:
        """Set learning rate and weight decay of a step of an epoch, from 0; returns the rate.

        Groups without weight decay stay so.
        """
        optim, steps = self.settings, self.steps
        rate = learning_rate_at(
            epoch + step / steps,
            self.epochs,
            peak=optim.lr,
            schedule=optim.schedule,
            milestones=optim.milestones,
            gamma=optim.gamma,
            warmup_epochs=warmup_of(optim, steps),
            minimum=optim.min_lr,
        )
        decays = optim.final_weight_decay >= 0
        if decays:
            done, all_steps = epoch * steps + step, self.epochs * steps
            decay = cosine_schedule(done, all_steps, optim.weight_decay, optim.final_weight_decay)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
            if decays and group["weight_decay"]:
                group["weight_decay"] = decay
        return rate

    def step(self, loss: Tensor) -> None:
        """Gradients of a loss, clipped, and a step of the optimiser."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self.settings.clip_tensors:
            clip_tensors(self.method, self.settings.clip_tensors)
        if self.settings.clip_norm:
            clip_grad_norm_(self.method.parameters(), self.settings.clip_norm)
        self.optimizer.step()


def warmup_of(settings: OptimSettings, steps: int) -> float:
    """Epochs of the warm-up, where an epoch has this number of steps."""
    return max(settings.warmup_epochs, settings.warmup_steps / steps)


def check_layers(recipe: Recipe, shape: ClipShape) -> None:
    """Check that the layers of the encoder are known where the recipe tells them apart.

    Raises:
        ValueError: If their order is not known, or fewer would be left than one.
    """
    optim = recipe.optim
    if optim.layer_decay < 1 or optim.frozen_layers:
        for encoder in build_encoders(recipe, shape).values():
            freeze_layers(encoder, optim.frozen_layers)
            layer_groups(encoder, optim.lr, optim.layer_decay)


def parameter_groups(method: nn.Module, streams: Sequence[str], optim: OptimSettings) -> list[Any]:
    """The weights that are trained, as PyTorch's optimizers take them.

    Vectors have a group of their own without decay, if they have none. With layer-wise decay every layer of
    an encoder has one too, with its part of the learning rate as ``lr_scale``.
    """
    weights = [weight for weight in method.parameters() if weight.requires_grad]
    groups: list[Any] = []
    if optim.layer_decay < 1:
        decay = None if optim.decay_vectors else optim.weight_decay
        for encoder in encoders_of(method, streams).values():
            layers = layer_groups(encoder, 1.0, optim.layer_decay, weight_decay=decay)
            groups += [{**group, "lr_scale": group["lr"], "lr": group["lr"] * optim.lr} for group in layers]
        own = {weight for group in groups for weight in group["params"]}
        weights = [weight for weight in weights if weight not in own]
    if not groups and optim.decay_vectors:
        return weights
    if optim.decay_vectors:
        return [*groups, {"params": weights}] if weights else groups
    free = [weight for weight in weights if weight.ndim < 2]
    heads: list[dict[str, Any]] = [
        {"params": [w for w in weights if w.ndim >= 2]},
        {"params": free, "weight_decay": 0.0},
    ]
    return [*groups, *(group for group in heads if group["params"] or not groups)]


def clip_tensors(method: nn.Module, largest: float) -> None:
    """Bring the gradient of each tensor to a norm of at most `largest`."""
    for weight in method.parameters():
        if weight.grad is not None:
            clip_grad_norm_(weight, largest)
