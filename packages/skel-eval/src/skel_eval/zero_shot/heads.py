"""Trained heads of zero-shot recognition on frozen features: SMIE and InfoCPL."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class JointEstimator(nn.Module):
    """Perceptron that scores how well a feature and a text go together (SMIE's ``global_D``).

    Args:
        width: Numbers of a feature and a text together.
        hidden: Units of the two hidden layers.
    """

    def __init__(self, width: int, hidden: tuple[int, int] = (1024, 512)) -> None:
        super().__init__()
        self.l0 = nn.Linear(width, hidden[0])
        self.l1 = nn.Linear(hidden[0], hidden[1])
        self.l2 = nn.Linear(hidden[1], 1)

    def forward(self, features: Tensor, texts: Tensor) -> Tensor:
        """Scores (...) of features (..., V) and texts (..., L), whose leading axes broadcast."""
        leading = (features[..., 0] + texts[..., 0]).shape  # what both broadcast to
        pair = [one.expand(*leading, one.shape[-1]) for one in (features, texts)]
        hidden = functional.relu(self.l0(torch.cat(pair, -1)))
        scores: Tensor = self.l2(functional.relu(self.l1(hidden))).squeeze(-1)
        return scores


class SmieLoss(NamedTuple):
    """Loss of SMIE and its terms, all scalars.

    Attributes:
        loss: What is minimised.
        estimate: Jensen-Shannon estimate of the mutual information.
        estimate_masked: The same with the masked view; None without one.
        margin_term: What the margin between the two adds; None without a masked view.
    """

    loss: Tensor
    estimate: Tensor
    estimate_masked: Tensor | None
    margin_term: Tensor | None


def smie_loss(
    head: JointEstimator,
    features: Tensor,
    texts: Tensor,
    masked: Tensor | None = None,
    *,
    margin: float = 0.1,
    weight: float = 0.5,
) -> SmieLoss:
    """Loss of SMIE (Zhou et al. 2023): mutual information of features and the texts of their classes.

    Negatives are the features of the batch moved on by one, which may be of the same class. Those of the
    masked view's estimate are the features of the whole clips, as in the published program.

    Args:
        head: The estimator.
        features: Features of the clips, (B, V).
        texts: Text of each clip's class, (B, L), of length 1.
        masked: Features of the clips without their frames of least motion or others, (B, V); None leaves the
            term with the margin out.
        margin: By how much the whole clip should tell more than the masked one.
        weight: Weight of that term.
    """
    whole = _normalised(features)
    negatives = functional.softplus(head(whole.roll(-1, 0), texts)).mean()
    estimate = -functional.softplus(-head(whole, texts)).mean() - negatives
    if masked is None:
        return SmieLoss(-estimate, estimate, None, None)
    other = -functional.softplus(-head(_normalised(masked), texts)).mean() - negatives
    term = functional.relu(margin - (estimate - other))
    return SmieLoss(-estimate + weight * term, estimate, other, term)


def smie_scores(head: JointEstimator, features: Tensor, texts: Tensor, *, normalise: bool = True) -> Tensor:
    """Scores of classes (N, C) by a head of SMIE; the largest is the prediction.

    Args:
        head: The estimator.
        features: (N, V).
        texts: Text of each class, (C, L), of length 1.
        normalise: Normalise features as in training. The published program leaves that out when it tests.
    """
    features = _normalised(features) if normalise else features
    return -functional.softplus(-head(features[:, None], texts[None]))


def smie_frames(clips: Tensor, ranks: Tensor, *, masked: int = 15) -> Tensor:
    """Frames of SMIE's masked view, (N, K): those of most motion are left out, and others at random.

    Args:
        clips: (N, C, T, V, M).
        ranks: Which of the T - masked frames of least motion are kept, in time order: K ascending numbers
            below T - masked, the same for all clips. The program draws 20 of 35.
        masked: Frames of most motion that are left out.

    Raises:
        ValueError: If there are no more than `masked` frames, or a rank is out of range.
    """
    frames = clips.shape[2]
    if not 0 <= masked < frames:
        raise ValueError(f"masked must be 0 or more and below the {frames} frames of a clip, got {masked}")
    if len(ranks) and not 0 <= int(ranks.min()) <= int(ranks.max()) < frames - masked:
        raise ValueError(f"ranks must lie in 0..{frames - masked - 1}")
    step = (clips[:, :, 1:] - clips[:, :, :-1]).square().mean((1, 3, 4))
    motion = functional.pad(step, (0, 1)) + functional.pad(step, (1, 0))
    quiet = motion.argsort(dim=1, stable=True)[:, : frames - masked].sort(1).values
    return quiet[:, ranks]


class InfoCPLHead(nn.Module):
    """Heads of InfoCPL (Xu et al. 2024): each mixes a class's descriptions by how they fit the clip.

    Args:
        width: Numbers of a feature, V.
        text_width: Numbers of a text, L.
        kept: How many descriptions each head keeps.
        hidden: Units of the hidden layers of each head's estimator.
    """

    def __init__(
        self,
        width: int,
        text_width: int,
        kept: Sequence[int] = (1, *range(5, 50, 5)),
        hidden: tuple[int, int] = (1024, 512),
    ) -> None:
        super().__init__()
        self.kept = tuple(kept)
        self.proj = nn.ModuleList([nn.Linear(width, text_width) for _ in self.kept])
        self.global_D = nn.ModuleList([JointEstimator(2 * text_width, hidden) for _ in self.kept])

    def mixtures(self, index: int, features: Tensor, texts: Tensor, sign: int = 1) -> tuple[Tensor, Tensor]:
        """Projected features and each clip's own text of each class, by one head.

        Args:
            index: The head.
            features: (B, V).
            texts: Descriptions of each class and, last, one of its motion, (C, K + 1, L), of length 1.
            sign: 1 keeps the descriptions that fit best, -1 those that fit least.

        Returns:
            (B, L), and (B, C, L) without the description of the motion.
        """
        projected = _normalised(self.proj[index](features))
        descriptions = texts[:, :-1]
        fit = sign * torch.einsum("cdl,bl->bcd", descriptions, projected) / descriptions.shape[-1] ** 0.5
        least = fit.topk(min(self.kept[index], fit.shape[-1]), -1).values[..., -1:]
        share = fit.masked_fill(fit < least, -torch.inf).softmax(-1)
        return projected, torch.einsum("bcd,cdl->bcl", share, descriptions)

    def scores(self, features: Tensor, texts: Tensor) -> Tensor:
        """Scores of classes (N, C), the sum over the heads; the largest is the prediction.

        Args:
            features: (N, V).
            texts: (C, K + 1, L), as `mixtures` takes them.
        """
        total = torch.zeros((), device=features.device)
        for index, estimator in enumerate(self.global_D):
            projected, mixed = self.mixtures(index, features, texts)
            total = total - functional.softplus(-estimator(projected[:, None], mixed + texts[:, -1]))
        return total

    def losses(
        self, features: Tensor, labels: Tensor, texts: Tensor, ranks: Tensor, *, sign: int = 1
    ) -> Tensor:
        """Loss of each head, (heads,): own clip against clips of other classes, under the own class's text.

        Args:
            features: (B, V).
            labels: Class of each clip, (B,).
            texts: (C, K + 1, L), as `mixtures` takes them.
            ranks: Which of the clips of other classes are a clip's negatives, in batch order: (heads, R).
            sign: As in `mixtures`; the program takes -1 in its first 15 epochs.
        """
        others = labels[:, None] != labels
        order = torch.where(others, torch.arange(len(labels), device=labels.device), len(labels)).sort(1)
        found = []
        for index, estimator in enumerate(self.global_D):
            projected, mixed = self.mixtures(index, features, texts, sign)
            negatives = order.values[:, ranks[index]]
            clips = torch.cat([torch.arange(len(labels), device=labels.device)[:, None], negatives], 1)
            anchor = labels[:, None].expand_as(clips)
            text = mixed[clips, anchor] + texts[anchor, -1]
            logits = functional.softplus(estimator(projected[clips], text))
            found.append(-logits.log_softmax(1)[:, 0].mean())
        return torch.stack(found)


def _normalised(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:])
