"""Features in the plane."""

import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

# nine hues of middle lightness that stay apart on light and dark ground and for colour-blind eyes
PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#8c6bb1",
    "#a6761d",
    "#7f8c8d",
)
_SIZE = 620.0
MOST_MOVING = 600


def plane(features: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE of the L2-normalised features, started from their PCA, (N, 2).

    Args:
        features: (N, D), at least 4 rows and 2 columns.
        seed: Seed of t-SNE.
    """
    from sklearn.manifold import TSNE

    rows = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    perplexity = min(30.0, (len(rows) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(model.fit_transform(rows))


def embedding_html(
    features: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray | None,
    names: Sequence[str],
    name_of: Callable[[int], str],
    seed: int,
    most: int,
    preview: str = "",
    moving: Callable[[int], str] | None = None,
) -> str:
    """Scatter plot: colour is the class, a dot was predicted right, a cross wrong. Empty without variation.

    A point that is hovered over tells its name and classes below `preview`, which then shows its clip.

    Args:
        features: (N, D).
        labels: Classes, (N,); negative means unlabelled.
        predictions: Classes, (N,), or None.
        names: Name of each row, or empty.
        name_of: Name of a class.
        seed: Seed of the choice of rows and of t-SNE.
        most: More rows than this are thinned out at random.
        preview: A drawing that shows the clip of a point.
        moving: Gives the attributes of a point that the drawing needs; used for `MOST_MOVING` points at most.
    """
    keep = np.arange(len(features))
    if len(keep) > most:
        keep = np.sort(np.random.default_rng(seed).choice(keep, most, replace=False))
    features = np.asarray(features[keep], dtype=np.float64)
    if len(keep) < 4 or features.shape[1] < 2 or np.ptp(features, 0).max() == 0:
        return ""
    places = plane(features, seed)
    places = places - places.min(0)
    places = 12 + places * ((_SIZE - 24) / max(places.max(), 1e-9))
    width, height = (12 + places.max(0)).tolist()
    radius = 4.0 if len(keep) <= 600 else 2.6
    stride = math.ceil(len(keep) / MOST_MOVING)
    marks: dict[int, list[str]] = {}
    for place, ((x, y), row) in enumerate(zip(places, keep.tolist(), strict=True)):
        label = int(labels[row])
        hint = [names[row]] if len(names) else []
        hint.append(name_of(label) if label >= 0 else "unlabelled")
        wrong = predictions is not None and label >= 0 and predictions[row] != label
        if wrong and predictions is not None:
            hint.append(f"taken for {name_of(int(predictions[row]))}")
        clip = f" {moving(row)}" if moving is not None and place % stride == 0 else ""
        title = f"{clip}><title>{escape(' · '.join(hint))}</title>"
        marks.setdefault(label, []).append(
            f'<path d="M{x - radius:.1f} {y - radius:.1f}l{2 * radius} {2 * radius}m0 {-2 * radius}'
            f'l{-2 * radius} {2 * radius}"{title}</path>'
            if wrong
            else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"{title}</circle>'
        )
    groups, legend = [], []
    for label in sorted(marks):
        colour = PALETTE[label % len(PALETTE)] if label >= 0 else "#999999"
        name = escape(name_of(label) if label >= 0 else "unlabelled")
        groups.append(f'<g data-class="{label}" style="--hue:{colour}">{"".join(marks[label])}</g>')
        legend.append(
            f'<button type="button" data-class="{label}" style="--hue:{colour}">{name} '
            f"<small>{len(marks[label])}</small></button>"
        )
    note = "A dot was predicted right, a cross wrong. " if predictions is not None else ""
    if len(marks) > len(PALETTE):
        note += "Colours repeat. "
    note += "Choose a class to see it alone."
    if len(keep) < len(labels):
        note += f" {len(keep)} of {len(labels)} clips, drawn at random."
    return (
        '<p class="note">t-SNE of the test features (cosine); distances between far groups mean little. '
        f"{note}</p>"
        f'<div class="embedding"><svg role="img" class="points" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><title>Embedding of the test clips</title>'
        f"{''.join(groups)}</svg>"
        f'<div class="beside">{preview}<p class="told" aria-live="polite"></p>'
        f'<div class="legend">{"".join(legend)}</div></div></div>'
    )
