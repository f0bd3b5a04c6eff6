"""Classification by the nearest class mean."""

import numpy as np
from attrs import define

from skel_eval import FeatureSet, Metric, Outcome


@define(frozen=True)
class NearestMean:
    """Nearest class mean of frozen features.

    Attributes:
        normalise: Compare directions, not places.
    """

    fuses = "features"
    normalise: bool = True

    @property
    def title(self) -> str:
        """What the protocol is called with its settings."""
        return "nearest mean" if self.normalise else "nearest mean, not normalised"

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Accuracy on the test rows."""
        x, y = features.features, features.labels
        if self.normalise:
            x = x / np.linalg.norm(x, axis=1, keepdims=True).clip(1e-12)
        classes = np.unique(y[features.train])
        means = np.stack([x[features.train][y[features.train] == label].mean(0) for label in classes])
        distances = np.linalg.norm(x[features.test][:, None] - means, axis=2)
        predictions = classes[distances.argmin(1)]
        accuracy = float((predictions == y[features.test]).mean())
        return Outcome({"accuracy": Metric(accuracy)}, {"normalise": self.normalise}, predictions)
