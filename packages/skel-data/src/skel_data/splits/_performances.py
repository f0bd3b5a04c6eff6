"""Performances: which recordings show the same person doing the same thing, from their names and codes."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data.store._store import Store

Ints = NDArray[np.int64]

ACROSS = ("camera", "replication")
"""What recordings of one group may differ in: the camera that filmed one performance, or the repetition."""

_WORD = re.compile(r"[A-Za-z]+|\d+")


def performance_groups(store: Store, across: str = "camera") -> Ints:
    """Group of each clip (N,): recordings whose names and codes differ in one thing only.

    Labels are not read. The name of a recording tells its camera, or repetition, by a number or word that
    goes one to one with the store's codes, as ``v01`` does in NW-UCLA's ``a01_s01_e00_v01``. What is left of
    the name, with subject, setup and the other code, is the group. Where names contain the class, so does
    the group: see `names_contain_class`.

    Args:
        store: The recordings.
        across: ``camera``: a group is one performance, filmed by several cameras. ``replication``: a group is
            what one subject did several times before one camera.

    Returns:
        Group codes; -1 for clips whose camera, or replication, is not known.

    Raises:
        ValueError: If `across` is neither, the store does not have two of them, or its names do not tell
            them.
    """
    if across not in ACROSS:
        raise ValueError(f"across must be one of {', '.join(ACROSS)}, got {across!r}")
    codes, others = store.cameras, store.replications
    names: tuple[str, ...] = store.camera_names
    if across == "replication":
        codes, others, names = others, codes, ()
    known = np.flatnonzero(codes >= 0)
    if len(np.unique(codes[known])) < 2:
        raise ValueError(f"{store.path} has no clips of two {across}s, so no recordings that share the rest")
    words = [list(_WORD.finditer(str(name))) for name in store.names[known]]
    place = _place([[word[0] for word in each] for each in words], codes[known], names)
    if place is None:
        raise ValueError(
            f"{store.path}: the names of its recordings, such as {store.names[known[0]]}, do not tell the "
            f"{across} by one number or word, so it is not known which of them share the rest"
        )
    keys: dict[tuple[Any, ...], int] = {}
    groups = np.full(len(store), -1, dtype=np.int64)
    facts = np.stack([store.subjects, store.setups, others], 1)[known].tolist()
    for clip, each, fact in zip(known.tolist(), words, facts, strict=True):
        first, last = each[place].span()
        name = str(store.names[clip])
        groups[clip] = keys.setdefault((name[:first], name[last:], *fact), len(keys))
    return groups


def names_contain_class(store: Store) -> bool | None:
    """Whether a number or word in the names of recordings tells the class, as ``A001`` does in NTU RGB+D.

    Clips without a label do not count; None if the others are not of two classes, as it is not known then.
    A word that most names have for themselves tells nothing.
    """
    labelled = np.flatnonzero(store.labels >= 0)
    labels = store.labels[labelled].tolist()
    if len(set(labels)) < 2:
        return None
    words = [_WORD.findall(str(name)) for name in store.names[labelled]]
    for place in _places(words):
        column = [each[place] for each in words]
        if 2 * len(set(column)) <= len(column) and len(set(zip(column, labels, strict=True))) == len(
            set(column)
        ):
            return True
    return False


def _places(words: Sequence[Sequence[str]]) -> list[int]:
    """Places that all names have, from the front, and where names are of several lengths from the back."""
    lengths = {len(each) for each in words}
    fewest = min(lengths)
    return [*range(fewest), *range(-1, -fewest - 1, -1)] if len(lengths) > 1 else list(range(fewest))


def _place(words: Sequence[Sequence[str]], codes: Ints, names: Sequence[str]) -> int | None:
    """The place in the names that has a code; None if there is none, or more than one.

    Words that are the code, or its name, are preferred to those that go one to one with it.
    """
    known = codes.tolist()
    equal, matching = [], []
    for place in _places(words):
        column = [each[place] for each in words]
        if len(set(zip(column, known, strict=True))) == len(set(column)) == len(set(known)):
            matching.append(place)
            if all(_is(word, code, names) for word, code in set(zip(column, known, strict=True))):
                equal.append(place)
    found = equal or matching
    return found[0] if len(found) == 1 else None


def _is(word: str, code: int, names: Sequence[str]) -> bool:
    return (word.isdecimal() and int(word) == code) or (code < len(names) and names[code] == word)
