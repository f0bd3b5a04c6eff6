"""Pipelines: from recorded clips to a batch of one size, by name and settings."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from attrs import asdict, define, evolve, field, validators
from numpy.typing import NDArray

from skel_data import _steps as steps
from skel_data._layout import SkeletonLayout
from skel_data._store import Store

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

METRE = 0.25
"""What `Default` scales the mean bone to. It is about that of an adult in metres, so that settings found for
metres, such as an amount of noise, keep their sense."""

_BLOCK_BYTES = 2**25


class Pipeline(Protocol):
    """Settings of a pipeline: a frozen attrs class."""

    name: ClassVar[str]
    version: ClassVar[int]

    @property
    def frames(self) -> int:
        """Frames of the clips that come out."""

    @property
    def bodies(self) -> int:
        """Bodies of the clips that come out; 0: as many as go in, at most 2."""

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, bodies)."""


def _positive() -> Any:
    return [validators.instance_of(int), validators.ge(1)]


@define(frozen=True)
class Default:
    """A sensible pipeline for any layout, in two dimensions or three.

    Keeps the most active bodies, trims frames without a body, fills gaps, puts the first body's
    centre joint of the first frame at the origin (so the way it walks stays), turns it about the
    vertical to face one way (three dimensions only; y is up), scales the mean bone to 0.25 and
    resamples in time.

    Attributes:
        frames: Frames of the clips that come out.
        bodies: Bodies of the clips that come out; 0: as many as go in, at most 2.
        scale: Scale by bone length.
        face: Turn about the vertical.
    """

    name: ClassVar[str] = "default"
    version: ClassVar[int] = 1

    frames: int = field(default=64, validator=_positive())
    bodies: int = field(default=0, validator=[validators.instance_of(int), validators.ge(0)])
    scale: bool = True
    face: bool = True

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, bodies)."""
        dims = layout.dims
        x, mask = steps.known_joints(x, dims)
        if tracks is None:
            tracks = np.where(mask.any(3), np.arange(1, x.shape[2] + 1), 0)
        x, mask = steps.bodies_by_track(x, mask, tracks, dims, self.bodies or min(x.shape[2], 2))
        x, mask, lengths = steps.trim(x, mask)
        x, mask = steps.fill(x, mask, dims)
        x = steps.centre(x, mask, layout.center, dims)
        if self.face and dims == 3 and layout.across:
            x = steps.face(x, mask, layout.across)
        if self.scale and layout.bones:
            x[..., :dims] *= steps.scale_to(METRE, x, mask, layout.bones, dims)[:, None, None, None, None]
        x, mask = steps.resample(x, mask, lengths, self.frames)
        return x.transpose(0, 4, 1, 3, 2)


@define(frozen=True)
class CrosSCLR50:
    """The clips that CrosSCLR, AimCLR, CMCS and others train on (Li et al., CVPR 2021), number by number.

    First two bodies in the order of the file, at most 300 frames; as many of the first frames as there are
    frames with joint 0 of body 0; the centre joint subtracted per frame and body; stretched to 50
    frames; and every frame of every body turned about y by the angle of its shoulder line.

    Attributes:
        frames: Frames of the clips that come out.
        bodies: Bodies of the clips that come out.
        longest: Frames beyond this are dropped.
    """

    name: ClassVar[str] = "crossclr50"
    version: ClassVar[int] = 1

    frames: int = field(default=50, validator=_positive())
    bodies: int = field(default=2, validator=_positive())
    longest: int = field(default=300, validator=_positive())

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, bodies)."""
        del tracks, lengths  # the published clips go by the order in the file and count frames themselves
        dims = layout.dims
        x = np.nan_to_num(x[:, : self.longest, : self.bodies])
        x = np.pad(x, ((0, 0), (0, 0), (0, self.bodies - x.shape[2]), (0, 0), (0, 0)))
        # The number of frames with a first body, whichever they are: this is how it was published
        counted = (np.abs(x[:, :, 0, 0, :dims]).sum(-1) != 0).sum(1).clip(1)
        x[..., :dims] -= x[..., layout.center : layout.center + 1, :dims]
        x, _ = steps.resample(x, np.ones(x.shape[:-1], bool), counted, self.frames)
        if dims == 3 and layout.across:
            left, right = layout.across[0]
            vector = (x[..., right, :3] - x[..., left, :3]).astype(np.float64)
            cos = vector[..., 0] / (np.hypot(vector[..., 0], vector[..., 2]) + 1e-4)
            sign = np.where(vector[..., 2].sum(1) >= 0, 1, -1)[:, None]
            x = steps.turn(x, cos[..., None], (sign * np.sqrt(1 - cos**2))[..., None])
        return x.transpose(0, 4, 1, 3, 2)


PIPELINES: dict[str, type[Default] | type[CrosSCLR50]] = {"default": Default, "crossclr50": CrosSCLR50}
"""Pipelines by name."""


def apply_pipeline(
    pipeline: Pipeline,
    layout: SkeletonLayout,
    clips: Sequence[NDArray[Any]],
    tracks: Sequence[NDArray[Any]] | None = None,
) -> Floats:
    """Process clips that lie in memory.

    Args:
        pipeline: Settings such as `Default()`.
        layout: The joints.
        clips: Coordinates (T, M, V, C) of each clip.
        tracks: Body ids (T, M) of each clip, 0 where there is none. None: each slot is one body.

    Returns:
        Clips (N, C, T, V, M), float32, with zeros for absent bodies and missing joints.

    Raises:
        ValueError: If a clip does not fit the layout, or its tracks do not fit it.
    """
    shape = (layout.num_joints, layout.channels)
    for index, clip in enumerate(clips):
        if clip.ndim != 4 or clip.shape[2:] != shape or 0 in clip.shape:
            raise ValueError(
                f"clip {index} has shape {clip.shape}; layout {layout.name} needs (T, M, *{shape})"
            )
        if tracks is not None and (len(tracks) != len(clips) or tracks[index].shape != clip.shape[:2]):
            raise ValueError(f"clip {index} of shape {clip.shape} needs tracks of shape {clip.shape[:2]}")
    slots = max((clip.shape[1] for clip in clips), default=1)
    pipeline = _with_bodies(pipeline, slots)
    out = np.zeros(
        (len(clips), layout.channels, pipeline.frames, layout.num_joints, pipeline.bodies), np.float32
    )
    # Clips of similar length go together, so that little is padded
    lengths = np.array([len(clip) for clip in clips], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")[::-1]
    start = 0
    while start < len(order):
        per_clip = lengths[order[start]] * slots * shape[0] * shape[1] * 4
        block = order[start : start + max(1, int(_BLOCK_BYTES // per_clip))]
        x = np.zeros((len(block), lengths[block[0]], slots, *shape), np.float32)
        ids = np.zeros(x.shape[:3], np.int64)
        for row, index in enumerate(block):
            frames, bodies = clips[index].shape[:2]
            x[row, :frames, :bodies] = clips[index]
            if tracks is not None:
                ids[row, :frames, :bodies] = tracks[index]
        out[block] = pipeline.process(x, lengths[block], None if tracks is None else ids, layout)
        start += len(block)
    return out


def build_clips(
    store: Store, pipeline: Pipeline, *, indices: NDArray[np.integer[Any]] | None = None, cache: bool = True
) -> Floats:
    """Process the clips of a store, or read them from its cache.

    Args:
        store: The recorded clips.
        pipeline: Settings such as `Default()`.
        indices: Which clips. None: all.
        cache: Keep the clips of the whole store in its folder, under a name that depends on the
            settings and on the content. Without effect where the folder cannot be written to.

    Returns:
        Clips (N, C, T, V, M), float32.
    """
    pipeline = _with_bodies(pipeline, int(store.bodies.max()))
    fields = asdict(cast("Any", pipeline))
    settings = {"name": pipeline.name, "version": pipeline.version, "store": store.hash, "settings": fields}
    key = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8).hexdigest()
    file = store.path / "cache" / f"{pipeline.name}-{key}.npy"
    wanted = (pipeline.frames, store.layout.num_joints, pipeline.bodies)
    if cache:
        try:
            clips: Floats = np.load(file, mmap_mode=None if indices is None else "r", allow_pickle=False)
            if clips.shape == (len(store), store.layout.channels, *wanted) and clips.dtype == np.float32:
                return clips if indices is None else np.array(clips[indices])
        except (OSError, ValueError, EOFError):
            pass
    chosen = range(len(store)) if indices is None or cache else np.asarray(indices).tolist()
    clips = apply_pipeline(
        pipeline, store.layout, [store.clip(i) for i in chosen], [store.tracks(i) for i in chosen]
    )
    if cache:
        _keep(file, clips)
    return clips[indices] if cache and indices is not None else clips


def _with_bodies(pipeline: Pipeline, slots: int) -> Pipeline:
    if pipeline.bodies:
        return pipeline
    settled: Pipeline = evolve(cast("Any", pipeline), bodies=min(slots, 2))
    return settled


def _keep(file: Path, clips: Floats) -> None:
    partial = file.with_name(f".{file.name}.partial-{os.getpid()}")
    try:
        file.parent.mkdir(exist_ok=True)
        with partial.open("wb") as target:
            np.save(target, clips, allow_pickle=False)
        partial.replace(file)
    except OSError:  # a store that is read-only, or a full disk: the cache is only a convenience
        with suppress(OSError):
            partial.unlink()
