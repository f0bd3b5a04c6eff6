"""One page that tells how good a representation is: a single HTML file that needs nothing else."""

import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from attrs import define, field

from skel_eval._arrays import Array
from skel_eval._calibration import Calibration
from skel_eval._calibration_html import calibration_html
from skel_eval._confused import ConfusedPair, confused_html
from skel_eval._confusion import classes_html, confusion_html
from skel_eval._curves import curves_html
from skel_eval._embedding import embedding_html
from skel_eval._gallery import GalleryRow, gallery_html
from skel_eval._metrics import confusion_matrix
from skel_eval._motion import SIDE, bones_data, motion, motion_data
from skel_eval._page import page, write_page
from skel_eval._place import Bones
from skel_eval._results import ResultRow, headline_html, results_html
from skel_eval.protocols.retrieval import RetrievalResult


@define(frozen=True, eq=False)
class Report:
    """What `write_report` shows. Every part may be left out; a part without data makes no section.

    Attributes:
        title: Headline of the page.
        subtitle: One line below it.
        results: Rows of the results table; the first one that is no baseline is the headline.
        metrics: Records of the training, one per epoch or step, as numbers by name.
        class_names: Name of each class; a class without one goes by its number.
        labels: Classes of the test clips, (N,); negative means unlabelled.
        predictions: Predicted classes of the test clips, (N,), of the headline result.
        calibration: As from `calibration`.
        features: Features of the test clips for the embedding plot, (N, D).
        names: Name of each test clip.
        clip: Gives the clip of a row of the test clips, (C, T, V, M): a point of the embedding plot that is
            hovered over then shows it moving.
        confused: As from `confused_pairs`.
        gallery: As from `retrieval_gallery`.
        retrieval: As from `retrieval`.
        bones: (child, parent) pairs of joints, to draw clips.
        up: Whether the second coordinate of clips points up.
        frames: Figures per strip of the gallery.
        motion_frames: Frames of a moving figure, at most; half as many in the embedding plot.
        settings: The resolved recipe, as text.
        versions: Versions by name of the software.
        seed: Seed of the embedding plot.
        most_points: Most points in the embedding plot.
    """

    title: str
    subtitle: str = ""
    results: Sequence[ResultRow] = ()
    metrics: Sequence[Mapping[str, object]] = ()
    class_names: Sequence[str] = ()
    labels: np.ndarray | None = field(default=None, repr=False)
    predictions: np.ndarray | None = field(default=None, repr=False)
    calibration: Calibration | None = None
    features: np.ndarray | None = field(default=None, repr=False)
    names: Sequence[str] = field(default=(), repr=False)
    clip: Callable[[int], Array] | None = field(default=None, repr=False)
    confused: Sequence[ConfusedPair] = field(default=(), repr=False)
    gallery: Sequence[GalleryRow] = field(default=(), repr=False)
    retrieval: RetrievalResult | None = None
    bones: Bones = ()
    up: bool = True
    frames: int = 7
    motion_frames: int = 32
    settings: str = ""
    versions: Mapping[str, str] = field(factory=dict)
    seed: int = 0
    most_points: int = 3000

    def __attrs_post_init__(self) -> None:
        if self.labels is None:
            if self.predictions is not None or self.features is not None:
                raise ValueError("predictions and features need labels, all -1 if there are none")
            return
        for key in ("predictions", "features", "names"):
            value = getattr(self, key)
            absent = value is None or (key == "names" and len(value) == 0)
            if not absent and len(value) != len(self.labels):
                raise ValueError(f"{key} must have one entry per label, {len(self.labels)}, got {len(value)}")

    def name_of(self, label: int) -> str:
        """Name of a class."""
        return self.class_names[label] if label < len(self.class_names) else f"class {label}"


def write_report(path: str | os.PathLike[str], report: Report) -> Path:
    """Write `report` as one self-contained HTML file, whole or not at all.

    Args:
        path: The file; an existing one is replaced, its folder must exist.
        report: What to show.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    return write_page(path, report_html(report))


def report_html(report: Report) -> str:
    """The page as text."""
    return page(report.title, report.subtitle, headline_html(report.results), _sections(report))


def _sections(report: Report) -> list[tuple[str, str]]:
    labels, predictions = report.labels, report.predictions
    matrix = None
    if labels is not None and predictions is not None and (np.asarray(labels) >= 0).any():
        highest = int(max(labels.max(), predictions.max()))
        matrix = confusion_matrix(labels, predictions, max(len(report.class_names), highest + 1))
    drawing = report.bones, report.name_of
    return [
        ("Results", results_html(report.results)),
        ("Training", curves_html(report.metrics)),
        ("Confusion", "" if matrix is None else confusion_html(matrix, report.name_of)),
        ("Mistakes", confused_html(report.confused, *drawing, report.motion_frames, report.up)),
        ("Classes", "" if matrix is None else classes_html(matrix, report.name_of)),
        ("Calibration", "" if report.calibration is None else calibration_html(report.calibration)),
        ("Embedding", _embedding(report)),
        (
            "Retrieval",
            _retrieval(report.retrieval) + gallery_html(report.gallery, *drawing, report.frames, report.up),
        ),
        ("Settings", f"<pre>{escape(report.settings)}</pre>" if report.settings else ""),
        ("Versions", _versions(report.versions)),
    ]


def _embedding(report: Report) -> str:
    if report.labels is None or report.features is None:
        return ""
    clip, preview, moving = report.clip, "", None
    if clip is not None and len(report.labels):
        frames = max(report.motion_frames // 2, 1)
        skeleton = bones_data(report.bones, clip(0).shape[2])
        preview = (
            f'<svg class="motion preview empty" role="img" viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" '
            f'height="{SIDE}" aria-label="the clip of the point" {skeleton}></svg>'
        )

        def moving(row: int) -> str:
            return motion_data(motion(clip(row), report.bones, frames, up=report.up))

    return embedding_html(
        report.features,
        report.labels,
        report.predictions,
        report.names,
        report.name_of,
        report.seed,
        report.most_points,
        preview,
        moving,
    )


def _retrieval(found: RetrievalResult | None) -> str:
    if found is None:
        return ""
    head = "".join(f"<th>at {k}</th>" for k in found.precision)
    rows = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{100 * value:.1f} %</td>' for value in of.values())}</tr>"
        for name, of in (("precision", found.precision), ("recall", found.recall))
    )
    return (
        f'<p class="note">Over {found.queries} test clips, by cosine similarity to training clips; '
        f"mean average precision {100 * found.mean_average_precision:.1f} %.</p>"
        f'<table class="numbers"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _versions(versions: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in versions.items())
    return f'<table class="versions">{rows}</table>' if rows else ""
