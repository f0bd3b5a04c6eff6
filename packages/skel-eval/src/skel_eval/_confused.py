"""The pairs of classes that are taken for one another most, as moving figures."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from attrs import define

from skel_eval._arrays import Array, as_features, as_labels
from skel_eval._gallery import GalleryClip
from skel_eval._motion import motion_svg
from skel_eval._place import Bones


@define(frozen=True, eq=False)
class ConfusedPair:
    """Two classes and clips that show why one is taken for the other.

    Attributes:
        truth: Class of the clips.
        guess: Class that they were taken for.
        count: How many were.
        total: Number of test clips of `truth`.
        clip: The one of them that is most like the others.
        typical_truth: A clip of `truth` as most are: of those that were recognised, or else of those that
            were taken for a third class; None if there are neither.
        typical_guess: The same of `guess`.
    """

    truth: int
    guess: int
    count: int
    total: int
    clip: GalleryClip
    typical_truth: GalleryClip | None
    typical_guess: GalleryClip | None


def confused_pairs(
    labels: Array,
    predictions: Array,
    features: Array,
    clip: Callable[[int], Array],
    *,
    names: Sequence[str] = (),
    pairs: int = 6,
) -> tuple[ConfusedPair, ...]:
    """The pairs with most mistakes, first the largest.

    What is typical of some clips is the one whose features have the highest cosine similarity to the mean of
    theirs.

    Args:
        labels: Classes of test clips, (N,); negative means unlabelled.
        predictions: Predicted classes, (N,).
        features: Their features, (N, D).
        clip: Gives the clip of a row, (C, T, V, M), for instance ``clips.__getitem__``.
        names: Name of each row, or empty.
        pairs: Number of pairs, at most.

    Raises:
        TypeError: If an array is none, or classes are no integers.
        ValueError: If the shapes do not match.
    """
    vectors = as_features(features, "features").cpu().double().numpy()
    truth = as_labels(labels, len(vectors), "labels").numpy()
    guess = as_labels(predictions, len(vectors), "predictions").numpy()
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def shown(rows: np.ndarray) -> GalleryClip:
        row = int(rows[(unit[rows] @ unit[rows].mean(0)).argmax()])
        return GalleryClip(clip(row), int(truth[row]), names[row] if len(names) else "")

    def typical(kind: int, but: np.ndarray) -> GalleryClip | None:
        rows = np.flatnonzero((truth == kind) & (guess == kind))
        if len(rows) == 0:
            rows = np.setdiff1d(np.flatnonzero(truth == kind), but)
        return shown(rows) if len(rows) else None

    wrong = (truth >= 0) & (truth != guess)
    kinds, counts = np.unique(np.stack([truth[wrong], guess[wrong]], 1), axis=0, return_counts=True)
    chosen = []
    for place in np.argsort(-counts, kind="stable")[:pairs]:
        a, b = kinds[place].tolist()
        rows = np.flatnonzero((truth == a) & (guess == b))
        total = int((truth == a).sum())
        chosen.append(ConfusedPair(a, b, len(rows), total, shown(rows), typical(a, rows), typical(b, rows)))
    return tuple(chosen)


def confused_html(
    pairs: Sequence[ConfusedPair], bones: Bones, name_of: Callable[[int], str], frames: int, up: bool
) -> str:
    """The mistaken clip between a typical one of its class and one of the class it was taken for.

    Args:
        pairs: What to draw.
        bones: (child, parent) pairs of joints.
        name_of: Name of a class.
        frames: Frames of each motion, at most.
        up: Whether the second coordinate points up.
    """
    if not pairs:
        return ""
    parts = []
    for pair in pairs:
        truth, guess = name_of(pair.truth), name_of(pair.guess)
        share = f"{pair.count} of {pair.total}"
        cards = [
            _card(pair.typical_truth, "same", truth, "typical", bones, frames, up),
            _card(pair.clip, "query", truth, f"taken for {guess}", bones, frames, up),
            _card(pair.typical_guess, "other", guess, "typical", bones, frames, up),
        ]
        parts.append(
            f'<div class="pair"><h3>{escape(truth)} <span>taken for</span> {escape(guess)} '
            f'<small>{share}</small></h3><div class="match">{"".join(cards)}</div></div>'
        )
    return (
        '<p class="note">The pairs with most mistakes. In the middle a clip that was mistaken; beside it '
        "typical clips of its class and of the class that it was taken for, those nearest to the mean of the "
        "features. All are drawn over the same time. "
        '<button type="button" class="play" hidden>Pause</button></p>'
        f'<div class="confused">{"".join(parts)}</div>'
    )


def _card(
    clip: GalleryClip | None, kind: str, label: str, word: str, bones: Bones, frames: int, up: bool
) -> str:
    if clip is None:
        return ""
    return (
        f'<figure class="card {kind}"><figcaption><b>{escape(label)}</b> '
        f"<span>{escape(word)}</span></figcaption>"
        f"{motion_svg(clip.clip, bones, frames, title=f'{label}, {word}', up=up)}"
        f"<small>{escape(clip.name)}</small></figure>"
    )
