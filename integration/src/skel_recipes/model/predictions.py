"""Predictions of a model: a class, its probability, and "none of these", as arrays and as files."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from skel_data.files import write_atomically, write_file
from skel_recipes.common.files import check_output, pyarrow_modules

NONE = "none of these"
KINDS = (".csv", ".json", ".parquet")
Ints = NDArray[np.int64]


@define(frozen=True, eq=False)
class ClassPredictions:
    """Predicted classes of clips, or of windows of recordings.

    Attributes:
        names: Name of the recording, (N,).
        starts: First frame of the clip in it, (N,).
        stops: The frame behind its last one, (N,).
        probabilities: (N, classes); all 0 where nobody is seen.
        labels: Most probable class, (N,); -1 for none of these: its probability is below the threshold.
        class_names: Name of each class.
        threshold: That probability.
    """

    names: tuple[str, ...]
    starts: Ints = field(repr=False)
    stops: Ints = field(repr=False)
    probabilities: NDArray[np.float64] = field(repr=False)
    labels: Ints
    class_names: tuple[str, ...] = field(repr=False)
    threshold: float

    def __len__(self) -> int:
        return len(self.names)

    @property
    def best(self) -> Ints:
        """Most probable class whatever the threshold, (N,)."""
        best: Ints = self.probabilities.argmax(1)
        return best

    def name_of(self, label: int) -> str:
        """Name of a class; that of -1 is "none of these"."""
        return NONE if label < 0 else self.class_names[label]

    def rows(self, top: int = 1) -> list[dict[str, Any]]:
        """A row for each clip: name, frames, class and probability, then the most probable classes.

        Args:
            top: How many of the most probable classes; 1: the class alone.
        """
        top = min(top, len(self.class_names))
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :top].tolist()
        found = []
        for row, (name, label) in enumerate(zip(self.names, self.labels.tolist(), strict=True)):
            best = self.probabilities[row]
            line = {
                "name": name,
                "start": int(self.starts[row]),
                "stop": int(self.stops[row]),
                "class": self.name_of(label),
                "probability": round(float(best.max()), 6),
            }
            for place, one in enumerate(order[row] if top > 1 else (), 1):
                line[f"class_{place}"] = self.class_names[one]
                line[f"probability_{place}"] = round(float(best[one]), 6)
            found.append(line)
        return found

    def save(self, path: str | Path, top: int = 1) -> None:
        """Write `rows` to a .csv, .json or .parquet file, whole or not at all.

        Raises:
            ValueError: If the suffix is another one.
            FileNotFoundError: If there is no folder for it.
            ImportError: If the file is .parquet and the extra is not installed.
        """
        path = Path(path)
        check_output(path, KINDS)
        rows = self.rows(top)
        if path.suffix == ".parquet":
            pyarrow, parquet = pyarrow_modules()
            table = pyarrow.Table.from_pylist(rows)
            with write_file(path) as file:
                parquet.write_table(table, file)
            return
        if path.suffix == ".json":
            text = json.dumps(rows, indent=1)
        else:
            lines = io.StringIO(newline="")
            writer = csv.DictWriter(lines, rows[0].keys() if rows else ("name",), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            text = lines.getvalue()
        write_atomically(path, text)
