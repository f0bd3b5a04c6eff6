"""Clips as the encoder of a run takes them: the run's pipeline and length, no augmentation."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skel_augment import centre_crop, recorded_frames
from skel_data import SkeletonLayout, Store, apply_pipeline, build_clips
from skel_data import stream as take_stream
from skel_eval import smie_frames
from skel_recipes.run.run import Run

WINDOW = 2
"""Version of `centre_window`, for caches: another one gives other clips."""
_CHUNK = 1024
Floats = NDArray[np.float32]


def clips_of_store(run: Run, store: Store) -> Floats:
    """All clips of a store (N, C, T, V, M), of the run's frames and bodies; they may be a memory map."""
    return centre_windows(build_clips(store, run.pipeline, mmap=True), run.shape.frames, run.recipe.data.crop)


def clips_of_recordings(
    run: Run,
    layout: SkeletonLayout,
    recordings: Sequence[NDArray[Any]],
    tracks: Sequence[NDArray[Any]] | None = None,
) -> Floats:
    """The same of recordings (T, M, V, C) in memory; see `skel_data.apply_pipeline`."""
    clips = apply_pipeline(run.pipeline, layout, recordings, tracks)
    return centre_windows(clips, run.shape.frames, run.recipe.data.crop)


def takes_windows(kept: int, frames: int, crop: float) -> bool:
    """Whether an encoder of `frames` frames sees a window of the clips of a pipeline that keeps `kept`."""
    return kept != frames or crop != 1


def centre_window(clips: Tensor, frames: int, crop: float) -> Tensor:
    """The middle of clips (N, C, T, V, M), resized to this many frames.

    Args:
        clips: The clips; frames of zeros behind a recording do not count.
        frames: Frames to resize to.
        crop: Length of the window, as a share of what was recorded; see `skel_augment.centre_crop`.
    """
    if not takes_windows(clips.shape[2], frames, crop):
        return clips
    return centre_crop(recorded_frames(clips), crop, frames).apply(clips)


def centre_windows(clips: Floats, frames: int, crop: float) -> Floats:
    """`centre_window` of arrays that may be larger than memory."""
    if not takes_windows(clips.shape[2], frames, crop):
        return clips
    chunks = (np.array(clips[start : start + _CHUNK]) for start in range(0, len(clips), _CHUNK))
    windows = [centre_window(torch.from_numpy(chunk), frames, crop).numpy() for chunk in chunks]
    return np.concatenate(windows) if windows else clips[:, :, :frames]


def masked_clips(
    clips: Floats, layout: SkeletonLayout, view: int, *, stream: str = "joint", frames: int | None = None
) -> Iterator[Floats]:
    """Clips without frames: SMIE's masked view (Zhou et al. 2023), in chunks.

    Three tenths of the frames, those that move most, are left out. Of the others four sevenths are kept at
    random, the same for all clips: 20 frames of 50. A stream is taken before that, of whole clips.

    Args:
        clips: The clips (N, C, T, V, M) in the joint stream, whose motion counts.
        layout: The joints.
        view: Number of the view; each draws other frames.
        stream: The stream of what is returned.
        frames: Frames to resize to; None leaves them as they are.
    """
    total = clips.shape[2]
    moving, kept = round(0.3 * total), max(1, round(0.4 * total))
    order = torch.randperm(total - moving, generator=torch.Generator().manual_seed(view))
    ranks = order[:kept].sort().values
    for start in range(0, len(clips), _CHUNK):
        chunk = torch.from_numpy(np.array(clips[start : start + _CHUNK]))
        rows = smie_frames(chunk, ranks, masked=moving)[:, None, :, None, None]
        taken = torch.take_along_dim(take_stream(chunk, stream, layout), rows, 2)
        if frames is not None:
            taken = centre_crop(torch.full((len(taken),), kept), 1, frames).apply(taken)
        yield taken.numpy()
