"""Application of a pipeline to clips in memory, or to a store, with a cache on disk."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from attrs import asdict, evolve
from numpy.typing import DTypeLike, NDArray

from skel_data._layout import SkeletonLayout, get_layout
from skel_data.files import hold, open_checked, write_checked
from skel_data.pipelines._pipeline import Pipeline
from skel_data.pipelines._registry import PIPELINES
from skel_data.store._store import Store

_LOGGER = logging.getLogger("skel_data")
_BLOCK_BYTES = 2**20
"""Clips that are processed together hold about this much: what a processor's cache holds."""
_CHUNK_BYTES = 2**25
"""Clips of a store that lie in memory together hold about this much when they are processed."""


def apply_pipeline(
    pipeline: Pipeline,
    layout: SkeletonLayout | str,
    clips: Sequence[NDArray[Any]],
    tracks: Sequence[NDArray[Any]] | None = None,
) -> NDArray[np.float32]:
    """Process clips that lie in memory.

    Args:
        pipeline: Settings such as `Default()`.
        layout: The joints: a layout or its name.
        clips: Coordinates (T, M, V, C) of each clip, or (T, V, C) of one person.
        tracks: Body ids (T, M) of each clip, 0 where there is none. None: each slot is one body.

    Returns:
        Clips (N, C, T, V, M), float32, with zeros for absent bodies and missing joints.

    Raises:
        ValueError: If a clip does not fit the layout, or its tracks do not fit it.
    """
    layout = get_layout(layout)
    clips = [clip[:, None] if clip.ndim == 3 else clip for clip in map(np.asarray, clips)]
    shape = (layout.num_joints, layout.channels)
    for index, clip in enumerate(clips):
        if clip.ndim != 4 or clip.shape[2:] != shape or 0 in clip.shape:
            raise ValueError(
                f"clip {index} has shape {clip.shape}; layout {layout.name} needs (T, M, *{shape})"
            )
        if tracks is not None and (len(tracks) != len(clips) or tracks[index].shape != clip.shape[:2]):
            raise ValueError(f"clip {index} of shape {clip.shape} needs tracks of shape {clip.shape[:2]}")
    lengths, slots = np.array([clip.shape[:2] for clip in clips], dtype=np.int64).reshape(-1, 2).T
    pipeline = _with_bodies(pipeline, int(slots.max(initial=1)))
    out = np.zeros((len(clips), *_shape(pipeline, layout)), np.float32)
    for block in _alike(lengths, slots, 4 * shape[0] * shape[1]):
        x = np.zeros((len(block), lengths[block[0]], slots[block[0]], *shape), np.float32)
        ids = None if tracks is None else np.zeros(x.shape[:3], np.int64)
        for row, index in enumerate(block):
            x[row, : lengths[index]] = clips[index]
            if tracks is not None and ids is not None:
                ids[row, : lengths[index]] = tracks[index]
        done = pipeline.process(x, lengths[block], ids, layout)
        out[block, ..., : done.shape[-1]] = done
    return out


def _alike(
    lengths: NDArray[np.int64], slots: NDArray[np.int64], row_bytes: int
) -> Iterator[NDArray[np.int64]]:
    """Blocks of clips, by index: one number of slots, similar lengths, longest first, so little is padded."""
    order = np.lexsort((-lengths, slots))
    for group in np.split(order, np.flatnonzero(np.diff(slots[order])) + 1):
        start = 0
        while start < len(group):
            per_clip = int(lengths[group[start]] * slots[group[start]]) * row_bytes
            stop = start + max(1, _BLOCK_BYTES // per_clip)
            yield group[start:stop]
            start = stop


def build_clips(
    store: Store,
    pipeline: Pipeline,
    *,
    indices: NDArray[np.integer[Any]] | None = None,
    cache: bool = True,
    mmap: bool = False,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Process the clips of a store, or read them from its cache.

    Args:
        store: The recorded clips.
        pipeline: Settings such as `Default()`.
        indices: Which clips. None: all.
        cache: Keep the clips of the whole store in its folder, under a name that depends on the
            settings and on the content. Without effect where the folder cannot be written to.
        mmap: Give the cache itself, memory-mapped and read-only, without reading it; it is also made
            without ever holding all clips. Where it cannot be written the clips do lie in memory.
        dtype: float32, or float16 for half the size and three digits.

    Returns:
        Clips (N, C, T, V, M) of this dtype.

    A cache carries digests. It is checked when it is opened, in part, or all of it if it was touched since; a
    damaged one is made again, with a warning to the logger ``skel_data``. One process makes it, others wait.

    Raises:
        ValueError: If `mmap` is set without the cache or with indices, the dtype is another one, a
            coordinate is too large for float16, or the store is not as it was written.
    """
    if mmap and (indices is not None or not cache):
        raise ValueError(
            "mmap gives the cache of the whole store: it goes with cache=True and without indices"
        )
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float16):
        raise ValueError(f"dtype must be float32 or float16, got {kind}")
    pipeline = _with_bodies(pipeline, int(store.bodies.max()))
    if cache:
        clips = _cached(store, pipeline, kind)
        if clips is not None:
            return clips if mmap else np.array(clips) if indices is None else np.asarray(clips[indices])
    chosen = np.arange(len(store)) if indices is None else np.asarray(indices)
    out = np.empty((len(chosen), *_shape(pipeline, store.layout)), kind)
    start = 0
    for chunk in _chunks(store, pipeline, kind, chosen):
        out[start : start + len(chunk)] = chunk
        start += len(chunk)
    return out


def _key(store: Store, pipeline: Pipeline, kind: np.dtype[Any]) -> str:
    fields = asdict(cast("Any", pipeline))
    settings = {"name": pipeline.name, "version": pipeline.version, "store": store.hash, "settings": fields}
    if (known_as := PIPELINES.name_of(type(pipeline))) != pipeline.name:  # a user's own may have any name
        settings["class"] = known_as
    if kind != np.float32:
        settings["dtype"] = str(kind)
    key = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8).hexdigest()
    return f"{pipeline.name}-{key}"


def _shape(pipeline: Pipeline, layout: SkeletonLayout) -> tuple[int, ...]:
    return layout.channels, pipeline.frames, layout.num_joints, pipeline.bodies


def _chunks(
    store: Store, pipeline: Pipeline, kind: np.dtype[Any], chosen: NDArray[np.integer[Any]]
) -> Iterator[NDArray[Any]]:
    """Processed clips, some at a time."""
    store.check()
    size = max(1, _CHUNK_BYTES // (4 * int(np.prod(_shape(pipeline, store.layout)))))
    for start in range(0, len(chosen), size):
        some = chosen[start : start + size].tolist()
        clips = apply_pipeline(
            pipeline, store.layout, [store.clip(i) for i in some], [store.tracks(i) for i in some]
        )
        with np.errstate(over="ignore"):
            chunk = clips.astype(kind, copy=False)
        if kind == np.float16 and np.isinf(chunk).any():
            raise ValueError(
                f"a coordinate of {np.abs(clips).max():g} is too large for float16, in units of {store.units}"
            )
        yield chunk


def _with_bodies(pipeline: Pipeline, slots: int) -> Pipeline:
    if pipeline.bodies:
        return pipeline
    settled: Pipeline = evolve(cast("Any", pipeline), bodies=min(slots, 2))
    return settled


def _cached(store: Store, pipeline: Pipeline, kind: np.dtype[Any]) -> NDArray[Any] | None:
    """The cache, memory-mapped, made if need be; None where it cannot be written."""
    name = _key(store, pipeline, kind)
    file = store.path / "cache" / f"{name}.npy"
    shape = (len(store), *_shape(pipeline, store.layout))
    key = f"{name} {store.hash}"
    try:
        return open_checked(file, key, shape, kind)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        _LOGGER.warning("%s; it is made again", error)
    try:
        file.parent.mkdir(exist_ok=True)
        with hold(file.with_name(f".{file.name}.lock"), file, wait=True):
            try:
                return open_checked(file, key, shape, kind)  # another process has made it meanwhile
            except (OSError, ValueError):
                write_checked(file, key, shape, kind, _chunks(store, pipeline, kind, np.arange(len(store))))
        return open_checked(file, key, shape, kind)
    except OSError as error:  # a store that is read-only, or a full disk: the cache is only a convenience
        _LOGGER.warning("the clips are not kept: %s", error)
        return None
