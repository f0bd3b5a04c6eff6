"""Leaks between the parts of a split, kept beside the clips, and what is said of them beside a number."""

import hashlib
import logging
from pathlib import Path

import numpy as np

from skel_data import Copy, Split, Store, broken_claims, find_copies
from skel_data.files import check_all_blocks, hold, write_checked
from skel_recipes.common.words import count

SMALL = 500_000
"""Frames of a store in which copies are looked for without being asked: it takes seconds."""
_VERSION = 2
_LOGGER = logging.getLogger("skel_recipes")


def copies_of(store: Store, split: Split) -> list[Copy]:
    """Test clips of which a stretch is in a training clip, from the store's cache or found and kept there.

    Raises:
        ValueError: If a recording is not what was written.
    """
    file, key = _file(store, split)
    if (kept := _kept(file, key)) is not None:
        return kept
    found = find_copies(store, split)
    table = np.array(
        [
            [one.test, one.train, one.frames, one.start, one.train_start, one.backwards, one.difference]
            for one in found
        ],
        np.float64,
    ).reshape(-1, 7)
    try:
        file.parent.mkdir(exist_ok=True)
        with hold(file.with_name(f".{file.name}.lock"), file, wait=True):
            write_checked(file, key, table.shape, np.float64, [table])
    except OSError as error:
        _LOGGER.warning("the copies that were found are not kept: %s", error)
    return found


def leak_notes(store: Store, split: Split) -> list[str]:
    """What a reader of a number must know of its split, a sentence each.

    In a large store copies are not looked for; those that `copies_of` has kept are named.
    """
    notes = broken_claims(store, split)
    found = copies_of(store, split) if len(store.frames) <= SMALL else _kept(*_file(store, split))
    if found is None:
        notes.append(
            f"whether test clips are copies of training clips is unknown: skel data leaks {store.path}"
        )
    elif found:
        share = "shares" if len(found) == 1 else "share"
        notes.append(
            f"{len(found)} of {count(len(split.test), 'test clip')} {share} frames with a training clip, "
            f"moved, turned, mirrored, reversed or cut: skel data leaks {store.path} --split {split.name}"
        )
    return notes


def _file(store: Store, split: Split) -> tuple[Path, str]:
    digest = hashlib.blake2b(store.hash.encode(), digest_size=8)
    for part in (split.train, split.test):
        digest.update(np.ascontiguousarray(part, "<i8").data)
        digest.update(b"|")
    name = f"leaks-{_VERSION}-{digest.hexdigest()}"
    return store.path / "cache" / f"{name}.npy", name


def _kept(file: Path, key: str) -> list[Copy] | None:
    try:
        if check_all_blocks(file) != key:
            return None
        table = np.load(file, allow_pickle=False)
        return [
            Copy(int(test), int(train), int(count), int(start), int(there), bool(back), float(difference))
            for test, train, count, start, there, back, difference in table.tolist()
        ]
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _LOGGER.warning("%s; copies are looked for again", error)
        return None
