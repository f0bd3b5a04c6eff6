"""Estimators for scikit-learn: a transformer to features, and a classifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skel_data import ClipTable, SkeletonLayout, check_min_score, holdout_groups
from skel_recipes.common.device import pick_device
from skel_recipes.common.words import count
from skel_recipes.evaluate.inputs import encoder_refs
from skel_recipes.model.embedder import Embedder
from skel_recipes.model.fit import fit_heads
from skel_recipes.model.heads import FITS
from skel_recipes.model.model import Model
from skel_recipes.model.sources import Taken, take
from skel_recipes.run.run import Run

Recordings = Sequence[NDArray[Any]] | NDArray[Any]


def _take(recordings: Recordings, layout: SkeletonLayout) -> Taken:
    """Recordings of scikit-learn, whose arrays have samples first: (N, T, V, C) are N of one body."""
    four = isinstance(recordings, np.ndarray) and recordings.ndim == 4
    return take(list(recordings) if four else recordings, layout)


def _embedder(run: str | Path, stream: str | None, device: str, min_score: float) -> Embedder:
    opened = Run.open(run)
    check_min_score(opened.layout, min_score)
    return Embedder.of(encoder_refs([opened], stream=stream), pick_device(device), min_score)


class SkeletonFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Recordings in, frozen features out, as a scikit-learn transformer.

    ``make_pipeline(SkeletonFeatures("run"), StandardScaler(), LogisticRegression())`` is a classifier of
    recordings. Nothing is fitted: `fit` only opens the run. A pickle holds the encoders, and needs no run.

    Args:
        run: Folder of a finished run, or of an encoder.
        stream: One of its streams; None puts the features of all side by side.
        min_score: Score of a pose estimator below which a joint is missing.
        device: Where to compute.
    """

    def __init__(
        self, run: str | Path, *, stream: str | None = None, min_score: float = 0.0, device: str = "auto"
    ) -> None:
        self.run = run
        self.stream = stream
        self.min_score = min_score
        self.device = device

    def fit(self, X: Recordings, y: Any = None) -> "SkeletonFeatures":  # noqa: ARG002, N803
        """Open the run.

        Args:
            X: Not looked at.
            y: Not looked at.

        Raises:
            ValueError: If there is no finished run.
        """
        self.embedder_ = _embedder(self.run, self.stream, self.device, self.min_score)
        return self

    def transform(self, X: Recordings) -> NDArray[np.float32]:  # noqa: N803
        """Features (N, D) of recordings.

        Args:
            X: Recordings (T, M, V, C) or (T, V, C), each of any length; or an array (N, T, M, V, C) or
                (N, T, V, C).
        """
        if not hasattr(self, "embedder_"):
            self.fit(X)
        found = _take(X, self.embedder_.layout)
        return self.embedder_.embed(found.positions, found.tracks)

    def __getstate__(self) -> dict[str, Any]:
        """The encoders go with a pickle, also of an estimator that was not fitted."""
        if not hasattr(self, "embedder_"):
            self.fit([])
        state: dict[str, Any] = super().__getstate__()
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return True


class SkeletonClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier of recordings on the frozen encoders of a run, as a scikit-learn estimator.

    It is the model of `skel_recipes.fit`, with the same classifier and the same calibration; but `predict`
    always names a class. A pickle holds encoders and classifier, and needs no run.

    Args:
        run: Folder of a finished run, or of an encoder.
        head: The classifier: linear, rbf, mlp or knn.
        stream: One of the run's streams; None fuses all.
        min_score: Score of a pose estimator below which a joint is missing.
        device: Where to compute.
    """

    def __init__(
        self,
        run: str | Path,
        *,
        head: str = "rbf",
        stream: str | None = None,
        min_score: float = 0.0,
        device: str = "auto",
    ) -> None:
        self.run = run
        self.head = head
        self.stream = stream
        self.min_score = min_score
        self.device = device

    def fit(self, X: Recordings, y: Any, groups: Any = None) -> "SkeletonClassifier":  # noqa: N803
        """Fit the classifier.

        Args:
            X: Recordings (T, M, V, C) or (T, V, C), each of any length; or an array (N, T, M, V, C) or
                (N, T, V, C).
            y: Class of each, numbers or names.
            groups: Group of each, numbers, such as its subject: what is chosen is chosen on groups that are
                held out.

        Raises:
            ValueError: If there is no finished run or no such head, a recording does not fit its joints, or
                there are not as many classes as recordings.
        """
        if self.head not in FITS:
            raise ValueError(f"no head {self.head!r}; there are {', '.join(FITS)}")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        labels = codes.astype(np.int64)
        embedder = _embedder(self.run, self.stream, self.device, self.min_score)
        found = _take(X, embedder.layout)
        if len(found) != len(labels) or len(self.classes_) < 2:
            raise ValueError(
                "expected a class for each recording and two classes or more, got "
                f"{count(len(found), 'recording')} and {count(len(labels), 'class')}, "
                f"{len(self.classes_)} of them distinct"
            )
        if groups is None:
            none, every = np.empty(0, np.int64), np.arange(len(labels))
            groups = holdout_groups(ClipTable("recordings", labels), every, none)
        heads, calibration = fit_heads(
            self.head,
            embedder.features(found.positions, found.tracks),
            torch.from_numpy(labels),
            torch.from_numpy(np.asarray(groups, np.int64)),
            embedder.weights,
            len(self.classes_),
        )
        frames = int(np.median([len(one) for one in found.positions]))
        names = tuple(str(name) for name in self.classes_)
        self.model_ = Model(embedder, self.head, heads, names, calibration, frames, 30.0, {})
        return self

    def predict_proba(self, X: Recordings) -> NDArray[np.float64]:  # noqa: N803
        """Probabilities (N, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        return self.model_.predict_taken(_take(X, self.model_.layout)).probabilities

    def predict(self, X: Recordings) -> NDArray[Any]:  # noqa: N803
        """Most probable class of each recording, (N,)."""
        best: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(1)]
        return best
