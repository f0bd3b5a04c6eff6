"""Subsets of a split: few labels, for semi-supervised runs, and test clips that pretraining has not seen."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skel_data._words import counted
from skel_data.splits._official import PARTS_OF
from skel_data.store._info import ClipTable

Ints = NDArray[np.int64]


def labelled_subset(labels: ArrayLike, fraction: float, *, seed: int, balanced: bool = True) -> Ints:
    """Random labelled subset for semi-supervised learning: the clips that keep their label.

    Two ways are published, and scores of 1 % differ between them. Balanced, as in CrosSCLR and AimCLR: the
    fraction of each class, rounded, but at least one clip. Not balanced, as in ISC, CMD and MAMP: the
    fraction of all clips, whatever their class, so that a class may be absent.

    The subset depends on the arguments alone: not on rank, worker, earlier calls or the release of numpy. A
    smaller fraction of the same seed lies within a larger one: each is a random subset as published, but
    curves over fractions compare like with like.

    Args:
        labels: Class of each training clip (N,); those below 0 have no label and are never taken.
        fraction: Part of the labelled clips, above 0, at most 1.
        seed: Decides which.
        balanced: Take the fraction of each class, not of all.

    Returns:
        Indices into `labels`, ascending.

    Raises:
        ValueError: If `fraction` is not above 0 and at most 1, `labels` are not whole numbers (N,), no clip
            has a label, or `seed` is negative.
    """
    labels = np.asarray(labels)
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be above 0 and at most 1, got {fraction}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be whole numbers (N,), got {labels.dtype} {labels.shape}")
    if not (labels >= 0).any():
        raise ValueError(f"none of {counted(len(labels), 'clip')} has a label")
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    # Numpy promises that the raw numbers of a bit generator stay the same, not what a Generator makes of them
    order = np.argsort(np.random.PCG64(seed).random_raw(len(labels)), kind="stable")
    order = order[labels[order] >= 0]
    groups = labels[order] if balanced else np.zeros(len(order), dtype=np.int64)
    order = order[np.argsort(groups, kind="stable")]
    counts = np.unique(groups, return_counts=True)[1]
    wanted = np.maximum(np.rint(fraction * counts), 1)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[rank < np.repeat(wanted, counts)])


def without_seen(
    store: ClipTable,
    test: Ints,
    pretraining: ClipTable,
    seen: Ints,
    *,
    by: Literal["performance", "recording"] = "performance",
) -> Ints:
    """Test clips without those that leaked into pretraining, on this set or on one that contains it.

    NTU RGB+D 120 contains NTU RGB+D. Of the 18,932 test clips of NTU-60's xview an encoder has seen 13,415 if
    it was pretrained on the training subjects of NTU-120, 8,869 if on its even setups, and 5,392 if on
    the clips that are in both training parts, so that 13,540 are left. (SOfA, arXiv 2609.07078, names 13,568
    after removing 5,392: that counts the samples with a missing skeleton too.)

    Args:
        store: The clips that are tested, or their table.
        test: Their indices.
        pretraining: The clips of the pretraining, or their table.
        seen: Indices of those that the encoder was trained on.
        by: What counts as seen. "performance", the stricter: the same performance of the same action from any
            camera, that is with the same setup, subject and replication. "recording": the very clip, so from
            the same camera. The two differ if the pretraining part goes by camera: the cameras of a set
            film the same performances, so that by performance nearly nothing is left of the set's own xview.

    Returns:
        The indices in `test` that are left, in their order.

    Raises:
        ValueError: If the sets do not share their subjects and classes, the subject or label of a clip is not
            known, or other metadata is known for a part of the clips only.
    """
    if by not in ("performance", "recording"):
        raise ValueError(f"by must be 'performance' or 'recording', got {by!r}")
    datasets = [store.dataset, pretraining.dataset]
    if len({PARTS_OF.get(name, name) for name in datasets}) > 1:
        raise ValueError(f"{datasets[0]} and {datasets[1]} share no clips, or it is not known which")
    names = ["labels", "subjects", "setups", "replications", *["cameras"] * (by == "recording")]
    rows = np.concatenate([_codes(store, test, names), _codes(pretraining, seen, names)])
    for name, codes in zip(names, rows.T, strict=True):
        if (codes < 0).any() and (name in ("labels", "subjects") or (codes >= 0).any()):
            raise ValueError(f"{name}: unknown for {(codes < 0).sum()} of {counted(len(codes), 'clip')}")
    same = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    return test[~np.isin(same[: len(test)], same[len(test) :])]


def _codes(store: ClipTable, clips: Ints, names: list[str]) -> NDArray[Any]:
    """Codes (N, names) of some clips."""
    return np.stack([getattr(store, name)[clips] for name in names], axis=1)
