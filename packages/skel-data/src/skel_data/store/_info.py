"""Metadata: of a data set, as the header of a store says them, and of its clips, which splits are made of."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import Factory, asdict, define, field
from attrs.converters import optional
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout, get_layout

UNNAMED = "unnamed"
"""Data set of a source that does not tell which one it is; an import takes the source's name."""

_LATER = ("min_score", "up", "notes")
"""Fields that headers of earlier versions lack; left out where they say nothing, so that hashes stay."""


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@define(frozen=True)
class DatasetInfo:
    """Metadata that hold for all clips of a data set.

    Attributes:
        layout: The joints of every clip: a layout or its name.
        classes: Name of each class.
        units: Unit of the coordinates.
        dataset: Name of the data set; official splits go by it.
        default_split: Split that `get_split` takes when none is named.
        subject_names: Names behind the subject codes, if they are names.
        camera_names: Names behind the camera codes, if they are names.
        listed_names: Names of the listed splits, as many as `Clip.split` has entries, if they have names.
        min_score: Score of a pose estimator below which joints were left out at the import; 0: none were.
        up: What pointed up in the source, turned so that y does, such as "z"; "": nothing was turned.
        notes: What a user should know of how the set was read, a sentence each.
    """

    layout: SkeletonLayout = field(converter=get_layout)
    classes: tuple[str, ...] = field(converter=_texts)
    units: str
    dataset: str = UNNAMED
    default_split: str | None = None
    subject_names: tuple[str, ...] = field(default=(), converter=_texts)
    camera_names: tuple[str, ...] = field(default=(), converter=_texts)
    listed_names: tuple[str, ...] = field(default=(), converter=_texts)
    min_score: float = 0.0
    up: str = ""
    notes: tuple[str, ...] = field(default=(), converter=_texts)

    def to_header(self) -> dict[str, Any]:
        """The metadata as a header holds them."""
        fields = asdict(self, recurse=False)
        fields = {key: value for key, value in fields.items() if value or key not in _LATER}
        return {**fields, "layout": self.layout.to_dict(), "dims": self.layout.dims}

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> "DatasetInfo":
        """The metadata of a header.

        Raises:
            ValueError: If its layout is none.
            KeyError: If something is missing.
        """
        split = header["default_split"]
        return cls(
            SkeletonLayout.from_dict(header["layout"]),
            header["classes"],
            str(header["units"]),
            str(header["dataset"]),
            None if split is None else str(split),
            header["subject_names"],
            # In stores of version 1 a camera was called view, and splits without names had no key
            header["view_names"] if header["version"] == 1 else header["camera_names"],
            header.get("listed_names", ()),
            float(header.get("min_score", 0)),
            str(header.get("up", "")),
            header.get("notes", ()),
        )


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
