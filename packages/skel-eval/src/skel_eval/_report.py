"""One page that tells how good a representation is: a single HTML file that needs nothing else."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
from attrs import define, field

from skel_eval._confusion import classes_html, confusion_html
from skel_eval._curves import curves_html
from skel_eval._embedding import embedding_html
from skel_eval._gallery import GalleryRow, gallery_html
from skel_eval._metrics import confusion_matrix
from skel_eval._results import ResultRow, headline_html, results_html
from skel_eval._strip import Bones


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
        features: Features of the test clips for the embedding plot, (N, D).
        names: Name of each test clip.
        gallery: As from `retrieval_gallery`.
        bones: (child, parent) pairs of joints, to draw the gallery.
        up: Whether the second coordinate of clips points up.
        frames: Figures per strip of the gallery.
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
    features: np.ndarray | None = field(default=None, repr=False)
    names: Sequence[str] = field(default=(), repr=False)
    gallery: Sequence[GalleryRow] = field(default=(), repr=False)
    bones: Bones = ()
    up: bool = True
    frames: int = 7
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
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder of the report does not exist: {target.parent}")
    text = report_html(report)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def report_html(report: Report) -> str:
    """The page as text."""
    sections = [(name, body) for name, body in _sections(report) if body]
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name, _ in sections)
    navigation = f"<nav>{links}</nav>" if len(sections) > 1 else ""
    bodies = "".join(
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{body}</section>' for name, body in sections
    )
    subtitle = f'<p class="subtitle">{escape(report.subtitle)}</p>' if report.subtitle else ""
    assets = files("skel_eval")
    style = assets.joinpath("report.css").read_text(encoding="utf-8")
    script = assets.joinpath("report.js").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(report.title)}</h1>{subtitle}{headline_html(report.results)}{navigation}</header>"
        f"<main>{bodies}</main><script>{script}</script></body></html>\n"
    )


def _sections(report: Report) -> list[tuple[str, str]]:
    labels, predictions = report.labels, report.predictions
    matrix = None
    if labels is not None and predictions is not None and (np.asarray(labels) >= 0).any():
        highest = int(max(labels.max(), predictions.max()))
        matrix = confusion_matrix(labels, predictions, max(len(report.class_names), highest + 1))
    embedding = ""
    if labels is not None and report.features is not None:
        embedding = embedding_html(
            report.features,
            labels,
            predictions,
            report.names,
            report.name_of,
            report.seed,
            report.most_points,
        )
    versions = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(version)}</td></tr>"
        for name, version in report.versions.items()
    )
    return [
        ("Results", results_html(report.results)),
        ("Training", curves_html(report.metrics)),
        ("Confusion", "" if matrix is None else confusion_html(matrix, report.name_of)),
        ("Classes", "" if matrix is None else classes_html(matrix, report.name_of)),
        ("Embedding", embedding),
        ("Retrieval", gallery_html(report.gallery, report.bones, report.name_of, report.frames, report.up)),
        ("Settings", f"<pre>{escape(report.settings)}</pre>" if report.settings else ""),
        ("Versions", f'<table class="versions">{versions}</table>' if versions else ""),
    ]


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
