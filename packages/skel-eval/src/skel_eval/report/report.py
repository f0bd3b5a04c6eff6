"""Report: one self-contained HTML page about results, the training before them and the features."""

import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from skel_eval._calibration import calibration
from skel_eval._feature_set import FeatureSet
from skel_eval._metrics import confusion_matrix
from skel_eval._result import Predictions, Result
from skel_eval.draw.points import Points
from skel_eval.draw.skeleton import Skeleton
from skel_eval.report.calibration import calibration_html
from skel_eval.report.confusion import classes_html, confusion_html
from skel_eval.report.curves import curves_html
from skel_eval.report.embedding import embedding_html
from skel_eval.report.gallery import gallery_html, retrieval_html
from skel_eval.report.mistakes import confused_pairs, mistakes_html
from skel_eval.report.page import page, write_page
from skel_eval.report.results import headline_html, results_html


def write_report(
    path: str | os.PathLike[str],
    results: Sequence[Result],
    *,
    title: str,
    subtitle: str = "",
    features: FeatureSet | None = None,
    points: Callable[[int], Points] | None = None,
    skeleton: Skeleton | None = None,
    training: Sequence[Mapping[str, object]] = (),
    settings: str = "",
    versions: Mapping[str, str] | None = None,
) -> Path:
    """Write a report as one self-contained HTML file, whole or not at all.

    A part without data makes no section. Confusions, mistakes and calibration are those of the first result;
    retrieval and the embedding are computed here.

    Args:
        path: The file; an existing one is replaced, its folder must exist.
        results: Results, the headline first, with their baselines.
        title: Headline of the page.
        subtitle: One line below it.
        features: Features, whose rows are the clips that predictions name, with names of clips and classes.
        points: Gives the clip of such a row, as from `clip_points`, to draw it.
        skeleton: Bones and sides of the clips.
        training: Records of the training, one per epoch or step, as numbers by name.
        settings: The resolved recipe, as text.
        versions: Versions by name of the software.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If predictions name a row that the features lack.
    """
    text = page(
        title,
        subtitle,
        headline_html(results),
        [
            ("Results", results_html(results)),
            ("Training", curves_html(training)),
            *_predicted(results[0].predictions if results else None, features, points, skeleton),
            *_embedded(results[0].predictions if results else None, features, points, skeleton),
            ("Settings", f"<pre>{escape(settings)}</pre>" if settings else ""),
            ("Versions", _versions(versions or {})),
        ],
    )
    return write_page(path, text)


def _predicted(
    found: Predictions | None,
    features: FeatureSet | None,
    points: Callable[[int], Points] | None,
    skeleton: Skeleton | None,
) -> list[tuple[str, str]]:
    """What predictions of test clips show."""
    if found is None or not (np.asarray(found.labels) >= 0).any():
        return []
    labels, rows = np.asarray(found.labels), np.asarray(found.clips)
    classes = found.classes[0] if found.classes.ndim == 2 else found.classes
    class_names = () if features is None else features.class_names
    highest = int(max(labels.max(), classes.max()))
    matrix = confusion_matrix(labels, classes, max(len(class_names), highest + 1))
    name_of, mistakes = _names(class_names), ""
    if features is not None:
        if not 0 <= rows.min() <= rows.max() < len(features.features):
            raise ValueError(
                f"predictions name clips {rows.min()} to {rows.max()}, "
                f"but there are features of {len(features.features)}"
            )
        if points is not None:
            names = np.asarray(features.names)[rows].tolist() if len(features.names) else ()
            pairs = confused_pairs(labels, classes, features.features[rows])
            mistakes = mistakes_html(
                pairs, lambda row: points(int(rows[row])), skeleton or Skeleton(), name_of, names
            )
    sure = "" if found.logits is None else calibration_html(calibration(found.logits, labels))
    return [
        ("Confusion", confusion_html(matrix, name_of)),
        ("Mistakes", mistakes),
        ("Classes", classes_html(matrix, name_of)),
        ("Calibration", sure),
    ]


def _embedded(
    found: Predictions | None,
    features: FeatureSet | None,
    points: Callable[[int], Points] | None,
    skeleton: Skeleton | None,
) -> list[tuple[str, str]]:
    """What the features show."""
    if features is None:
        return []
    guesses = np.full(len(features.features), -1)
    if found is not None:
        guesses[found.clips] = found.classes[0] if found.classes.ndim == 2 else found.classes
    name_of, bones = _names(features.class_names), skeleton or Skeleton()
    gallery = "" if points is None else gallery_html(features, points, bones, name_of)
    return [
        ("Embedding", embedding_html(features, guesses, name_of, points, bones)),
        ("Retrieval", retrieval_html(features) + gallery),
    ]


def _names(class_names: Sequence[str] | np.ndarray) -> Callable[[int], str]:
    def name_of(label: int) -> str:
        if label < 0:
            return "unlabelled"
        return str(class_names[label]) if label < len(class_names) else f"class {label}"

    return name_of


def _versions(versions: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in versions.items())
    return f'<table class="versions">{rows}</table>' if rows else ""
