"""Joining of trimmed clips to long recordings, with rest between them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import Clip
from skel_data._rate import both_there
from skel_data.store._derive import clips_of
from skel_data.store._store import Store
from skel_data.store._write import write_store

_TO_AND_FRO = 8
"""Frames at the end of a clip that rest plays to and fro."""

Floats = NDArray[np.float32]


def join_clips(
    store: Store,
    path: str | Path,
    *,
    clips: int = 8,
    rest: tuple[int, int] = (15, 45),
    seed: int = 0,
    overwrite: bool = False,
) -> Store:
    """Write the labelled clips of a store to a new one, joined to untrimmed recordings with intervals.

    A recording has clips of one subject, camera, setup, frame rate and part of each listed split, in random
    order, each clip once. Before, between and behind them is rest. Rest plays the last 8 frames of the
    clip before to and fro, and those at the beginning of the clip behind, and goes over from one to the
    other evenly. So rest has the noise of the sensor and no jump; but it is not what people do in between.

    Args:
        store: Trimmed clips; those without a label are left out.
        path: Folder to make.
        clips: Clips of a recording, as near as a group can be divided evenly.
        rest: Least and largest number of frames of a rest, drawn uniformly.
        seed: Seed of the order and of the pauses.
        overwrite: Replace the store at `path`, if there is one.

    Raises:
        ValueError: If no clip has a label, recordings are untrimmed already, or a number is out of range.
        FileExistsError: If `path` exists and may not be replaced.
    """
    if clips < 1 or not 1 <= rest[0] <= rest[1]:
        raise ValueError(
            f"clips and frames of rest must be 1 or more, the least first, got {clips} and {rest}"
        )
    if len(store.all_intervals):
        raise ValueError(f"{store.path} has untrimmed recordings already")
    labelled = np.flatnonzero(store.labels >= 0)
    if not len(labelled):
        raise ValueError(f"{store.path} has no clip with a label")
    codes = [store.subjects, store.cameras, store.setups, store.rates, *store.columns["split"].T]
    group = np.unique(np.stack(codes, 1), axis=0, return_inverse=True)[1].reshape(-1)
    rng = np.random.default_rng(seed)

    def recordings() -> Iterator[Clip]:
        number = 0
        for one in np.unique(group[labelled]):
            rows = rng.permutation(labelled[group[labelled] == one])
            for part in np.array_split(rows, max(1, round(len(rows) / clips))):
                number += 1
                chosen = list(clips_of(store, part.tolist()))
                rests = rng.integers(*rest, len(chosen) + 1, endpoint=True).tolist()
                yield evolve(_joined(chosen, rests, store.layout.dims), name=f"joined-{number:04}")

    left_out = len(store) - len(labelled)
    told = f"recordings are clips joined with {rest[0]} to {rest[1]} frames of rest, seed {seed}"
    told += f"; {left_out} clips without a label are left out" if left_out else ""
    return write_store(
        path,
        recordings(),
        evolve(store.info, notes=(*store.notes, told)),
        source=str(store.header["source"]),
        overwrite=overwrite,
    )


def _joined(clips: list[Clip], rests: list[int], dims: int) -> Clip:
    """One recording of clips, with a rest before each and behind the last."""
    bodies = max(clip.positions.shape[1] for clip in clips)
    whole = [
        np.pad(clip.positions, ((0, 0), (0, bodies - clip.positions.shape[1]), (0, 0), (0, 0)))
        for clip in clips
    ]
    parts, intervals = [_rest(None, whole[0], rests[0], dims)], []
    frames = rests[0]
    for clip, own, after, pause in zip(clips, whole, [*whole[1:], None], rests[1:], strict=True):
        intervals.append((clip.label, frames, frames + len(own)))
        parts += [own, _rest(own, after, pause, dims)]
        frames += len(own) + pause
    return evolve(
        clips[0],
        positions=np.concatenate(parts),
        label=-1,
        replication=-1,
        tracks=None,
        intervals=intervals,
    )


def _rest(before: Floats | None, behind: Floats | None, frames: int, dims: int) -> Floats:
    """Frames of rest between two recordings (T, M, V, C), or at the end of one."""
    at = np.arange(1, frames + 1)
    made = [] if before is None else [before[::-1][_to_and_fro(at, len(before))]]
    made += [] if behind is None else [behind[_to_and_fro(at[::-1], len(behind))]]
    if len(made) == 1:
        return made[0]
    first, second = made
    weight = (at / (frames + 1)).astype(np.float32)[:, None, None, None]
    out = np.where(weight < 0.5, first, second)
    mixed = first[..., :dims] * (1 - weight) + second[..., :dims] * weight
    out[..., :dims] = np.where(both_there(first, second, dims)[..., None], mixed, out[..., :dims])
    return out


def _to_and_fro(steps: NDArray[np.int64], frames: int) -> NDArray[np.int64]:
    """Frame after this many steps from frame 0, to the last one of those that are played and back again."""
    span = min(_TO_AND_FRO, frames) - 1
    if span == 0:
        return np.zeros_like(steps)
    place = steps % (2 * span)
    found: NDArray[np.int64] = np.minimum(place, 2 * span - place)
    return found
