"""Feature set: features with labels, split and groups, in memory and as one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from attrs import define, field

from skel_eval._arrays import as_features, as_labels
from skel_eval._files import write_atomically
from skel_eval._words import counted

_NEEDED = ("features", "labels", "train", "test")
_OPTIONAL = ("groups", "copies", "names", "class_names", "masked")


@define(frozen=True, eq=False)
class FeatureSet:
    """Features of clips, their classes, and which are for training and which for testing.

    As a file it is an ``.npz`` with arrays of these names, whatever made the features.

    Attributes:
        features: (N, D).
        labels: Class of each clip, (N,); below 0 is unknown. A protocol needs some, to look at clips none.
        train: Rows for training, (N_train,).
        test: Rows for testing, (N_test,).
        groups: Group of each row, (N,), such as its subject: what is chosen is chosen on groups that are held
            out of the training rows, and few-shot episodes can ask for clips of other groups than the known
            ones. None holds out stratified parts.
        copies: Those of the test rows that are copies of a training clip; they are counted apart.
        names: Name of each clip, (N,), or none.
        class_names: Name of each class, or none.
        masked: Features of masked views of each clip, (N, views, D), which SMIE learns from; or none.

    Raises:
        TypeError: If labels or rows are not integers.
        ValueError: If shapes do not match, a feature is not finite, a row is out of range or in both
            parts.
    """

    features: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    train: np.ndarray = field(repr=False)
    test: np.ndarray = field(repr=False)
    groups: np.ndarray | None = field(default=None, repr=False)
    copies: np.ndarray = field(factory=lambda: np.empty(0, np.int64), repr=False)
    names: Sequence[str] | np.ndarray = field(default=(), repr=False)
    class_names: Sequence[str] | np.ndarray = field(default=(), repr=False)
    masked: np.ndarray | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        count = len(as_features(self.features, "features"))
        labels = as_labels(self.labels, count, "labels").numpy()
        parts = {name: _rows(getattr(self, name), count, name) for name in ("train", "test", "copies")}
        if np.isin(parts["train"], parts["test"]).any():
            raise ValueError("train and test share rows")
        if not np.isin(parts["copies"], parts["test"]).all():
            raise ValueError("copies must be rows of test")
        for name in ("groups", "names"):
            values = getattr(self, name)
            if values is None or (name == "names" and np.shape(values) == (0,)):
                continue
            if np.shape(values) != (count,):
                raise ValueError(
                    f"{name} must have shape ({count},), one for each row, got {np.shape(values)}"
                )
        if self.masked is not None:
            shape, (rows, width) = np.shape(self.masked), np.shape(self.features)
            if len(shape) != 3 or (shape[0], shape[2]) != (rows, width) or not shape[1]:
                raise ValueError(f"masked must have shape ({rows}, views, {width}), got {shape}")
            as_features(self.masked.reshape(-1, width), "masked")
        if np.ndim(self.class_names) != 1:
            raise ValueError(f"class_names must have shape (K,), got {np.shape(self.class_names)}")
        if len(self.class_names) and labels.max() >= len(self.class_names):
            raise ValueError(
                f"label {labels.max()}, but class_names has {counted(len(self.class_names), 'name')}"
            )

    @classmethod
    def load(cls, path: str | Path) -> "FeatureSet":
        """Read an ``.npz`` file; other arrays in it are passed over.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not such a file, or lacks an array; or as the class does.
        """
        path = Path(path)
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in (*_NEEDED, *_OPTIONAL) if name in file}
        except FileNotFoundError:
            raise FileNotFoundError(f"no features at {path}") from None
        except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
            raise ValueError(f"{path} is not an .npz file of plain arrays: {error}") from error
        missing = [name for name in _NEEDED if name not in arrays]
        if missing:
            raise ValueError(f"{path} has no {', '.join(missing)}; needed are {', '.join(_NEEDED)}")
        try:
            return cls(**arrays)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{path}: {error}") from error

    def save(self, path: str | Path, **more: np.ndarray) -> Path:
        """Write the ``.npz`` file, whole or not at all.

        Args:
            path: The file; an existing one is replaced.
            more: Further arrays.
        """
        path = Path(path)
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _NEEDED}
        arrays |= {name: getattr(self, name) for name in _OPTIONAL if _given(getattr(self, name))}
        write_atomically(path, lambda file: np.savez(file, allow_pickle=False, **arrays, **more))
        return path

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Features and labels of the training rows, then of the test rows."""
        x, y = self.features, self.labels
        return x[self.train], y[self.train], x[self.test], y[self.test]

    @property
    def train_groups(self) -> np.ndarray | None:
        """Groups of the training rows."""
        return None if self.groups is None else np.asarray(self.groups)[self.train]


def _given(value: Any) -> bool:
    return value is not None and len(value) > 0


def _rows(values: Any, count: int, name: str) -> np.ndarray:
    """Distinct row numbers."""
    rows: np.ndarray = np.asarray(values)
    if rows.shape == (0,):
        return rows.astype(np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold row numbers (K,), got {rows.dtype} {rows.shape}")
    if len(rows) and not (rows.min() >= 0 and rows.max() < count):
        raise ValueError(f"{name} must lie in 0..{count - 1}, got {rows.min()}..{rows.max()}")
    if len(np.unique(rows)) < len(rows):
        raise ValueError(f"{name} holds a row twice")
    return rows
