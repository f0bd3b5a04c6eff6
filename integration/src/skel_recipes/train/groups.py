"""Parameter groups of a pretraining, and the limit of its gradients."""

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn.utils import clip_grad_norm_

from skel_data import ClipShape
from skel_encoders import freeze_layers, layer_groups
from skel_recipes.config.recipe import OptimSettings, Recipe
from skel_recipes.methods.context import encoders_of
from skel_recipes.run.run import build_encoders


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
