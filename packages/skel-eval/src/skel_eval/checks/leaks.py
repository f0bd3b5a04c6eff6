"""Train/test leakage: test clips that are exact or near copies of train clips."""

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import torch
from attrs import define, field
from torch import Tensor

from skel_eval._arrays import Array, as_features, as_tensor, rows_per_block
from skel_eval._feature_set import FeatureSet
from skel_eval._words import counted


@define(frozen=True, eq=False)
class Leaks:
    """What `find_leaks` found.

    Attributes:
        exact: Test rows of which the train set holds an exact copy, ascending, (E,).
        near: Further test rows with a train row nearer than the threshold, ascending, (F,).
        nearest: Nearest train row of each test row, the first of several exact copies, (N_test,).
        distances: Relative distance to it, (N_test,): 0 for an exact copy, inf for a test row of zeros
            without a copy.
    """

    exact: np.ndarray = field(repr=False)
    near: np.ndarray = field(repr=False)
    nearest: np.ndarray = field(repr=False)
    distances: np.ndarray = field(repr=False)


@torch.no_grad()
def find_leaks(
    train_x: Array,
    test_x: Array,
    *,
    near: float = 0.05,
    chunk: int | None = None,
    device: torch.device | str | None = None,
) -> Leaks:
    """Nearest train row of each test row by ||test - train|| / ||test||, and which of them are copies.

    The distance does not depend on the scale of the data, but on its origin: centre clips before, for
    instance on the first frame, or their common distance from the camera makes all of them near.

    Distances are computed in float64: all of them through products of matrices, to about 1e-7, which
    tells the nearest row; that to the nearest then without loss. Exact copies are found by digests of the
    rows, so a copy counts as exact however many rows are almost the same.

    Args:
        train_x: Clips or features, (N_train, ...).
        test_x: Clips or features, (N_test, ...), of the same shape.
        near: Relative distance below which a pair is reported as near, 0 or more. In Northwestern-UCLA,
            centred, the two clips most alike that are no copies are 0.07 apart.
        chunk: Rows of either set that are compared at a time; None means that a block of rows and its
            distances take at most 512 MiB each. Results do not depend on it.
        device: Where to compute; None means where `train_x` is.

    Raises:
        TypeError: If an argument is not an array.
        ValueError: If shapes do not match, a value is not finite, or `near` or `chunk` is out of range.
    """
    train, test = as_tensor(train_x, "train_x"), as_tensor(test_x, "test_x")
    if train.shape[1:] != test.shape[1:]:
        raise ValueError(
            "train_x and test_x must hold rows of one shape, "
            f"got {tuple(train.shape[1:])} and {tuple(test.shape[1:])}"
        )
    train, test = as_features(train.flatten(1), "train_x"), as_features(test.flatten(1), "test_x")
    if not near >= 0:
        raise ValueError(f"near must be at least 0, got {near}")
    device = train.device if device is None else device
    step = rows_per_block(max(2 * train.shape[1], 8192), chunk)
    found = [_nearest(rows.to(device, torch.float64), train, step) for rows in torch.split(test, step)]
    nearest, distances = (torch.cat(parts).cpu() for parts in zip(*found, strict=True))
    copies = _first_copies(train, test)
    exact = copies >= 0
    nearest[exact], distances[exact] = copies[exact], 0
    return Leaks(
        exact=torch.nonzero(exact).squeeze(1).numpy(),
        near=torch.nonzero(~exact & (distances < near)).squeeze(1).numpy(),
        nearest=nearest.numpy(),
        distances=distances.numpy(),
    )


def feature_leaks(features: FeatureSet) -> list[str]:
    """What makes a number on features too good or impossible, a sentence each.

    Test rows that equal a training row and are not among the copies that the set itself names, and test
    classes that training lacks. Groups are not looked at: those of the training rows may be of another kind
    than those of the test rows.
    """
    train_x, train_y, test_x, test_y = (torch.from_numpy(np.ascontiguousarray(x)) for x in features.arrays())
    notes = []
    equal = _first_copies(train_x.flatten(1), test_x.flatten(1)).numpy() >= 0
    if len(features.copies):
        equal &= ~np.isin(features.test, features.copies)
    if equal.any():
        of = f"{int(equal.sum())} of {counted(len(equal), 'test row')}"
        notes.append(f"{of} {'has' if equal.sum() == 1 else 'have'} the features of a training row")
    lacking = np.setdiff1d(test_y[test_y >= 0], train_y[train_y >= 0])
    if len(lacking):
        rows = int(np.isin(test_y, lacking).sum())
        of = f"{counted(len(lacking), 'class')} of {counted(rows, 'test row')}"
        notes.append(f"{of} {'has' if len(lacking) == 1 else 'have'} no training row")
    return notes


def _nearest(test: Tensor, train: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Nearest train row of each of a block of test rows, and the relative distance to it."""
    least = test.new_full((len(test),), torch.inf)
    nearest = torch.zeros(len(test), dtype=torch.long, device=test.device)
    for start in range(0, len(train), step):
        rows = train[start : start + step].to(test)
        # squared distances, but for ||test||^2
        value, place = torch.addmm(rows.square().sum(1), test, rows.T, alpha=-2).min(1)
        closer = value < least
        least, nearest = torch.where(closer, value, least), torch.where(closer, place + start, nearest)
    distances = (test - train[nearest.to(train.device)].to(test)).norm(dim=1) / test.norm(dim=1)
    return nearest, distances.nan_to_num(0, posinf=torch.inf)  # 0 / 0 is a copy


def _first_copies(train: Tensor, test: Tensor) -> Tensor:
    """First train row that equals each test row in all its numbers, -1 for none, (N_test,)."""
    dtype = torch.promote_types(train.dtype, test.dtype)
    first: dict[bytes, int] = {}
    for number, digest in enumerate(_digests(train, dtype)):
        first.setdefault(digest, number)
    return torch.tensor([first.get(digest, -1) for digest in _digests(test, dtype)])


def _digests(rows: Tensor, dtype: torch.dtype) -> Iterator[bytes]:
    for row in rows:
        yield blake2b((row.to("cpu", dtype) + 0.0).numpy(), digest_size=16).digest()  # -0.0 + 0.0 is 0.0
