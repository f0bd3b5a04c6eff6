"""Training of the heads of SMIE and InfoCPL on frozen features."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from skel_eval.zero_shot.heads import InfoCPLHead, JointEstimator, smie_loss, smie_scores

_WARM_UP, _REVERSED, _BATCH, _NEGATIVES = 15, 15, 128, 8


def train_head(
    kind: Literal["smie", "infocpl"],
    features: Tensor,
    labels: Tensor,
    texts: Tensor,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    masked: Tensor | None = None,
) -> Callable[[Tensor, Tensor], Tensor]:
    """Train a head on clips of seen classes to its last epoch, and return what scores classes.

    As the programs train: Adam, batches of 128, 15 epochs of a rising learning rate, then a cosine to 0.

    Args:
        kind: Which head.
        features: (N, V) in single precision.
        labels: Classes numbered from 0, (N,), on the same device.
        texts: Text of each seen class, (S, L) for smie, (S, K + 1, L) for infocpl, of length 1.
        epochs: Epochs; the last one counts.
        learning_rate: The highest learning rate.
        seed: Seed of the weights and of the batches.
        masked: Features of masked views, (N, views, V), for the margin of smie: each batch takes one of the
            views. None leaves the margin out.

    Returns:
        A function from features (Q, V) and texts of other classes to scores (Q, classes).

    Raises:
        ValueError: If the training diverges.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        width, text_width = features.shape[1], texts.shape[-1]
        head: JointEstimator | InfoCPLHead = (
            JointEstimator(width + text_width) if kind == "smie" else InfoCPLHead(width, text_width)
        )
    head.to(features.device)
    optimiser = torch.optim.Adam(head.parameters(), lr=learning_rate)
    with torch.enable_grad():
        for epoch in range(epochs):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * _factor(epoch, epochs)
            order = torch.randperm(len(features), generator=generator)
            for rows in torch.split(order, _BATCH):
                rows = rows.to(features.device)
                view = None
                if masked is not None:
                    view = masked[rows, int(torch.randint(masked.shape[1], (), generator=generator))]
                loss = _loss(head, features[rows], labels[rows], texts, epoch, generator, view)
                if loss is None:
                    continue
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
    if not all(bool(torch.isfinite(one).all()) for one in head.parameters()):
        raise ValueError(f"the training of the {kind} head diverged: take a smaller learning rate")

    @torch.no_grad()
    def score(x: Tensor, candidates: Tensor) -> Tensor:
        if isinstance(head, InfoCPLHead):
            return torch.cat([head.scores(some, candidates) for some in torch.split(x, _BATCH)])
        return torch.cat([smie_scores(head, some, candidates) for some in torch.split(x, _BATCH)])

    return score


def _factor(epoch: int, epochs: int) -> float:
    warm = min(_WARM_UP, epochs)
    if epoch < warm:
        return (epoch + 1) / warm
    return (1 + math.cos(math.pi * (epoch - warm) / (epochs - warm))) / 2


def _loss(
    head: JointEstimator | InfoCPLHead,
    x: Tensor,
    y: Tensor,
    texts: Tensor,
    epoch: int,
    generator: torch.Generator,
    masked: Tensor | None,
) -> Tensor | None:
    """Loss of a batch; None if it has no negatives."""
    if isinstance(head, JointEstimator):
        return smie_loss(head, x, texts[y], masked).loss if len(x) > 1 else None
    others = int((y[:, None] != y).sum(1).min())
    if not others:
        return None
    draws = [torch.randperm(others, generator=generator)[: min(_NEGATIVES, others)] for _ in head.kept]
    ranks = torch.stack(draws).to(x.device)
    return head.losses(x, y, texts, ranks, sign=-1 if epoch < _REVERSED else 1).mean()
