"""Table of clips: labels, subjects and cameras, all that splits are made of."""

from typing import Any

import numpy as np
from attrs import Factory, define, field
from attrs.converters import optional
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def _codes(values: Any) -> Ints:
    return np.ascontiguousarray(values, dtype=np.int64)


# An attrs default that is as long as the labels, which come first
_UNKNOWN: Any = Factory(lambda self: np.full(len(self.labels), -1), takes_self=True)


@define(frozen=True, eq=False)
class ClipTable:
    """Table of the metadata of N clips, without recordings: enough to make splits of a list of names.

    A `Store` is one, with the recordings.

    Attributes:
        dataset: Name of the data set; official splits go by it.
        labels: Class of each clip (N,), -1 is unknown, here and below.
        subjects: Subject of each clip (N,).
        cameras: Camera of each clip (N,).
        setups: Setup of each clip (N,).
        replications: Replication of each clip (N,).
        listed_split: Splits listed by the set itself (N, K): 0 unknown, 1 train, 2 test.
        listed_names: Names of these splits, "" for one without.
        subject_names: Names behind the subject codes.
        camera_names: Names behind the camera codes.
        default_split: Split that `get_split` takes when none is named.

    Raises:
        ValueError: If the arrays do not have these shapes.
    """

    dataset: str
    labels: Ints = field(converter=_codes)
    subjects: Ints = field(default=_UNKNOWN, converter=_codes)
    cameras: Ints = field(default=_UNKNOWN, converter=_codes)
    setups: Ints = field(default=_UNKNOWN, converter=_codes)
    replications: Ints = field(default=_UNKNOWN, converter=_codes)
    listed_split: Ints | None = field(default=None, converter=optional(_codes))
    listed_names: tuple[str, ...] = ()
    subject_names: tuple[str, ...] = ()
    camera_names: tuple[str, ...] = ()
    default_split: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.labels.ndim != 1:
            raise ValueError(f"labels must be (N,), got {self.labels.shape}")
        for name in ("subjects", "cameras", "setups", "replications"):
            shape = getattr(self, name).shape
            if shape != self.labels.shape:
                raise ValueError(f"{name} must be {self.labels.shape} as the labels are, got {shape}")
        listed = self.listed_split
        if listed is not None and (listed.ndim != 2 or len(listed) != len(self)):
            raise ValueError(f"listed_split must be ({len(self)}, K), got {listed.shape}")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def annotated(self) -> NDArray[np.bool_]:
        """Whether a clip has a label (N,)."""
        found: NDArray[np.bool_] = self.labels >= 0
        return found
