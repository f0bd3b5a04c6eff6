"""Resampling of a recording to another frame rate."""

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from skel_data._clip import Clip

FASTEST = 1e5
_MOST_FRAMES = 1000
"""Frames that are made of one, at most."""


def at_rate(clip: Clip, rate: float, dims: int) -> Clip:
    """A clip at another frame rate, by linear interpolation between the frames before and after.

    Frame i lies at the time i / rate. Where a joint is missing in one of the two frames, or another body has
    the slot, the nearer frame counts; so do confidence and tracks. An interval keeps one frame at least.

    Args:
        clip: A recording.
        rate: Frames a second that are wanted. A clip whose rate is not known is left as it is.
        dims: How many of the channels are coordinates.

    Raises:
        ValueError: If the clip has far fewer frames a second.
    """
    if clip.rate in (0.0, rate):
        return clip
    if rate > _MOST_FRAMES * clip.rate:
        raise ValueError(f"{clip.rate:g} frames a second are too few to be resampled to {rate:g}")
    x = clip.positions
    count = max(1, int((len(x) - 1) * rate / clip.rate + 1e-6) + 1)
    at = np.minimum(np.arange(count) * (clip.rate / rate), len(x) - 1)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, len(x) - 1)
    weight = (at - low).astype(np.float32)[:, None, None, None]
    near = np.where(weight[:, 0, 0, 0] < 0.5, low, high)
    first, second = x[low], x[high]
    both = both_there(first, second, dims)
    if clip.tracks is not None:
        both &= (clip.tracks[low] == clip.tracks[high])[:, :, None]
    out = x[near].copy()
    mixed = first[..., :dims] * (1 - weight) + second[..., :dims] * weight
    out[..., :dims] = np.where(both[..., None], mixed, out[..., :dims])
    intervals = clip.intervals.copy()
    bounds = np.ceil(intervals[:, 1:] * (rate / clip.rate) - 1e-6).astype(np.int64)
    intervals[:, 1] = np.minimum(bounds[:, 0], count - 1)
    intervals[:, 2] = np.clip(bounds[:, 1], intervals[:, 1] + 1, count)
    tracks = None if clip.tracks is None else clip.tracks[near]
    return evolve(clip, positions=out, tracks=tracks, rate=rate, intervals=intervals)


def both_there(first: NDArray[np.float32], second: NDArray[np.float32], dims: int) -> NDArray[np.bool_]:
    """Which joints are there in both of two arrays of coordinates (..., C)."""
    return _there(first, dims) & _there(second, dims)


def _there(x: NDArray[np.float32], dims: int) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = np.isfinite(x[..., :dims]).all(-1) & (x[..., :dims] != 0).any(-1)
    return there
