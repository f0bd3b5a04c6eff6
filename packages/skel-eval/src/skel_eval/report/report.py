"""Report: one self-contained HTML page about results, the training before them and the features."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path

import numpy as np

from skel_eval._feature_set import FeatureSet
from skel_eval._metrics import calibration, confusion_matrix
from skel_eval._result import Predictions, Result
from skel_eval.draw.points import Points
from skel_eval.draw.skeleton import Skeleton
from skel_eval.report.clips import Clips, class_name
from skel_eval.report.curves import curves_html
from skel_eval.report.diagrams import calibration_html, classes_html, confusion_html
from skel_eval.report.embedding import embedding_html
from skel_eval.report.gallery import gallery_html, retrieval_html
from skel_eval.report.mistakes import confused_pairs, mistakes_html
from skel_eval.report.page import page, write_page
from skel_eval.report.results import headline_html, results_html
from skel_eval.report.timelines import timelines_html


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
    found = results[0].predictions if results else None
    clips = None if features is None else Clips(features, points, skeleton or Skeleton())
    text = page(
        title,
        subtitle,
        headline_html(results),
        [
            ("Results", results_html(results)),
            ("Recordings", timelines_html(results)),
            ("Training", curves_html([("", training)])),
            *_predicted(found, clips, () if features is None else features.class_names),
            *([] if clips is None else _embedded(found, clips)),
            ("Settings", _settings(settings)),
            ("Versions", _versions(versions or {})),
        ],
    )
    return write_page(path, text)


def _predicted(
    found: Predictions | None, clips: Clips | None, class_names: Sequence[str] | np.ndarray
) -> list[tuple[str, str]]:
    """What predictions of test clips show."""
    if found is None or not (found.labels >= 0).any():
        return []
    labels, rows, classes = found.labels, found.clips, _first(found)
    highest = int(max(labels.max(), classes.max()))
    matrix = confusion_matrix(labels, classes, max(len(class_names), highest + 1))
    name_of, mistakes = partial(class_name, class_names), ""
    if clips is not None:
        features = clips.features.features
        if not 0 <= rows.min() <= rows.max() < len(features):
            raise ValueError(
                f"predictions name clips {rows.min()} to {rows.max()}, "
                f"but there are features of {len(features)}"
            )
        mistakes = mistakes_html(confused_pairs(labels, classes, features[rows]), rows, clips)
    sure = "" if found.logits is None else calibration_html(calibration(found.logits, labels))
    return [
        ("Confusion matrix", confusion_html(matrix, name_of)),
        ("Mistakes", mistakes),
        ("Classes", classes_html(matrix, name_of)),
        ("Calibration", sure),
    ]


def _embedded(found: Predictions | None, clips: Clips) -> list[tuple[str, str]]:
    """What the features show."""
    guesses = np.full(len(clips.features.features), -1)
    if found is not None:
        guesses[found.clips] = _first(found)
    return [
        ("Embedding", embedding_html(clips, guesses)),
        ("Retrieval", retrieval_html(clips.features) + gallery_html(clips)),
    ]


def _first(found: Predictions) -> np.ndarray:
    """Predicted classes of the first repeat, (N,)."""
    return found.classes[0] if found.classes.ndim == 2 else found.classes


def _settings(text: str) -> str:
    """All settings, folded, as they are long."""
    if not text:
        return ""
    return f"<details><summary>The whole recipe</summary><pre>{escape(text)}</pre></details>"


def _versions(versions: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in versions.items())
    return f'<table class="versions">{rows}</table>' if rows else ""
