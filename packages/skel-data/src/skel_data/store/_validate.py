"""Integrity check of a store."""

import numpy as np

from skel_data._clip import NO_ACTION
from skel_data.files import check_all_blocks
from skel_data.store._store import Store, clip_digest
from skel_data.store._write import LARGEST


def validate_store(store: Store) -> list[str]:
    """Check the integrity of a store and its caches: read all and compare it with its hashes.

    Args:
        store: An opened store; `Store.open` has compared the sizes.

    Returns:
        What is wrong, one sentence each; empty if nothing is.
    """
    wrong = []
    for index in range(len(store)):
        positions = store.unchecked_clip(index)
        if clip_digest(positions) != store.digests[index]:
            wrong.append(
                f"clip {index}, {store.names[index]}: its coordinates are not those that were written"
            )
        elif (np.abs(positions) > LARGEST).any():
            wrong.append(f"clip {index}, {store.names[index]}: a coordinate beyond {LARGEST:g}")
    try:
        store.check()
    except ValueError:
        wrong.append("the metadata or body ids are not those that were written: their hash differs")
    unknown = (store.labels < NO_ACTION) | (store.labels >= len(store.classes))
    wrong += [f"clip {i}, {store.names[i]}: label {store.labels[i]}" for i in np.flatnonzero(unknown)]
    for cache in sorted((store.path / "cache").glob("*.npy")):
        try:
            check_all_blocks(cache)
        except (OSError, ValueError) as error:
            wrong.append(f"{error}; remove it, it is made again when it is needed")
    return wrong
