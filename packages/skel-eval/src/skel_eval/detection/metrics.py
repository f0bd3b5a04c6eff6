"""Metrics of action detection and segmentation: of frames, of segments, and of detections with scores.

A true segment is found by the first detection whose largest overlap is with it; a second one is false. So do
the programs of MS-TCN (Farha, Gall, CVPR 2019) and of PKU-MMD (Liu et al., 2017).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from skel_eval.detection.segments import check_segments, segments_of

Frames = Sequence[ArrayLike]
"""Class of each frame, (T,), of each recording; negative is background."""
Segments = Sequence[ArrayLike]
"""Segments (K, 3) of each recording: class, first frame, frame behind the last one."""


def frame_accuracy(predictions: Frames, truth: Frames) -> float:
    """Share of the frames of all recordings whose class is right; background counts as a class.

    Args:
        predictions: Class of each frame of each recording; negative is background.
        truth: The same, as annotated.

    Raises:
        ValueError: If there are not as many recordings or frames of both.
    """
    hits = [guess == known for guess, known in _pairs(predictions, truth)]
    return float(np.concatenate(hits).mean()) if hits else float("nan")


def edit_score(predictions: Frames, truth: Frames) -> float:
    """Segmental edit score (Lea et al., ECCV 2016): how well the order of the segments is found.

    1 minus the Levenshtein distance between the classes of the predicted and the true segments, divided by
    the larger number of segments; mean over the recordings. It is 1 where neither has a segment.

    Args:
        predictions: Class of each frame of each recording; negative is background.
        truth: The same, as annotated.

    Raises:
        ValueError: If there are not as many recordings or frames of both.
    """
    scores = []
    for guess, known in _pairs(predictions, truth):
        first, second = segments_of(guess)[:, 0], segments_of(known)[:, 0]
        longest = max(len(first), len(second))
        scores.append(1 - _levenshtein(first, second) / longest if longest else 1.0)
    return float(np.mean(scores)) if scores else float("nan")


def segmental_f1(predictions: Frames, truth: Frames, overlap: float) -> float:
    """F1 of segments at an overlap (Lea et al., CVPR 2017), over the segments of all recordings.

    A predicted segment is right if its overlap, the intersection over the union, with a true segment of its
    class is at least `overlap`. It is 1 where there is neither a predicted nor a true segment.

    Args:
        predictions: Class of each frame of each recording; negative is background.
        truth: The same, as annotated.
        overlap: Above 0, at most 1; 0.1, 0.25 and 0.5 are usual.

    Raises:
        ValueError: If there are not as many recordings or frames of both, or the overlap is out of range.
    """
    _check_overlap(overlap)
    right = guessed = true = 0
    for guess, known in _pairs(predictions, truth):
        first, second = segments_of(guess), segments_of(known)
        right += len(np.unique(_found(first, second, overlap)[1]))
        guessed, true = guessed + len(first), true + len(second)
    return 2 * right / (guessed + true) if guessed + true else 1.0


def detection_map(
    found: Segments, scores: Sequence[ArrayLike], truth: Segments, overlap: float
) -> tuple[float, float]:
    """Mean average precision of detections at an overlap: over actions, and over videos.

    A detection is right if its overlap with a true segment of its class in the same recording is at least
    `overlap`, and no detection of a higher score has found that segment. Average precision is the area under
    precision over recall, precision being the largest at that recall or a higher one. Detections of equal
    scores come in together, so that their order does not matter.

    Over actions: of the detections of each class in all recordings, mean over the classes that occur. Over
    videos: of the detections of all classes in each recording, mean over the recordings with an action. NaN
    where there is no true segment at all.

    Args:
        found: Segments of each recording.
        scores: Score of each of them, (K,); no NaN.
        truth: True segments of each recording.
        overlap: Above 0, at most 1.

    Raises:
        ValueError: If there are not as many recordings or scores, segments are none, a score is NaN, or the
            overlap is out of range.
    """
    _check_overlap(overlap)
    if not len(found) == len(scores) == len(truth):
        raise ValueError(
            f"detections, scores and truth must be of as many recordings, got {len(found)}, {len(scores)} "
            f"and {len(truth)}"
        )
    rows = [np.empty((0, 5))]
    true: list[tuple[int, int]] = []  # (recording, class)
    for video, (one, score, known) in enumerate(zip(found, scores, truth, strict=True)):
        guess, target, value = check_segments(one), check_segments(known), np.asarray(score, np.float64)
        if value.shape != (len(guess),) or np.isnan(value).any():
            raise ValueError(f"expected {len(guess)} scores of recording {video}, got {value.shape} or NaN")
        hit, which = _found(guess, target, overlap)
        place = np.full(len(guess), -1)
        place[hit] = which + len(true)
        rows.append(np.stack([np.full(len(guess), video), guess[:, 0], value, place, place >= 0], 1))
        true += [(video, label) for label in target[:, 0].tolist()]
    table, targets = np.concatenate(rows), np.array(true, np.int64).reshape(-1, 2)
    means = []
    for column in (1, 0):  # actions, videos
        kinds, counts = np.unique(targets[:, column], return_counts=True)
        precisions = [
            _average_precision(table[table[:, column] == kind], count)
            for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
        ]
        means.append(float(np.mean(precisions)) if precisions else float("nan"))
    return means[0], means[1]


def _average_precision(rows: np.ndarray, true: int) -> float:
    """Interpolated average precision of rows with a score and the number of the segment that was found."""
    rows = rows[np.argsort(-rows[:, 2], kind="stable")]
    first = np.zeros(len(rows), bool)
    hits = np.flatnonzero(rows[:, 4])
    first[hits[np.unique(rows[hits, 3], return_index=True)[1]]] = True
    last = np.append(rows[1:, 2] != rows[:-1, 2], True)[: len(rows)]  # of equal scores
    right = first.cumsum()[last]
    precision = right / (np.flatnonzero(last) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(right, prepend=0) / true * best).sum())


def _found(guess: np.ndarray, known: np.ndarray, overlap: float) -> tuple[np.ndarray, np.ndarray]:
    """Detections (H,) that overlap enough, and the true segment (H,) that each overlaps most."""
    if not len(guess) or not len(known):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    start, stop = np.maximum(guess[:, None, 1], known[:, 1]), np.minimum(guess[:, None, 2], known[:, 2])
    shared = (stop - start).clip(0) * (guess[:, None, 0] == known[:, 0])
    sizes = (guess[:, 2] - guess[:, 1])[:, None] + (known[:, 2] - known[:, 1])
    ratio = shared / (sizes - shared)
    hits = np.flatnonzero(ratio.max(1) >= overlap)
    return hits, ratio[hits].argmax(1)


def _levenshtein(first: np.ndarray, second: np.ndarray) -> int:
    """Fewest insertions, deletions and exchanges that make one sequence of the other."""
    row = np.arange(len(second) + 1)
    steps = np.arange(len(second) + 1)
    for one in first.tolist():
        new = np.append(row[0] + 1, np.minimum(row[:-1] + (second != one), row[1:] + 1))
        row = np.minimum.accumulate(new - steps) + steps
    return int(row[-1])


def _pairs(predictions: Frames, truth: Frames) -> list[tuple[np.ndarray, np.ndarray]]:
    if len(predictions) != len(truth):
        raise ValueError(f"predictions are of {len(predictions)} recordings, truth is of {len(truth)}")
    pairs = []
    for number, (guess, known) in enumerate(zip(predictions, truth, strict=True)):
        first, second = (np.maximum(np.asarray(one), -1) for one in (guess, known))
        if first.shape != second.shape or first.ndim != 1:
            raise ValueError(
                f"recording {number}: predictions {first.shape} and truth {second.shape} must be (T,) of both"
            )
        pairs.append((first, second))
    return pairs


def _check_overlap(overlap: float) -> None:
    if not 0 < overlap <= 1:
        raise ValueError(f"overlap must be above 0 and at most 1, got {overlap}")
