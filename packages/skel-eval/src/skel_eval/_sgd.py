"""The linear classifier as the published programs train it, on cached features.

Gradient and update are written out: a step is two matrix products and a few passes over the weights, in
half of the time of automatic differentiation and `torch.optim` (the tests hold one against the other).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from skel_eval._classes import with_absent_classes
from skel_eval._linear_settings import LinearProbe
from skel_eval._training import learning_rate_at, step_sizes

# (weight, gradient, learning rate): changes the weight in place
Update = Callable[[Tensor, Tensor, float], None]
_NORM_MOMENTUM, _NORM_EPS = 0.1, 1e-6  # of MAMP's BatchNorm


@torch.no_grad()
def fit_sgd(x: Tensor, y: Tensor, settings: LinearProbe) -> tuple[Tensor, Tensor]:
    """Train one linear layer with SGD or Adam and return it as it is after the last epoch.

    Random numbers come from one CPU generator, so they are the same on every device: first the weights,
    then one permutation of the rows per epoch.

    Args:
        x: Features, (N, D); their dtype is that of the weights.
        y: Classes on the CPU, (N,).
        settings: How to train.

    Returns:
        Weight (classes, D) and bias (classes,); a class without rows has bias -inf.

    Raises:
        ValueError: If there is one row and batch_norm is set, or the training diverges.
    """
    if settings.batch_norm and len(x) == 1:
        raise ValueError("batch_norm needs at least 2 labelled train rows, got 1")
    generator = torch.Generator().manual_seed(settings.seed)
    present, target = torch.unique(y, return_inverse=True)
    # The bias is the weight of a last column of ones.
    weight = _initial(settings, len(present), x.shape[1], x.dtype, generator).to(x.device)
    mean, var = x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])
    if not settings.batch_norm:
        x = functional.pad(x, (0, 1), value=1.0)
    update = _sgd(settings) if settings.solver == "sgd" else _adam()
    minus_one = x.new_full((len(x), 1), -1.0)
    least = 2 if settings.batch_norm else 1
    sizes = step_sizes(len(x), settings.batch_size, drop_last=settings.drop_last, least=least)
    for epoch in range(settings.epochs):
        order = torch.randperm(len(x), generator=generator)[: sum(sizes)]
        wanted = torch.split(target[order].unsqueeze(1).to(x.device), sizes)
        for step, rows in enumerate(torch.split(order.to(x.device), sizes)):
            batch = x.index_select(0, rows)
            if settings.batch_norm:
                batch = functional.batch_norm(
                    batch, mean, var, training=True, momentum=_NORM_MOMENTUM, eps=_NORM_EPS
                )
                batch = functional.pad(batch, (0, 1), value=1.0)
            # gradient of the mean cross-entropy by the logits, times the number of rows
            error = (batch @ weight.T).softmax(1).scatter_add_(1, wanted[step], minus_one[: len(rows)])
            gradient = torch.addmm(weight, error.T, batch, beta=settings.weight_decay, alpha=1 / len(rows))
            update(weight, gradient, learning_rate_at(settings, epoch, step, len(sizes)))
    if not bool(torch.isfinite(weight).all()):
        raise ValueError(
            f"training diverged: after {settings.epochs} epochs of {settings.solver} at learning rate "
            f"{settings.learning_rate:g}, on features up to {float(x.abs().max()):g}, weights are not finite"
        )
    weight, bias = weight[:, :-1], weight[:, -1]
    if settings.batch_norm:
        weight = weight * (var + _NORM_EPS).rsqrt()
        bias = bias - weight @ mean
    return with_absent_classes(weight, bias, present)


def _initial(
    settings: LinearProbe, classes: int, width: int, dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    """Weight with the bias as its last column, (classes, width + 1)."""
    if settings.init == "pytorch":
        reach = 1 / math.sqrt(width)
        weight = torch.rand(classes, width, generator=generator, dtype=dtype).mul_(2).sub_(1).mul_(reach)
        bias = torch.rand(classes, generator=generator, dtype=dtype).mul_(2).sub_(1).mul_(reach)
        return torch.cat([weight, bias.unsqueeze(1)], 1)
    std = settings.init_std if settings.init == "normal" else math.sqrt(2 / (classes + width))
    weight = torch.randn(classes, width, generator=generator, dtype=dtype).mul_(std)
    return functional.pad(weight, (0, 1))


def _sgd(settings: LinearProbe) -> Update:
    """The update of `torch.optim.SGD`."""
    velocity: list[Tensor] = []

    def update(weight: Tensor, gradient: Tensor, rate: float) -> None:
        if not velocity:
            velocity.append(torch.zeros_like(weight))
        velocity[0].mul_(settings.momentum).add_(gradient)
        step = gradient.add_(velocity[0], alpha=settings.momentum) if settings.nesterov else velocity[0]
        weight.sub_(step, alpha=rate)

    return update


def _adam(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Update:
    """The update of `torch.optim.Adam`."""
    moments: list[Tensor] = []
    steps = 0

    def update(weight: Tensor, gradient: Tensor, rate: float) -> None:
        nonlocal steps
        steps += 1
        if not moments:
            moments.extend((torch.zeros_like(weight), torch.zeros_like(weight)))
        first, second = moments
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale = second.sqrt().div_(math.sqrt(1 - beta2**steps)).add_(eps)
        weight.addcdiv_(first, scale, value=-rate / (1 - beta1**steps))

    return update
