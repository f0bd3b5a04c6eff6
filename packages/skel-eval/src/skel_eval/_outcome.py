"""Evaluation protocols: what all of them are, and what they give back."""

from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from attrs import define, field

from skel_eval._feature_set import FeatureSet
from skel_eval._result import Metric


@define(frozen=True, eq=False)
class Outcome:
    """What a protocol measured.

    Attributes:
        metrics: Metrics by name; the first one is the main one.
        settings: What the protocol was run with, and what it chose.
        predictions: Class of each test row, (N_test,), where the protocol classifies; of several repeats
            (repeats, N_test).
        logits: (N_test, classes), where it has them.
        details: Further findings, as JSON can hold them.
        counts: Numbers of clips that are other than the split's, such as ``train`` with few labels.
    """

    metrics: dict[str, Metric]
    settings: dict[str, Any] = field(factory=dict)
    predictions: np.ndarray | None = field(default=None, repr=False)
    logits: np.ndarray | None = field(default=None, repr=False)
    details: dict[str, Any] = field(factory=dict)
    counts: dict[str, int] = field(factory=dict)


class FrozenProtocol(Protocol):
    """An evaluation protocol on frozen features: a frozen attrs class of settings that can be called.

    The first sentence of its docstring is what ``skel list protocols`` and the help of the command show.
    """

    fuses: ClassVar[Literal["logits", "features"]]
    """What a late fusion of several encoders adds: the logits, or the cosine similarities of features."""

    @property
    def title(self) -> str:
        """What the protocol is called with its settings, such as "5-NN"; one title for each question."""

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Run the protocol."""
