"""Pool of data sets: the training clips of several stores in one, for pretraining."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skel_data._clip import Clip
from skel_data._convert import conversion, convert, explain_conversion
from skel_data.splits._split import get_split
from skel_data.store._info import DatasetInfo
from skel_data.store._store import Store, clip_digest
from skel_data.store._write import write_store

METRES = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001}
"""Units that are brought together, each in metres."""


def pool_stores(
    stores: Sequence[Store], path: str | Path, *, split: str | None = None, overwrite: bool = False
) -> Store:
    """Write the training clips of several stores to a new one, for pretraining on a pool of data sets.

    Joints become those of the first store by the rules of `conversion`, lengths its units. The setup of a
    clip is the number of its store, from 1, so that batches can be drawn of one data set at a time. Labels
    are left out, and so are subjects and cameras, whose numbers mean something else in each set.

    Args:
        stores: At least two.
        path: Folder to make.
        split: Whose training clips are taken, of each store; None: the default split of each.
        overwrite: Replace the store at `path`, if there is one.

    Raises:
        ValueError: If a joint cannot be had, too many fall onto their parents, units or dimensions do not go
            together, or two stores are the same.
        FileExistsError: If `path` exists and may not be replaced.
    """
    if len(stores) < 2:
        raise ValueError(f"a pool needs at least two stores, got {len(stores)}")
    hashes = [store.hash for store in stores]
    if twice := [store for store, one in zip(stores, hashes, strict=True) if hashes.count(one) > 1]:
        raise ValueError(f"{twice[0].path} and {twice[1].path} are the same store: a pool takes each once")
    first = stores[0]
    layout = first.layout
    units = first.units
    for store in stores:
        if store.units != units and not _known(store, units):
            raise ValueError(f"{first.path} is in {units}, {store.path} in {store.units}: no pool is made")
    notes = []
    for number, store in enumerate(stores, 1):
        conversion(store.layout, layout)  # an error comes before any work
        rules = explain_conversion(store.layout, layout)
        lacking = [joint for joint, (rule, _) in rules.items() if rule == "parent"]
        filled = f"; without {', '.join(lacking)}, which take their parents' places" if lacking else ""
        notes.append(f"setup {number} is {store.dataset}, of {store.layout.name}{filled}")

    def clips() -> Iterator[Clip]:
        for number, store in enumerate(stores, 1):
            for index in get_split(store, split, needs_test=False).train:
                positions = convert(store.clip(index), store.layout, layout)
                yield Clip(
                    in_units(positions, layout.dims, store.units, units),
                    f"{store.dataset}/{store.names[index]}",
                    setup=number,
                    split=1,
                    tracks=store.tracks(index),
                    rate=float(store.rates[index]),
                )

    name = "+".join(dict.fromkeys(store.dataset for store in stores))
    info = DatasetInfo(layout, (), first.units, dataset=name, notes=notes)
    return write_store(path, clips(), info, source=pool_source(stores, split), overwrite=overwrite)


def pool_source(stores: Sequence[Store], split: str | None = None) -> str:
    """What the header of a pool says of its stores; another text is another pool."""
    of = ", ".join(f"{store.dataset} {store.hash[:16]}" for store in stores)
    return f"pool of {of}, split {split or 'default'}"


def pool_digests(store: Store, units: str) -> NDArray[np.str_]:
    """Hash of each clip's coordinates (N,), as a pool in these units has them."""
    if store.units == units or not _known(store, units):
        return store.digests
    dims = store.layout.dims
    clips = (in_units(store.clip(index), dims, store.units, units) for index in range(len(store)))
    return np.array([clip_digest(clip) for clip in clips])


def _known(store: Store, units: str) -> bool:
    return store.units in METRES and units in METRES


def in_units(positions: NDArray[np.float32], dims: int, units: str, wanted: str) -> NDArray[np.float32]:
    """Coordinates of recordings in other units, both in `METRES` or the same; a confidence stays as it is.

    Args:
        positions: (..., C).
        dims: How many of the C channels are coordinates.
        units: Their units.
        wanted: The units that are wanted.
    """
    scaled = np.array(positions)
    if units != wanted:
        scaled[..., :dims] *= METRES[units] / METRES[wanted]
    return scaled
