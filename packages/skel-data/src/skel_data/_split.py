"""Splits: index arrays of train and test clips, computed from the facts in a store."""

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._store import Store

Ints = NDArray[np.int64]

# Training subjects and cameras of the official protocols: NTU RGB+D (Shahroudy et al., CVPR 2016), NTU RGB+D
# 120 (Liu et al., TPAMI 2020), UTD-MHAD (Chen et al., ICIP 2015), Northwestern-UCLA (Wang et al., CVPR 2014).
_NTU60 = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
_TRAIN_SUBJECTS = {
    "ntu60": _NTU60,
    "ntu120": (
        *(*_NTU60, 45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96)),
        *(97, 98, 100, 103),
    ),
    "utd-mhad": (1, 3, 5, 7),
}
_TRAIN_VIEWS = {"ntu60": (2, 3), "nw-ucla": (1, 2)}


@define(frozen=True, eq=False)
class Split:
    """Which clips are for training and which for testing.

    Attributes:
        name: Name of the split.
        train: Indices of training clips, ascending. They may include clips without a label.
        test: Indices of test clips, ascending, all with a label.
    """

    name: str
    train: Ints
    test: Ints


def split_names(store: Store) -> tuple[str, ...]:
    """Names of the splits that a store allows.

    ``listed`` or ``listed-1``, ``listed-2``, ...: as the set itself lists them. ``xsub``: the
    official training subjects, or odd subject codes where there are none. ``xview``: the official
    training cameras, or all but the last view. ``xset``: even setups train. ``subject-S``: subject
    S tests, the others train. ``random``: half of each class.
    """
    names: list[str] = []
    if store.listed_split is not None:
        count = store.listed_split.shape[1]
        names += ["listed"] if count == 1 else [f"listed-{k}" for k in range(1, count + 1)]
    names += ["xsub", "xview", "xset"]
    names += [
        f"subject-{_subject_name(store, code)}" for code in np.unique(store.subjects[store.subjects >= 0])
    ]
    return (*(name for name in names if all(part.size for part in _parts(store, name))), "random")


def get_split(store: Store, name: str | None = None, *, seed: int = 0) -> Split:
    """One split of a store.

    Args:
        store: The clips.
        name: One of `split_names`. None: the store's default where its clips allow it, else the first
            listed one, else ``xsub``, else ``random``.
        seed: Decides what ``random`` gives; the others do not depend on it.

    Raises:
        ValueError: If the store has no such split; the message names those it has.
    """
    names = split_names(store)
    if name is None:
        usual = (name for name in names if name.startswith("listed") or name == "xsub")
        name = store.default_split if store.default_split in names else next(usual, "random")
    if name not in names:
        raise ValueError(f"no split {name!r} in {store.dataset}; there are {', '.join(names)}")
    train, test = _random(store.labels, seed) if name == "random" else _parts(store, name)
    return Split(name, train, test)


def without_copies(store: Store, split: Split) -> Ints:
    """Test indices of a split without the clips that are exact copies of a training clip."""
    copies = np.isin(store.digests[split.test], store.digests[split.train])
    return split.test[~copies]


def holdout_groups(store: Store, train: Ints, test: Ints, *, seed: int = 0) -> Ints:
    """Group of each training clip, to hold whole groups out of the training part.

    What is held out is of the kind that is new in the test part: subjects, else views, else setups that
    the test part does not share with the training part. A choice made on groups of another kind
    would be made for another question.

    Args:
        store: The clips.
        train: Indices of training clips (N,).
        test: Indices of test clips.
        seed: Decides on random groups.

    Returns:
        Group ids (N,): codes of what is new in the test part; subjects where nothing is; five random
        groups balanced over the classes where neither can be told.
    """
    kinds = [store.subjects, store.views, store.setups]
    new = [codes for codes in kinds if not np.isin(codes[train], codes[test]).any()]
    for codes in (*new, store.subjects):
        if (codes[train] >= 0).all() and len(np.unique(codes[train])) > 1:
            return codes[train]
    groups = np.empty(len(train), dtype=np.int64)
    groups[_shuffled_by_class(store.labels[train], seed)] = np.arange(len(train)) % 5
    return groups


def _subject_name(store: Store, code: int) -> str:
    return store.subject_names[code] if 0 <= code < len(store.subject_names) else str(code)


def _parts(store: Store, name: str) -> tuple[Ints, Ints]:
    """Train and test indices; empty where the facts are not known."""
    kind, _, which = name.partition("-")
    known = np.ones(len(store), dtype=bool)
    train = ~known
    if kind == "listed" and store.listed_split is not None:
        column = store.listed_split[:, int(which or 1) - 1]
        known, train = column > 0, column == 1
    elif kind in ("xsub", "subject"):
        known = store.subjects >= 0
        if kind == "subject":
            names = np.array([_subject_name(store, code) for code in store.subjects])
            train = names != which
        elif store.dataset in _TRAIN_SUBJECTS:
            train = np.isin(store.subjects, _TRAIN_SUBJECTS[store.dataset])
        else:
            train = store.subjects % 2 == 1
    elif kind == "xview":
        known = store.views >= 0
        official = _TRAIN_VIEWS.get(store.dataset)
        train = store.views < store.views.max() if official is None else np.isin(store.views, official)
    elif kind == "xset":
        known = store.setups >= 0
        train = store.setups % 2 == 0
    return np.flatnonzero(known & train), np.flatnonzero(known & ~train & (store.labels >= 0))


def _random(labels: Ints, seed: int) -> tuple[Ints, Ints]:
    order = _shuffled_by_class(labels, seed)
    # Every second clip of each class, and those without a label, which come first
    test = order[(np.arange(len(order)) % 2 == 1) & (labels[order] >= 0)]
    return np.setdiff1d(order, test), np.sort(test)


def _shuffled_by_class(labels: Ints, seed: int) -> Ints:
    """Indices class by class, in random order within each."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]
