"""Retrieval: test clips next to their nearest training clips."""

import numpy as np

from skel_eval._feature_set import FeatureSet
from skel_eval._words import counted
from skel_eval.draw.points import strip
from skel_eval.draw.svg import strip_room, strip_svg
from skel_eval.protocols.retrieval import retrieval
from skel_eval.report.clips import Clips, unit

_QUERIES, _NEIGHBOURS, _FIGURES, _HEIGHT = 6, 3, 7, 110.0


def nearest(features: FeatureSet, seed: int = 0) -> list[tuple[int, list[tuple[int, float]]]]:
    """Test rows drawn at random, each with its nearest training rows and their cosine similarities."""
    test, train = np.asarray(features.test), np.asarray(features.train)
    chosen = np.random.default_rng(seed).choice(len(test), min(_QUERIES, len(test)), replace=False)
    queries, gallery = (unit(features.features[rows]) for rows in (test[np.sort(chosen)], train))
    found = []
    for row, similar in zip(test[np.sort(chosen)].tolist(), queries @ gallery.T, strict=True):
        order = np.argsort(-similar, kind="stable")[:_NEIGHBOURS]
        found.append((row, list(zip(train[order].tolist(), similar[order].tolist(), strict=True))))
    return found


def gallery_html(clips: Clips) -> str:
    """Strips of test clips and their neighbours; the frame tells whether the class is the same."""
    points, labels = clips.points, clips.features.labels
    if points is None:
        return ""

    found = nearest(clips.features)
    rows = [row for query, near in found for row in (query, *(row for row, _ in near))]
    panel = max((strip(points(row), _FIGURES, strip_room(_HEIGHT)).width for row in rows), default=0.0)

    def card(kind: str, remark: str, row: int) -> str:
        label = int(labels[row])
        title = clips.name(row) or clips.class_name(label)
        figures = strip_svg(points(row), clips.skeleton, _FIGURES, title=title, height=_HEIGHT, panel=panel)
        return clips.card(kind, label, remark, row, figures)

    parts = []
    for query, neighbours in found:
        cards = [card("query", "query", query)]
        for row, similarity in neighbours:
            same = labels[row] == labels[query] >= 0
            kind, word = ("same", "✓ same class") if same else ("other", "✗ other class")
            cards.append(card(kind, f"{word} · cosine {similarity:.3f}", row))
        parts.append(f'<div class="match">{"".join(cards)}</div>')
    return "".join(parts)


def retrieval_html(features: FeatureSet) -> str:
    """Precision and recall among the nearest training clips."""
    labels, train, test = np.asarray(features.labels), features.train, features.test
    known = labels[train][labels[train] >= 0]
    if not np.isin(labels[test], known).any():
        return ""
    ks = [k for k in (1, 5, 10) if k <= len(known)]
    x = features.features
    found = retrieval(x[train], labels[train], x[test], labels[test], ks=ks)
    head = "".join(f"<th>at {k}</th>" for k in ks)
    rows = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{100 * of[k]:.1f} %</td>' for k in ks)}</tr>"
        for name, of in (("precision", found.precision), ("recall", found.recall))
    )
    return (
        f'<p class="note">Over {counted(found.queries, "test clip")}, by cosine similarity to training '
        f"clips; mean average precision {100 * found.mean_average_precision:.1f} %.</p>"
        f'<table class="numbers"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )
