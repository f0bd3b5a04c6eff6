"""Splits: index arrays of train and test clips, computed from the metadata of clips."""

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._words import counted
from skel_data.splits._official import LISTED_NAMES, SEQUENCES, TRAIN_CAMERAS, TRAIN_SUBJECTS
from skel_data.store._info import ClipTable
from skel_data.store._store import Store

Ints = NDArray[np.int64]

_MOST = 50
"""Leave-one-out splits of one kind that `split_names` lists."""


@define(frozen=True, eq=False)
class Split:
    """Train and test indices of a split.

    Attributes:
        name: Name of the split.
        train: Indices of training clips, ascending. They may include clips without a label.
        test: Indices of test clips, ascending, all annotated: with a label or, in untrimmed recordings, with
            intervals or without any action.
    """

    name: str
    train: Ints
    test: Ints

    def __repr__(self) -> str:
        sizes = ", ".join(
            counted(len(rows), f"{kind} clip")
            for kind, rows in (("training", self.train), ("test", self.test))
        )
        return f"Split {self.name}: {sizes}"


def split_names(store: ClipTable) -> tuple[str, ...]:
    """Names of the splits that a store, or a clip table, allows.

    ``listed`` or ``listed-1``, ``listed-2``, ...: as the set itself lists them, by their own names where
    they have names, such as the ``xsub`` and ``xview`` of PKU-MMD. ``xsub``: the official training
    subjects, or odd subject codes where there are none. ``xview``: the official training cameras, or all but
    the last one. ``xset``: even setups train. ``subject-S``: subject S tests, the others train. ``camera-V``:
    camera V tests, the others train. ``sequence-S-R``: recording R of subject S tests, all others
    train; for sets whose clips are cut from recordings. ``random``: half of each class.

    Of a kind with more than 50 leave-one-out splits none is among the names. `get_split` takes them all the
    same, ``sequence-S-R`` for any set, and two that test no clip: ``all``, where every clip trains, and a
    listed split that puts all its clips in the training part.
    """
    listed = list(dict.fromkeys(_listed_columns(store).values()))
    names = [*(_listed_name(store, column) for column in listed), "xsub", "xview", "xset"]
    for kind in ("subject", "camera", *["sequence"] * (store.dataset in SEQUENCES)):
        family = _names_left_out(store, kind)
        names += family if len(family) <= _MOST else ()
    possible = (name for name in names if all(part.size for part in _parts(store, name)))
    return tuple(dict.fromkeys([*possible, "random"]))


def get_split(store: ClipTable, name: str | None = None, *, seed: int = 0, needs_test: bool = True) -> Split:
    """One split of a store, or of a clip table.

    Args:
        store: The clips.
        name: One of `split_names`, or a name described there. None: the store's default where its clips
            allow it, else the first listed one, else ``xsub``, else ``random``.
        seed: Decides what ``random`` gives; the others do not depend on it.
        needs_test: Whether a default must have a test part. Without, as for pretraining, a listed split that
            puts all its clips in the training part is the default of a store that has no other one listed.

    Raises:
        ValueError: If the store has no such split; the message names those it has.
    """
    if name == "all":
        return Split(name, np.arange(len(store)), np.empty(0, dtype=np.int64))
    if name is None:
        listed = (_listed_name(store, column) for column in _listed_columns(store).values())
        wished = [(wish, True) for wish in (store.default_split, *listed) if wish]
        wished += [] if needs_test else [(wish, False) for wish, _ in wished]
        wished += [("xsub", True)]
        usual = (wish for wish, test in wished if _possible(*_parts(store, wish), test_needed=test))
        name = next(usual, "random")
    columns = _listed_columns(store)
    if name in columns:
        name = _listed_name(store, columns[name])
    elif name.startswith("view-"):  # as ``camera-V`` was called before
        name = f"camera-{name.removeprefix('view-')}"
    train, test = _parts(store, name, seed)
    listed_alone = name in _listed_columns(store)  # such a list may test nobody
    if name != "random" and not _possible(train, test, test_needed=not listed_alone):
        raise ValueError(f"no split {name!r} in {store.dataset!r}; there are {', '.join(split_names(store))}")
    return Split(name, train, test)


def _possible(train: Ints, test: Ints, *, test_needed: bool) -> bool:
    return bool(train.size and (test.size or not test_needed))


def without_copies(store: Store, split: Split) -> Ints:
    """Test indices of a split without the clips that are exact copies of a training clip."""
    copies = np.isin(store.digests[split.test], store.digests[split.train])
    return split.test[~copies]


def holdout_groups(store: ClipTable, train: Ints, test: Ints, *, seed: int = 0) -> Ints:
    """Group of each training clip, to hold whole groups out of the training part.

    What is held out is of the kind that is new in the test part: subjects, else cameras, else setups,
    else the recordings that clips are cut from, that the test part does not share with the training part. A
    choice made on groups of another kind would be made for another question.

    Args:
        store: The clips.
        train: Indices of training clips (N,).
        test: Indices of test clips.
        seed: Decides on random groups.

    Returns:
        Group ids (N,): codes of what is new in the test part; subjects where nothing is; five random
        groups balanced over the classes where neither is known.
    """
    kinds = [store.subjects, store.cameras, store.setups]
    kinds += [_recordings(store)] if store.dataset in SEQUENCES else []
    new = [codes for codes in kinds if not np.isin(codes[train], codes[test]).any()]
    for codes in (*new, store.subjects):
        if (codes[train] >= 0).all() and len(np.unique(codes[train])) > 1:
            return codes[train]
    groups = np.empty(len(train), dtype=np.int64)
    groups[_shuffled_by_class(store.labels[train], seed)] = np.arange(len(train)) % 5
    return groups


def _parts(store: ClipTable, name: str, seed: int = 0) -> tuple[Ints, Ints]:
    """Train and test indices; empty where there is no such split, or the metadata is not known."""
    columns = _listed_columns(store)
    known = np.ones(len(store), dtype=bool)
    train = ~known
    if name in columns and store.listed_split is not None:
        part = store.listed_split[:, columns[name]]
        known, train = part > 0, part == 1
    elif name in _names_of_lists(store):
        pass  # an official list that is not there is not replaced by a rule
    elif name == "xsub":
        known = store.subjects >= 0
        official = TRAIN_SUBJECTS.get(store.dataset)
        train = store.subjects % 2 == 1 if official is None else np.isin(store.subjects, official)
    elif name == "xview":
        known = store.cameras >= 0
        official = TRAIN_CAMERAS.get(store.dataset)
        train = (
            store.cameras < store.cameras.max(initial=-1)
            if official is None
            else np.isin(store.cameras, official)
        )
    elif name == "xset":
        known = store.setups >= 0
        train = store.setups % 2 == 0
    elif name == "random":
        return _random(store, seed)
    else:
        kind = name.partition("-")[0]
        codes = _codes_left_out(store, kind)
        known = codes >= 0
        # A name that is not there tests nobody
        train = codes != _names_left_out(store, kind).get(name, -1)
    return np.flatnonzero(known & train), np.flatnonzero(known & ~train & store.annotated)


def _names_of_lists(store: ClipTable) -> tuple[str, ...]:
    return store.listed_names or LISTED_NAMES.get(store.dataset, ())


def _listed_columns(store: ClipTable) -> dict[str, int]:
    """Column of each listed split, by number and by name."""
    if store.listed_split is None:
        return {}
    count = store.listed_split.shape[1]
    numbered = ["listed"] if count == 1 else [f"listed-{column + 1}" for column in range(count)]
    named = {name: column for column, name in enumerate(_names_of_lists(store)[:count]) if name}
    return {**{name: column for column, name in enumerate(numbered)}, **named}


def _listed_name(store: ClipTable, column: int) -> str:
    return [name for name, own in _listed_columns(store).items() if own == column][-1]


def _codes_left_out(store: ClipTable, kind: str) -> Ints:
    """What each clip belongs to (N,), -1 where unknown, of which one at a time is left out."""
    if kind == "subject":
        return store.subjects
    if kind == "camera":
        return store.cameras
    return _recordings(store) if kind == "sequence" else np.full(len(store), -1)


def _names_left_out(store: ClipTable, kind: str) -> dict[str, int]:
    """Code of what each leave-one-out split of a kind leaves out, by its name, in order."""
    codes, clips = np.unique(_codes_left_out(store, kind), return_index=True)
    codes, clips = codes[codes >= 0], clips[codes >= 0]
    if kind == "camera":
        names = [_named(store.camera_names, camera) for camera in store.cameras[clips].tolist()]
    else:
        names = [_named(store.subject_names, subject) for subject in store.subjects[clips].tolist()]
    if kind == "sequence":
        names = [f"{name}-{number}" for name, number in zip(names, store.replications[clips], strict=True)]
    return {f"{kind}-{name}": code for name, code in zip(names, codes.tolist(), strict=True)}


def _named(names: tuple[str, ...], code: int) -> str:
    return names[code] if 0 <= code < len(names) else str(code)


def _recordings(store: ClipTable) -> Ints:
    """Code of each clip's recording, which is a subject's replication (N,); -1 where unknown."""
    subjects, replications = store.subjects, store.replications
    known = (subjects >= 0) & (replications >= 0)
    codes = np.unique(np.stack([subjects, replications], 1), axis=0, return_inverse=True)[1]
    return np.where(known, codes.reshape(-1), -1)


def _random(store: ClipTable, seed: int) -> tuple[Ints, Ints]:
    order = _shuffled_by_class(store.labels, seed)
    # Every second clip of each class, and those without a label, which come first
    tests = (np.arange(len(order)) % 2 == 1) & store.annotated[order]
    return np.sort(order[~tests]), np.sort(order[tests])


def _shuffled_by_class(labels: Ints, seed: int) -> Ints:
    """Indices class by class, in random order within each."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]
