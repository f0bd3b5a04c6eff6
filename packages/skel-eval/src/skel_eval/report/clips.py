"""Clips that a report shows."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from attrs import define

from skel_eval._feature_set import FeatureSet
from skel_eval.draw.points import Points
from skel_eval.draw.skeleton import Skeleton


@define(frozen=True, eq=False)
class Clips:
    """Clips by the rows of their features.

    Attributes:
        features: Their features, classes and names.
        points: Gives the clip of a row; None if clips are not drawn.
        skeleton: Bones and sides.
    """

    features: FeatureSet
    points: Callable[[int], Points] | None
    skeleton: Skeleton

    def name(self, row: int) -> str:
        """Name of the clip of a row, or nothing."""
        return str(self.features.names[row]) if len(self.features.names) else ""

    def class_name(self, label: int) -> str:
        """Name of a class."""
        return class_name(self.features.class_names, label)

    def card(self, kind: str, label: int, remark: str, row: int, drawing: str) -> str:
        """A drawing of a clip in a frame: ``query``, ``same`` or ``other``, which is its colour."""
        return (
            f'<figure class="card {kind}"><figcaption><b>{escape(self.class_name(label))}</b> '
            f"<span>{escape(remark)}</span></figcaption>{drawing}<small>{escape(self.name(row))}</small></figure>"
        )


def class_name(names: Sequence[str] | np.ndarray, label: int) -> str:
    """Name of a class, or its number where it has none."""
    if label < 0:
        return "unlabelled"
    return str(names[label]) if label < len(names) else f"class {label}"


def unit(rows: np.ndarray) -> np.ndarray:
    """Features brought to length 1, in double precision; rows of zeros stay."""
    values = np.asarray(rows, np.float64)
    unit_rows: np.ndarray = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return unit_rows
