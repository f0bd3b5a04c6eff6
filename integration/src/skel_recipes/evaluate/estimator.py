"""Features for scikit-learn: an encoder as a step of a pipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from skel_recipes.evaluate.embed import embed_recordings
from skel_recipes.run.run import Run


class SkeletonFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Recordings in, frozen features out, as a scikit-learn transformer.

    ``make_pipeline(SkeletonFeatures("run"), StandardScaler(), LogisticRegression())`` is a classifier of
    recordings. Nothing is fitted: `fit` only opens the run.

    Args:
        run: Folder of a finished run.
        stream: One of its streams; None puts the features of all side by side.
        device: Where to compute.
    """

    def __init__(self, run: str | Path, *, stream: str | None = None, device: str = "auto") -> None:
        self.run = run
        self.stream = stream
        self.device = device

    def fit(self, X: Sequence[NDArray[Any]], y: Any = None) -> "SkeletonFeatures":  # noqa: ARG002, N803
        """Open the run.

        Args:
            X: Not looked at.
            y: Not looked at.

        Raises:
            ValueError: If there is no finished run.
        """
        self.run_ = Run.open(self.run)
        return self

    def transform(self, X: Sequence[NDArray[Any]]) -> NDArray[np.float32]:  # noqa: N803
        """Features (N, D) of recordings (T, M, V, C), each of any length."""
        run = self.run_ if hasattr(self, "run_") else Run.open(self.run)
        return embed_recordings(run, X, stream=self.stream, device=self.device)

    def __sklearn_is_fitted__(self) -> bool:
        return True
