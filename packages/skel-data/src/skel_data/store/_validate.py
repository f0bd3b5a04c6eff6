"""Integrity check of a store."""

import numpy as np

from skel_data.store._store import COLUMNS, Store
from skel_data.store._write import LARGEST, clip_digest, content_hash

_NOT_HASHED = ("counts", "hash", "source", "bad_files", "notes")


def validate_store(store: Store) -> list[str]:
    """Check the integrity of a store: read all of it and compare it with its hashes.

    Args:
        store: An opened store; `Store.open` has compared the sizes.

    Returns:
        What is wrong, one sentence each; empty if nothing is.
    """
    wrong = []
    for index in range(len(store)):
        positions = store.clip(index)
        if clip_digest(positions) != store.digests[index]:
            wrong.append(
                f"clip {index}, {store.names[index]}: its coordinates are not those that were written"
            )
        elif (np.abs(positions) > LARGEST).any():
            wrong.append(f"clip {index}, {store.names[index]}: a coordinate beyond {LARGEST:g}")
    about = {key: value for key, value in store.header.items() if key not in _NOT_HASHED}
    if content_hash(about, {name: store.columns[name] for name in COLUMNS}, store.all_tracks) != store.hash:
        wrong.append("the metadata or body ids are not those that were written: their hash differs")
    unknown = (store.labels < -1) | (store.labels >= len(store.classes))
    wrong += [f"clip {i}, {store.names[i]}: label {store.labels[i]}" for i in np.flatnonzero(unknown)]
    return wrong
