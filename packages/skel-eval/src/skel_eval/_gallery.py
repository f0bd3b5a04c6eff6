"""Test clips beside their nearest train clips."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from attrs import define, field

from skel_eval._arrays import Array
from skel_eval._place import Bones
from skel_eval._strip import strip_svg
from skel_eval.protocols.knn import KnnResult


@define(frozen=True, eq=False)
class GalleryClip:
    """A clip to be drawn.

    Attributes:
        clip: Coordinates, (C, T, V, M).
        label: Class; negative means unlabelled.
        name: Name of the clip.
        similarity: Cosine similarity to the query, for a neighbour.
    """

    clip: Array = field(repr=False)
    label: int
    name: str = ""
    similarity: float | None = None


@define(frozen=True, eq=False)
class GalleryRow:
    """A test clip and its nearest train clips.

    Attributes:
        query: The test clip.
        neighbours: Train clips, nearest first.
    """

    query: GalleryClip
    neighbours: tuple[GalleryClip, ...]


def retrieval_gallery(
    result: KnnResult,
    test_clip: Callable[[int], Array],
    train_clip: Callable[[int], Array],
    test_y: Array,
    train_y: Array,
    *,
    test_names: Sequence[str] = (),
    train_names: Sequence[str] = (),
    queries: int = 6,
    neighbours: int = 3,
    seed: int = 0,
) -> tuple[GalleryRow, ...]:
    """Choose test clips at random and collect their nearest train clips.

    Args:
        result: From `knn`, with at least one neighbour.
        test_clip: Gives the clip of a test row, (C, T, V, M), for instance ``clips.__getitem__``.
        train_clip: Gives the clip of a train row.
        test_y: Classes, (N_test,).
        train_y: Classes, (N_train,).
        test_names: Name of each test row, or empty.
        train_names: Name of each train row, or empty.
        queries: Number of test clips.
        neighbours: Number of train clips for each, at most the k of `result`.
        seed: Seed of the choice.
    """
    count = len(result.neighbours)
    chosen = np.random.default_rng(seed).choice(count, min(queries, count), replace=False)
    rows = []
    for row in sorted(int(index) for index in chosen):
        nearest = zip(
            result.neighbours[row, :neighbours].tolist(),
            result.similarities[row, :neighbours].tolist(),
            strict=True,
        )
        rows.append(
            GalleryRow(
                GalleryClip(test_clip(row), int(test_y[row]), test_names[row] if len(test_names) else ""),
                tuple(
                    GalleryClip(
                        train_clip(other),
                        int(train_y[other]),
                        train_names[other] if len(train_names) else "",
                        similarity,
                    )
                    for other, similarity in nearest
                ),
            )
        )
    return tuple(rows)


def gallery_html(
    rows: Sequence[GalleryRow], bones: Bones, name_of: Callable[[int], str], frames: int, up: bool
) -> str:
    """Strips of each query and its neighbours; the frame tells whether the class is the same.

    Args:
        rows: What to draw.
        bones: (child, parent) pairs of joints.
        name_of: Name of a class.
        frames: Figures per strip.
        up: Whether the second coordinate points up.
    """
    parts = []
    for row in rows:
        cards = [_card(row.query, "query", "query", bones, name_of, frames, up)]
        for clip in row.neighbours:
            same = clip.label == row.query.label and clip.label >= 0
            kind, word = ("same", "✓ same class") if same else ("other", "✗ other class")
            cards.append(_card(clip, kind, word, bones, name_of, frames, up))
        parts.append(f'<div class="match">{"".join(cards)}</div>')
    return "".join(parts)


def _card(
    clip: GalleryClip,
    kind: str,
    word: str,
    bones: Bones,
    name_of: Callable[[int], str],
    frames: int,
    up: bool,
) -> str:
    label = name_of(clip.label) if clip.label >= 0 else "unlabelled"
    facts = [word] + ([] if clip.similarity is None else [f"cosine {clip.similarity:.3f}"])
    return (
        f'<figure class="card {kind}"><figcaption><b>{escape(label)}</b> '
        f"<span>{escape(' · '.join(facts))}</span></figcaption>"
        f"{strip_svg(clip.clip, bones, frames, title=clip.name or label, up=up)}"
        f"<small>{escape(clip.name)}</small></figure>"
    )
