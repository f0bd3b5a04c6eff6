"""k-nearest-neighbour classifier by cosine similarity."""

from typing import ClassVar, Literal

import numpy as np
import torch
from attrs import asdict, define, field
from torch import Tensor

from skel_eval._arrays import (
    Array,
    as_count,
    as_features,
    as_labels,
    labelled_rows,
    rows_per_block,
    same_width,
    unit_rows,
)
from skel_eval._feature_set import FeatureSet
from skel_eval.protocols.protocol import Outcome, classified


@define(frozen=True)
class KNN:
    """k-nearest-neighbour classifier on frozen features, by cosine similarity.

    Attributes:
        k: Number of neighbours that vote.
        temperature: Temperature of the weights of their votes; without effect for k = 1.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "features"
    k: int = 1
    temperature: float = 0.1

    @property
    def title(self) -> str:
        """Such as "5-NN"."""
        return f"{self.k}-NN"

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Classify the test rows by the training rows; the main metric is the accuracy."""
        train_x, train_y, test_x, _ = features.arrays()
        found = knn(train_x, train_y, test_x, k=self.k, temperature=self.temperature, device=device)
        return classified(features, found.predictions, None, asdict(self))


@define(frozen=True, eq=False)
class KnnResult:
    """What `knn` found.

    Attributes:
        predictions: Class of each test row, (N_test,).
        votes: Share of the vote of each class, (N_test, classes); rows sum to 1.
        neighbours: Rows of `train_x`, nearest first, (N_test, k).
        similarities: Their cosine similarities, (N_test, k).
        classes: Their classes, (N_test, k).
        temperature: That of the vote.
    """

    predictions: np.ndarray = field(repr=False)
    votes: np.ndarray = field(repr=False)
    neighbours: np.ndarray = field(repr=False)
    similarities: np.ndarray = field(repr=False)
    classes: np.ndarray = field(repr=False)
    temperature: float

    def at(self, k: int) -> "KnnResult":
        """The result for a smaller number of neighbours, without another search.

        Raises:
            ValueError: If `k` is not in 1..number of neighbours.
        """
        if not 1 <= k <= self.neighbours.shape[1]:
            raise ValueError(f"k must lie in 1..{self.neighbours.shape[1]}, the neighbours found, got {k}")
        neighbours, similarities, classes = (
            values[:, :k] for values in (self.neighbours, self.similarities, self.classes)
        )
        return _vote(neighbours, similarities, classes, self.votes.shape[1], self.temperature)


def _vote(
    neighbours: np.ndarray, similarities: np.ndarray, classes: np.ndarray, count: int, temperature: float
) -> KnnResult:
    # softmax is the same vote up to a factor per row, and cannot overflow; nor can a quotient in float64
    weights = torch.softmax(torch.from_numpy(similarities).double() / temperature, 1)
    votes = weights.new_zeros(len(weights), count).scatter_add_(1, torch.from_numpy(classes), weights)
    return KnnResult(votes.argmax(1).numpy(), votes.numpy(), neighbours, similarities, classes, temperature)


def nearest(queries: Tensor, bank: Tensor, k: int, chunk: int) -> tuple[Tensor, Tensor]:
    """The `k` most similar rows of `bank` for each query, exactly, by blocks of `chunk` queries.

    Args:
        queries: Rows of length 1, (N, D).
        bank: Rows of length 1, (M, D).
        k: Number of neighbours.
        chunk: Queries per block; a block needs `chunk` x M numbers.

    Returns:
        Cosine similarities and row numbers, both (N, k), most similar first.
    """
    found = [(block @ bank.T).topk(k) for block in torch.split(queries, chunk)]
    return torch.cat([block.values for block in found]), torch.cat([block.indices for block in found])


@torch.no_grad()
def knn(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    *,
    k: int = 1,
    temperature: float = 0.1,
    chunk: int | None = None,
    device: torch.device | str | None = None,
) -> KnnResult:
    """Classify each test row by a weighted vote of its `k` nearest train rows.

    A neighbour of cosine similarity s votes for its class with weight exp(s / temperature), as in the
    instance discrimination of Wu et al. (2018) and in the published programs of the field; k = 1 is
    the usual protocol. The neighbours of test rows in the train set are the answer of a retrieval, too.
    For several k, search once with the largest and ask the result for the others: ``result.at(5)``. Which of
    exactly equally similar neighbours come first is left open, as in the published programs; `retrieval`
    counts such ties against the features.

    Args:
        train_x: Features, (N_train, D).
        train_y: Classes, (N_train,); rows with a negative label are never a neighbour.
        test_x: Features, (N_test, D).
        k: Number of neighbours.
        temperature: Temperature of the vote, above 0.
        chunk: Test rows per block, which holds `chunk` x N_train numbers; None means what fits in 256 MiB.
            Results do not depend on it.
        device: Where to compute; None means where `train_x` is.

    Raises:
        ValueError: If shapes do not match, `k` is not in 1..labelled train rows, or `temperature` <= 0.
    """
    train, test = as_features(train_x, "train_x"), as_features(test_x, "test_x")
    same_width(train, test, "train_x and test_x")
    labels = as_labels(train_y, len(train), "train_y")
    rows = labelled_rows(labels)
    if not as_count(k, "k") <= len(rows):
        raise ValueError(f"k must lie in 1..{len(rows)}, the number of labelled train rows, got {k}")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    device = train.device if device is None else device
    bank = unit_rows(train[rows.to(train.device)].to(device))
    queries = unit_rows(test.to(device, bank.dtype))
    similarities, positions = nearest(queries, bank, k, rows_per_block(len(bank), chunk))
    neighbours = rows[positions.cpu()]
    return _vote(
        neighbours.numpy(),
        similarities.cpu().numpy(),
        labels[neighbours].numpy(),
        int(labels.max()) + 1,
        temperature,
    )
