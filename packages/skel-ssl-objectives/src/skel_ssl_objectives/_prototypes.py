"""Self-distillation on prototypes: DINO's head and centre, Sinkhorn-Knopp, iBOT's loss of patches, KoLeo.

The terms of SLiM (Do et al., NeurIPS 2026, arXiv 2603.10648), which follows DINOv2 (Oquab et al., TMLR 2024,
arXiv 2304.07193).
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from skel_ssl_objectives._common import Gather, at_least_float32

_TINY = 1e-6


class PrototypeHead(nn.Module):
    """DINO's projection head (Caron et al., ICCV 2021): an MLP, L2 normalisation, and prototypes.

    The output for a prototype is its cosine with the projection times a learned scale, 1 at first.

    Args:
        in_dim: Features in.
        hidden_dim: Width of the layers between.
        bottleneck_dim: Dimension in which features and prototypes are compared.
        prototypes: Number of prototypes K.
        layers: Number of linear layers before the prototypes, 1 or more.

    Raises:
        ValueError: If there are fewer layers than one, or fewer prototypes than two.
    """

    def __init__(
        self, in_dim: int, hidden_dim: int, bottleneck_dim: int, prototypes: int, *, layers: int = 3
    ) -> None:
        super().__init__()
        if layers < 1 or prototypes < 2:
            raise ValueError(
                f"a head has one layer or more and two prototypes or more, got {layers} and {prototypes}"
            )
        widths = [in_dim, *[hidden_dim] * (layers - 1), bottleneck_dim]
        modules: list[nn.Module] = []
        for before, after in pairwise(widths):
            modules += [nn.Linear(before, after), nn.GELU()]
        self.mlp = nn.Sequential(*modules[:-1])
        self.scale = nn.Parameter(torch.ones(prototypes, 1))
        self.direction = nn.Parameter(torch.empty(prototypes, bottleneck_dim))
        for module in self.mlp:
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        bound = 1 / math.sqrt(bottleneck_dim)
        nn.init.uniform_(self.direction, -bound, bound)

    def forward(self, x: Tensor, *, frozen: bool = False) -> Tensor:
        """Logits (N, K) of features (N, in_dim).

        Args:
            x: The features.
            frozen: Whether the prototypes get a gradient of zero, as in DINO's first epoch.
        """
        scale: Tensor = self.scale
        direction: Tensor = self.direction
        if frozen:  # zero instead of none, as processes that train together expect a gradient of everything
            scale, direction = (weight.detach() + 0 * weight for weight in (scale, direction))
        weight = scale * functional.normalize(direction, dim=1)
        projection = self.mlp(x)
        eps = 1e-12 if projection.dtype not in (torch.float16, torch.bfloat16) else 1e-6
        return functional.linear(functional.normalize(projection, dim=1, eps=eps), weight)


@torch.no_grad()
def sinkhorn_knopp(
    logits: Tensor, *, temperature: float, iterations: int = 3, gather: Gather | None = None
) -> Tensor:
    """Sinkhorn-Knopp assignment of samples to prototypes that all are used alike (Caron et al., 2020).

    exp(logits / temperature), whose columns and then rows are divided by their sums, as often as asked.
    Computed in logarithms, so that no temperature overflows, and in float32 also under autocast.

    Args:
        logits: (N, K) of a teacher; a constant.
        temperature: Of the softmax.
        iterations: How often; 0 is a softmax.
        gather: See `Gather`; then the sums over columns are those of all processes, which may have different
            numbers of rows, none too. None for one process.

    Returns:
        (N, K), whose rows sum to 1.

    Raises:
        ValueError: If the temperature is not positive, or the iterations are below 0.
    """
    if temperature <= 0 or iterations < 0:
        raise ValueError(
            f"temperature must be positive and iterations 0 or more, got {temperature} and {iterations}"
        )
    with torch.autocast(logits.device.type, enabled=False):
        scores = at_least_float32(logits) / temperature
        for _ in range(iterations):
            columns = scores.logsumexp(0, keepdim=True)
            if gather is not None:
                columns = gather(columns).logsumexp(0, keepdim=True)
            scores = (scores - columns).log_softmax(1)
        return scores.softmax(1)


class Centre(nn.Module):
    """Centre of a teacher's logits (Caron et al., ICCV 2021): their running mean, taken off before a softmax.

    Args:
        prototypes: Number of logits K.
        momentum: Of the running mean, in [0, 1].

    Raises:
        ValueError: If the momentum is out of range.
    """

    mean: Tensor

    def __init__(self, prototypes: int, *, momentum: float = 0.9) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {momentum}")
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(1, prototypes))

    @torch.no_grad()
    def forward(self, logits: Tensor, *, temperature: float) -> Tensor:
        """softmax((logits - centre) / temperature), (N, K); computed in float32 also under autocast.

        Raises:
            ValueError: If the temperature is not positive.
        """
        if temperature <= 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        with torch.autocast(logits.device.type, enabled=False):
            return ((at_least_float32(logits) - self.mean) / temperature).softmax(1)

    @torch.no_grad()
    def update(self, logits: Tensor, *, gather: Gather | None = None) -> None:
        """Move the centre towards the mean of a batch of logits (N, K).

        Args:
            logits: Of this process.
            gather: See `Gather`; then it is the mean over all processes, which may have different numbers of
                rows. Nothing moves where none has any.
        """
        rows = at_least_float32(logits).to(self.mean.dtype)
        sums = torch.cat([rows.sum(0), rows.new_tensor([len(rows)])])[None]
        if gather is not None:
            sums = gather(sums).sum(0, keepdim=True)
        count = sums[:, -1:]
        mean = sums[:, :-1] / count.clamp(min=1)
        moved = self.momentum * self.mean + (1 - self.momentum) * mean
        self.mean.copy_(torch.where(count > 0, moved, self.mean))


def prototype_loss(targets: Tensor, logits: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of a student's logits to a teacher's assignment, a loss for each row.

    Computed in float32 also under autocast.

    Args:
        targets: (..., K) distributions; constants.
        logits: (..., K) of the student.
        temperature: Of the student's softmax.

    Returns:
        (...): -sum_k targets log softmax(logits / temperature).

    Raises:
        ValueError: If the shapes differ, or the temperature is not positive.
    """
    if targets.shape != logits.shape or temperature <= 0:
        raise ValueError(
            "expected targets and logits of one shape and a positive temperature, got "
            f"{tuple(targets.shape)}, {tuple(logits.shape)} and {temperature}"
        )
    with torch.autocast(logits.device.type, enabled=False):
        logs = (at_least_float32(logits) / temperature).log_softmax(-1)
        return -(targets.detach().to(logs.dtype) * logs).sum(-1)


def patch_loss(targets: Tensor, logits: Tensor, hidden: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Loss of masked tokens in iBOT (Zhou et al., ICLR 2022), a mean over views.

    Of each view it is the mean over its hidden tokens, and zero where there are none.

    Args:
        targets: (H, K) a teacher's assignments of all hidden tokens, view by view.
        logits: (H, K) of the student, likewise.
        hidden: (B, L) true for the tokens that are hidden in each view; H of them in all.
        temperature: Of the student's softmax.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the shapes do not fit.
    """
    losses = prototype_loss(targets, logits, temperature=temperature)
    counts = hidden.sum(1)
    view = hidden.nonzero()[:, 0]
    if losses.shape != view.shape:
        raise ValueError(f"expected logits of {len(view)} hidden tokens (H, K), got {tuple(logits.shape)}")
    return (losses / counts[view]).sum() / max(len(hidden), 1)


def koleo(features: Tensor, *, epsilon: float = _TINY, gather: Gather | None = None) -> Tensor:
    """KoLeo regulariser (Sablayrolles et al., ICLR 2019): spreads features over the sphere.

    -mean log of the distance from each L2-normalised row to its nearest neighbour. The choice of the
    neighbour has no gradient. Computed in float32 also under autocast.

    Args:
        features: (N, D).
        epsilon: Added to the difference of every coordinate and to the distance; 1e-6 in SLiM,
            1e-8 in DINOv2.
        gather: See `Gather`; then neighbours come from all processes. None for one process.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If there are fewer than two rows.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = at_least_float32(features)
        if gather is not None:
            features = gather(features)
        if len(features) < 2:
            raise ValueError(f"a nearest neighbour needs two clips or more, got {len(features)}")
        unit = functional.normalize(features, dim=1)
        with torch.no_grad():
            nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(1)
        distances = functional.pairwise_distance(unit, unit[nearest], eps=epsilon)
        return -(distances + epsilon).log().mean()


def cosine_schedule(
    step: int, steps: int, start: float, end: float, *, warmup_steps: int = 0, warmup_start: float = 0.0
) -> float:
    """Cosine schedule with a linear warm-up, as in DINO's program.

    The warm-up is ``warmup_steps`` equally spaced values from ``warmup_start`` to ``start``, both included.
    The cosine then begins at ``start`` and would reach ``end`` one step after the last.

    Args:
        step: The step, from 0.
        steps: Number of steps.
        start: Value at the beginning of the cosine.
        end: Value at its end.
        warmup_steps: Length of the warm-up.
        warmup_start: Value at its beginning.

    >>> [round(cosine_schedule(step, 4, 0.0, 1.0), 3) for step in range(5)]
    [0.0, 0.146, 0.5, 0.854, 1.0]
    """
    if step < warmup_steps:
        return warmup_start + (start - warmup_start) * step / max(warmup_steps - 1, 1)
    share = min((step - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
