"""Nearest neighbours by cosine similarity: the classifier and the retrieval of the field."""

import numpy as np
import torch
from attrs import define, field
from torch import Tensor
from torch.nn import functional

from skel_eval._arrays import Array, as_features, as_labels, labelled_rows, same_width


@define(frozen=True, eq=False)
class KnnResult:
    """What `knn` found.

    Attributes:
        predictions: Class of each test row, (N_test,).
        votes: Share of the vote of each class, (N_test, classes); rows sum to 1.
        neighbours: Rows of `train_x`, nearest first, (N_test, k).
        similarities: Their cosine similarities, (N_test, k).
    """

    predictions: np.ndarray = field(repr=False)
    votes: np.ndarray = field(repr=False)
    neighbours: np.ndarray = field(repr=False)
    similarities: np.ndarray = field(repr=False)


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
    chunk: int = 1024,
    device: torch.device | str | None = None,
) -> KnnResult:
    """Classify each test row by a weighted vote of its `k` nearest train rows.

    A neighbour of cosine similarity s votes for its class with weight exp(s / temperature), as in the
    instance discrimination of Wu et al. (2018) and in the published programs of the field; k = 1 is
    the usual protocol. The neighbours of test rows in the train set are the answer of a retrieval, too.

    Args:
        train_x: Features, (N_train, D).
        train_y: Classes, (N_train,); rows with a negative label are never a neighbour.
        test_x: Features, (N_test, D).
        k: Number of neighbours.
        temperature: Temperature of the vote, above 0.
        chunk: Test rows per block: memory is `chunk` x N_train numbers, results do not depend on it.
        device: Where to compute; None means where `train_x` is.

    Raises:
        ValueError: If shapes do not match, `k` is not in 1..labelled train rows, or `temperature` <= 0.
    """
    train, test = as_features(train_x, "train_x"), as_features(test_x, "test_x")
    same_width(train, test, "train_x and test_x")
    labels = as_labels(train_y, len(train), "train_y")
    rows = labelled_rows(labels)
    if not 1 <= k <= len(rows):
        raise ValueError(f"k must lie in 1..{len(rows)}, the number of labelled train rows, got {k}")
    if not temperature > 0 or chunk < 1:
        raise ValueError(f"temperature must be above 0 and chunk at least 1, got {temperature} and {chunk}")
    device = train.device if device is None else device
    bank = functional.normalize(train[rows.to(train.device)].to(device))
    queries = functional.normalize(test.to(device, bank.dtype))
    similarities, positions = nearest(queries, bank, k, chunk)
    similarities, positions = similarities.cpu(), positions.cpu()
    classes = int(labels.max()) + 1
    # softmax is the same vote up to a factor per row, and cannot overflow
    weights = torch.softmax(similarities / temperature, 1)
    votes = weights.new_zeros(len(test), classes).scatter_add_(1, labels[rows[positions]], weights)
    return KnnResult(votes.argmax(1).numpy(), votes.numpy(), rows[positions].numpy(), similarities.numpy())
