"""Summary statistics of a store."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._clip import NO_ACTION
from skel_data._up import find_up
from skel_data._words import counted
from skel_data.pipelines import _steps as steps
from skel_data.splits._split import get_split, split_names
from skel_data.store._store import Ints, Store

_ROWS = 1 << 16
_LOOKED_AT = 100
"""Clips that show which way is up."""


def summarise(store: Store) -> dict[str, Any]:
    """Summary statistics of a store: clips by class, subject and camera, lengths, gaps, bad files.

    ``frames`` gives the quartiles of the clips' lengths. ``bodies`` counts clips by the most bodies that are
    there at once. ``missing_joints`` gives, for joints that have gaps, the share of the frames of
    present bodies in which the joint is missing.
    """
    lengths, labels = store.lengths, store.labels
    quartiles = np.quantile(lengths, [0, 0.25, 0.5, 0.75, 1]).tolist()
    gaps = zip(store.layout.joints, missing_joints(store).tolist(), strict=True)
    return {
        "dataset": store.dataset,
        "layout": store.layout.name,
        "joints": store.layout.num_joints,
        "units": store.units,
        "clips": len(store),
        "frames": {
            **dict(zip(("min", "lower quartile", "median", "upper quartile", "max"), quartiles, strict=True)),
            "sum": int(lengths.sum()),
        },
        "rates": {f"{rate:g}": int((store.rates == rate).sum()) for rate in np.unique(store.rates) if rate},
        "bodies": _counts(np.array([(store.tracks(i) != 0).sum(1).max() for i in range(len(store))])),
        "subjects": _counts(store.subjects, store.subject_names),
        "cameras": _counts(store.cameras, store.camera_names),
        "setups": _counts(store.setups),
        "classes": {name: int((labels == label).sum()) for label, name in enumerate(store.classes)},
        **_actions(store),
        "unlabelled": int((labels < 0).sum()),
        "splits": list(split_names(store)),
        "copies": len(store) - len(set(store.digests.tolist())),
        "missing_joints": {name: round(share, 6) for name, share in gaps if share},
        "notes": list(store.notes),
        "warnings": warnings_of(store),
        "bad_files": {bad.name: bad.reason for bad in store.bad_files},
        "hash": store.hash,
    }


def _actions(store: Store) -> dict[str, Any]:
    """Actions of each class in untrimmed recordings, if there are any, and their share of the frames."""
    _, labels, starts, stops = store.all_intervals.T
    if not len(labels):
        return {}
    counts = {name: int((labels == label).sum()) for label, name in enumerate(store.classes)}
    return {
        "intervals": counts,
        "without_action": int((store.labels == NO_ACTION).sum()),
        "in_intervals": round(float((stops - starts).sum() / store.lengths.sum()), 4),
    }


def warnings_of(store: Store) -> list[str]:
    """What a user should look at in a store, a sentence each.

    That bodies do not stand along y, up; that clips share a name, or have several frame rates; that the
    test part of the default split has classes without a training clip.
    """
    told = [_lying(store)]
    names, counts = np.unique(store.names, return_counts=True)
    if (counts > 1).any():
        twice = counts > 1
        told.append(
            f"{counted(counts[twice].sum(), 'clip')} share names with others, such as "
            f"{str(names[twice][0])!r}"
        )
    rates, counts = np.unique(store.rates[store.rates > 0], return_counts=True)
    if len(rates) > 1:
        found = ", ".join(
            f"{rate:g} ({counted(count, 'clip')})" for rate, count in zip(rates, counts, strict=True)
        )
        told.append(f"clips have several frame rates: {found}; import with --rate resamples them to one")
    split = get_split(store)
    new = sorted(set(store.labels[split.test].tolist()) - set(store.labels[split.train].tolist()))
    if new:
        shown = ", ".join(store.classes[label] for label in new[:5]) + ", ..." * (len(new) > 5)
        lacking = f"{counted(len(new), 'test class')} {'has' if len(new) == 1 else 'have'} no training clip"
        told.append(f"split {split.name!r}: {lacking}: {shown}")
    return [warning for warning in told if warning]


def _lying(store: Store) -> str:
    """A warning if bodies do not stand along y; "" if they do, or it cannot be told."""
    chosen = sorted(set(np.linspace(0, len(store) - 1, _LOOKED_AT).astype(int).tolist()))
    up = find_up((store.clip(index)[:: max(1, store.lengths[index] // 64)] for index in chosen), store.layout)
    if up in ("", "y"):
        return ""
    return (
        f"bodies stand along {up}, not along y: headings are not taken out of clips rightly; "
        f"import with --up {up}, or --up auto"
    )


def missing_joints(store: Store) -> NDArray[np.float64]:
    """Share of the frames of present bodies in which each joint is missing (V,)."""
    missing, present = np.zeros(store.layout.num_joints), 0
    for start in range(0, len(store.frames), _ROWS):
        rows = slice(start, start + _ROWS)
        _, known = steps.known_joints(store.frames[rows][None, :, None], store.layout.dims)
        there = store.all_tracks[rows] != 0
        missing += (~known[0, there, 0]).sum(0)
        present += int(there.sum())
    return missing / max(present, 1)


def _counts(codes: Ints, names: tuple[str, ...] = ()) -> dict[str, int]:
    """Clips by code; unknown ones (-1) are not counted."""
    found, counts = np.unique(codes[codes >= 0], return_counts=True)
    return {
        names[code] if code < len(names) else str(code): int(count)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True)
    }
