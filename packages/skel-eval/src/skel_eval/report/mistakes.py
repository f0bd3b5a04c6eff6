"""The pairs of classes that are taken for one another most, as moving figures."""

from collections.abc import Sequence
from html import escape

import numpy as np
from attrs import define

from skel_eval.draw.svg import motion_svg
from skel_eval.report.clips import Clips, unit
from skel_eval.report.page import film

_FRAMES, _SECONDS = 32, 2.5


@define(frozen=True)
class ConfusedPair:
    """Two classes, and the rows of clips that show why one is taken for the other.

    Attributes:
        truth: Class of the clips.
        guess: Class that they were taken for.
        count: How many were.
        total: Number of test clips of `truth`.
        row: The one of them that is most like the others.
        typical_truth: A clip of `truth` as most are: of those that were recognised, or else of those that
            were taken for a third class; None if there are neither.
        typical_guess: The same of `guess`.
    """

    truth: int
    guess: int
    count: int
    total: int
    row: int
    typical_truth: int | None
    typical_guess: int | None


def confused_pairs(
    labels: np.ndarray, predictions: np.ndarray, features: np.ndarray, pairs: int = 6
) -> tuple[ConfusedPair, ...]:
    """The pairs with most mistakes, first the largest.

    What is typical of some clips is the one whose features have the highest cosine similarity to the mean of
    theirs.

    Args:
        labels: Classes of test clips, (N,); negative means unlabelled.
        predictions: Predicted classes, (N,).
        features: Their features, (N, D).
        pairs: Number of pairs, at most.
    """
    vectors = unit(features)

    def middle(rows: np.ndarray) -> int:
        return int(rows[(vectors[rows] @ vectors[rows].mean(0)).argmax()])

    def typical(kind: int, but: np.ndarray) -> int | None:
        rows = np.flatnonzero((labels == kind) & (predictions == kind))
        if len(rows) == 0:
            rows = np.setdiff1d(np.flatnonzero(labels == kind), but)
        return middle(rows) if len(rows) else None

    wrong = (labels >= 0) & (labels != predictions)
    kinds, counts = np.unique(np.stack([labels[wrong], predictions[wrong]], 1), axis=0, return_counts=True)
    chosen = []
    for index in np.argsort(-counts, kind="stable")[:pairs]:
        a, b = kinds[index].tolist()
        rows = np.flatnonzero((labels == a) & (predictions == b))
        total = int((labels == a).sum())
        chosen.append(ConfusedPair(a, b, len(rows), total, middle(rows), typical(a, rows), typical(b, rows)))
    return tuple(chosen)


def mistakes_html(pairs: Sequence[ConfusedPair], rows: np.ndarray, clips: Clips) -> str:
    """The mistaken clip between a typical one of its class and one of the class it was taken for.

    Pairs number the test clips; `rows` are those of their features.
    """
    points = clips.points
    if not pairs or points is None:
        return ""

    def figure(kind: str, label: int, remark: str, number: int | None) -> str:
        if number is None:
            return ""
        row, title = int(rows[number]), f"{clips.class_name(label)}, {remark}"
        motion = motion_svg(points(row), clips.skeleton, _FRAMES, title=title, ratio=1)
        return clips.card(kind, label, remark, row, motion)

    parts = []
    for pair in pairs:
        cards = [
            figure("same", pair.truth, "typical", pair.typical_truth),
            figure("query", pair.truth, "mistaken", pair.row),
            figure("other", pair.guess, "typical", pair.typical_guess),
        ]
        truth, guess = (escape(clips.class_name(label)) for label in (pair.truth, pair.guess))
        parts.append(
            f'<div class="pair"><h3>{truth} <span>taken for</span> {guess} '
            f'<small>{pair.count} of {pair.total}</small></h3><div class="match">{"".join(cards)}</div></div>'
        )
    return (
        '<p class="note">The pairs with most mistakes. In the middle a clip that was mistaken; beside it '
        "typical clips of its class and of the class that it was taken for, those nearest to the mean of the "
        "features. All are drawn over the same time.</p>"
        + film(f'<div class="confused">{"".join(parts)}</div>', clips.skeleton, _FRAMES, _SECONDS)
    )
