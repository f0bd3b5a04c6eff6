"""Segments of actions in recordings: from and to the class of each frame, and from class probabilities."""

from collections.abc import Sequence

import numpy as np
from attrs import define
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

BACKGROUND = -1


@define(frozen=True)
class Extraction:
    """Settings that turn class probabilities of frames into segments.

    Attributes:
        smoothing: Width of the median filter over time, in frames; odd.
        shortest: Frames of the shortest segment.
        threshold: Least probability: of any action, for the class of a frame; of its class, for a detection.
    """

    smoothing: int = 1
    shortest: int = 1
    threshold: float = 0.5


def segments_of(labels: ArrayLike) -> np.ndarray:
    """Segments (K, 3) of a recording, runs of frames of one class: class, first frame, frame behind the last.

    Args:
        labels: Class of each frame, (T,); negative is background, of which no segment is made.
    """
    frames = np.asarray(labels)
    if frames.ndim != 1 or frames.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers (T,), got {frames.dtype} {frames.shape}")
    if not len(frames):
        return np.empty((0, 3), np.int64)
    bounds = np.flatnonzero(np.diff(frames)) + 1
    starts, stops = np.append(0, bounds), np.append(bounds, len(frames))
    found = np.stack([frames[starts], starts, stops], 1).astype(np.int64)
    return found[found[:, 0] >= 0]


def frame_labels(segments: ArrayLike, frames: int) -> np.ndarray:
    """Class of each frame, (T,), -1 outside of all segments; where two overlap, of the one that starts later.

    Args:
        segments: As `check_segments` takes them.
        frames: Frames of the recording.
    """
    found = check_segments(segments, frames)
    labels = np.full(frames, BACKGROUND, np.int64)
    for label, start, stop in found[np.argsort(found[:, 1], kind="stable")].tolist():
        labels[start:stop] = label
    return labels


def check_segments(segments: ArrayLike, frames: int | None = None) -> np.ndarray:
    """Segments as an array (K, 3): class from 0, first frame from 0, and the frame behind the last one.

    Raises:
        ValueError: If they are not, or one does not lie within this number of frames.
    """
    found = np.asarray(segments)
    if found.size == 0:
        return np.empty((0, 3), np.int64)
    if found.ndim != 2 or found.shape[1] != 3 or found.dtype.kind not in "iu":
        raise ValueError(f"segments must be integers (K, 3), got {found.dtype} {found.shape}")
    label, start, stop = found.T
    if not ((label >= 0) & (start >= 0) & (start < stop)).all():
        raise ValueError("segments must be class, start, stop with 0 <= class and 0 <= start < stop")
    if frames is not None and stop.max() > frames:
        raise ValueError(f"a segment ends behind frame {stop.max()}, the recording has {frames}")
    return found.astype(np.int64)


def smooth(probabilities: np.ndarray, width: int) -> np.ndarray:
    """Median filter over time of probabilities (T, K); ends are filled with the first and last frame.

    Raises:
        ValueError: If the width is not odd.
    """
    if width < 1 or width % 2 == 0:
        raise ValueError(f"the width of a median filter must be odd, got {width}")
    if width == 1:
        return probabilities
    padded = np.pad(probabilities, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.stack([np.median(sliding_window_view(one, width), axis=1) for one in padded.T], axis=1)


def label_frames(smoothed: np.ndarray, settings: Extraction) -> np.ndarray:
    """Class of each frame, (T,), -1 is background; segments that are too short become background.

    Args:
        smoothed: Probabilities of background, then of each class, (T, 1 + classes), filtered.
        settings: A frame is of the most probable class if all classes together have the threshold.
    """
    labels: np.ndarray = smoothed[:, 1:].argmax(1)
    labels[smoothed[:, 1:].sum(1) < settings.threshold] = BACKGROUND
    for _, start, stop in segments_of(labels).tolist():
        if stop - start < settings.shortest:
            labels[start:stop] = BACKGROUND
    return labels


def detections(smoothed: np.ndarray, settings: Extraction) -> tuple[np.ndarray, np.ndarray]:
    """Detections: segments (K, 3), which may overlap, and the score of each, (K,).

    Of each class they are the runs of frames that have the threshold. The score is the mean probability.

    Args:
        smoothed: As in `label_frames`.
        settings: Threshold and shortest segment.
    """
    found, scores = [], []
    above = np.pad(smoothed[:, 1:] >= settings.threshold, ((1, 1), (0, 0)))
    steps = np.diff(above.astype(np.int8), axis=0)
    sums = np.pad(smoothed[:, 1:].cumsum(0), ((1, 0), (0, 0)))
    for label in np.flatnonzero(above.any(0)).tolist():
        starts, stops = (np.flatnonzero(steps[:, label] == sign) for sign in (1, -1))
        kept = stops - starts >= settings.shortest
        starts, stops = starts[kept], stops[kept]
        found.append(np.stack([np.full(len(starts), label), starts, stops], 1))
        scores.append((sums[stops, label] - sums[starts, label]) / (stops - starts))
    if not found:
        return np.empty((0, 3), np.int64), np.empty(0)
    return np.concatenate(found).astype(np.int64), np.concatenate(scores)


def stretch(segments: np.ndarray, frames: int, wanted: int) -> np.ndarray:
    """Segments of a recording of this length on one of another length; each keeps one frame at least."""
    found = check_segments(segments, frames).copy()
    found[:, 1] = np.minimum(found[:, 1] * wanted // frames, wanted - 1)
    found[:, 2] = np.clip(-(-found[:, 2] * wanted // frames), found[:, 1] + 1, wanted)
    return found


def between_centres(
    probabilities: np.ndarray, centres: Sequence[int] | np.ndarray, frames: int
) -> np.ndarray:
    """Probabilities of frames, (T, K), by linear interpolation between those of windows, (W, K).

    Args:
        probabilities: Of each window.
        centres: Frame in the middle of each window, ascending.
        frames: Frames of the recording.
    """
    at = np.arange(frames)
    return np.stack([np.interp(at, centres, one) for one in probabilities.T], axis=1)
