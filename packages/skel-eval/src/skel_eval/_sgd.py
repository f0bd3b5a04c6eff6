"""The linear classifier as the published programs train it, on cached features."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from skel_eval._classes import with_absent_classes


def fit_sgd(
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    milestones: Sequence[int],
    momentum: float,
    weight_decay: float,
    init_std: float,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Train one linear layer with SGD and return it as it is after the last epoch.

    Random numbers come from one CPU generator, so they are the same on every device: first the weights,
    N(0, init_std), then one permutation of the rows per epoch. The last batch of an epoch may be smaller.

    Args:
        x: Features in float32, (N, D).
        y: Classes on the CPU, (N,).
        epochs: Passes over the rows.
        batch_size: Rows per step.
        learning_rate: Initial learning rate.
        milestones: Epochs after which the learning rate is divided by 10.
        momentum: Momentum of the gradient.
        weight_decay: Factor of half the squared weights and biases.
        init_std: Standard deviation of the initial weights.
        seed: Seed of the generator.

    Returns:
        Weight (classes, D) and bias (classes,); a class without rows has bias -inf.
    """
    generator = torch.Generator().manual_seed(seed)
    present, target = torch.unique(y, return_inverse=True)
    weight = torch.randn(len(present), x.shape[1], generator=generator).mul_(init_std)
    weight = weight.to(x.device).requires_grad_()
    bias = torch.zeros(len(present), device=x.device, requires_grad=True)
    optimiser = torch.optim.SGD(
        [weight, bias], lr=learning_rate, momentum=momentum, weight_decay=weight_decay
    )
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(milestones), gamma=0.1)
    with torch.enable_grad():
        for _ in range(epochs):
            order = torch.randperm(len(x), generator=generator)
            steps = torch.split(order.to(x.device), batch_size)
            wanted = torch.split(target[order].to(x.device), batch_size)
            for rows, classes in zip(steps, wanted, strict=True):
                optimiser.zero_grad()
                loss = functional.cross_entropy(functional.linear(x[rows], weight, bias), classes)
                torch.autograd.backward(loss)
                optimiser.step()
            scheduler.step()
    return with_absent_classes(weight.detach(), bias.detach(), present)
