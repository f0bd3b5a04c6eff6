"""Embedding plot: the features of test clips in the plane."""

import math
from html import escape

import numpy as np

from skel_eval.draw.points import spaced
from skel_eval.draw.svg import motion, motion_data, preview_svg
from skel_eval.report.clips import Clips, unit

# nine hues of middle lightness that stay apart on light and dark ground and for colour-blind eyes
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#a6761d", "#7f8c8d")
_SIZE = 620.0
MOST_MOVING, _FRAMES = 600, 16


def plane(features: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE of the L2-normalised features, started from their PCA, (N, 2); for 4 rows, 2 columns or more."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(model.fit_transform(unit(features)))


def embedding_html(clips: Clips, guesses: np.ndarray, *, most: int = 3000, seed: int = 0) -> str:
    """Scatter plot: a dot was predicted right, a cross wrong. Empty without variation.

    Colour is the class while there are as many colours as classes. With more classes only mistakes and the
    class that the reader chooses have a colour. A point that is hovered over shows its name and classes, and
    shows its clip; the reader can search for both.

    Args:
        clips: Of whose test rows the plot is.
        guesses: Predicted class of each row, (N,); negative where there is none.
        most: More rows than this are thinned out at random.
        seed: Seed of the choice of rows and of t-SNE.
    """
    features, points = clips.features, clips.points
    test = np.asarray(features.test)
    rows = test
    if len(test) > most:
        rows = test[np.sort(np.random.default_rng(seed).choice(len(test), most, replace=False))]
    values = np.asarray(features.features[rows], dtype=np.float64)
    if len(rows) < 4 or values.shape[1] < 2 or np.ptp(values, 0).max() == 0:
        return ""
    spots = plane(values, seed)
    spots = spots - spots.min(0)
    spots = 12 + spots * ((_SIZE - 24) / max(spots.max(), 1e-9))
    width, height = (12 + spots.max(0)).tolist()
    radius = 4.0 if len(rows) <= 600 else 2.6
    stride = math.ceil(len(rows) / MOST_MOVING)
    marks: dict[int, list[str]] = {}
    for index, ((x, y), row) in enumerate(zip(spots, rows.tolist(), strict=True)):
        label, guess = int(features.labels[row]), int(guesses[row])
        hint = [clips.name(row)] if len(features.names) else []
        hint.append(clips.class_name(label))
        wrong = 0 <= guess != label >= 0
        if wrong:
            hint.append(f"taken for {clips.class_name(guess)}")
        moving = ""
        if points is not None and index % stride == 0:
            clip = points(row)
            moving = " " + motion_data(motion(clip[spaced(clip, _FRAMES)]))
        title = f"{moving}><title>{escape(' · '.join(hint))}</title>"
        marks.setdefault(label, []).append(
            f'<path d="M{x - radius:.1f} {y - radius:.1f}l{2 * radius} {2 * radius}m0 {-2 * radius}'
            f'l{-2 * radius} {2 * radius}"{title}</path>'
            if wrong
            else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"{title}</circle>'
        )
    groups, legend = [], []
    many = len(marks) > len(PALETTE)
    for place, label in enumerate(sorted(marks)):
        colour = "var(--soft)" if many or label < 0 else PALETTE[place]
        name = escape(clips.class_name(label))
        groups.append(f'<g data-class="{label}" style="--hue:{colour}">{"".join(marks[label])}</g>')
        legend.append(
            f'<button type="button" data-class="{label}" style="--hue:{colour}">{name} '
            f"<small>{len(marks[label])}</small></button>"
        )
    note = "A dot was predicted right, a cross wrong. " if (guesses[rows] >= 0).any() else ""
    note += "Choose a class to see it alone. Hover over a point, or tap it, to see what it is."
    if len(rows) < len(test):
        note += f" {len(rows)} of {len(test)} clips, drawn at random."
    kind, preview = "points many" if many else "points", ""
    if points is not None:
        _, bodies, joints, _ = points(int(rows[0])).shape
        preview = preview_svg(bodies, joints, clips.skeleton)
    return (
        '<p class="note">t-SNE of the test features (cosine); distances between far groups mean little. '
        f"{note}</p>"
        f'<div class="embedding"><svg role="img" class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><title>Embedding of the test clips</title>'
        f"{''.join(groups)}</svg>"
        f'<div class="beside">{preview}<p class="hint" aria-live="polite"></p>'
        '<p><input type="search" placeholder="Search classes and clips" '
        f'aria-label="Search classes and clips" hidden></p><div class="legend">'
        f"{''.join(legend)}</div></div></div>"
    )
