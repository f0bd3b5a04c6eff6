"""What guessing reaches."""

import torch
from attrs import define

from skel_eval._arrays import Array, as_labels, labelled_rows
from skel_eval._metrics import accuracy


@define(frozen=True)
class Chance:
    """Accuracy without looking at the clips.

    Attributes:
        majority: Always the most frequent class of the train set (the lowest of several).
        uniform: A fair die: 1 / number of classes in the train set.
    """

    majority: float
    uniform: float


def chance(train_y: Array, test_y: Array) -> Chance:
    """Accuracy of guessing, from the labels alone.

    Args:
        train_y: Classes, (N_train,); negative means unlabelled.
        test_y: Classes, (N_test,); negative means unlabelled.

    Raises:
        ValueError: If no train row is labelled.
    """
    labels = as_labels(train_y, len(train_y), "train_y")
    counts = torch.bincount(labels[labelled_rows(labels)])
    majority = accuracy(torch.full((len(test_y),), int(counts.argmax())), test_y)
    return Chance(majority, 1 / int((counts > 0).sum()))
