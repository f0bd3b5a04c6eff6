"""What is evaluated on what: encoders of runs, the clips of a store, and their split."""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import asdict, define, evolve, field
from numpy.typing import NDArray

from skel_data import (
    SkeletonLayout,
    Split,
    Store,
    convert_store,
    get_split,
    holdout_groups,
    without_copies,
)
from skel_data import stream as take_stream
from skel_eval import FeatureSet, state_digest
from skel_recipes._device import pick_device
from skel_recipes._features import embed_array
from skel_recipes._files import write_atomically
from skel_recipes._run import Run
from skel_recipes._seen import seen_clips

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@define(frozen=True)
class Member:
    """One encoder of those that are evaluated together.

    Attributes:
        run: Its run.
        stream: Its stream.
        weight: Its share of the vote.
    """

    run: Run
    stream: str
    weight: float = field(default=1.0)


@define(frozen=True, eq=False, slots=False)
class Trial:
    """Encoders, clips and a split, ready for any protocol.

    Attributes:
        members: The encoders.
        store: The recordings, in the joints of the encoders.
        split: Its training clips all have a label.
        device: Where to compute.
        converted: Whether the recordings had other joints.
        tag: What tells results of this trial from others of the same protocol, in the user's words.
    """

    members: tuple[Member, ...]
    store: Store
    split: Split
    device: torch.device
    converted: bool = False
    tag: str = ""

    @classmethod
    def of(
        cls,
        members: Sequence[Member],
        store: Store,
        *,
        split: str | None = None,
        device: str = "auto",
        convert: bool = False,
        tag: str = "",
    ) -> "Trial":
        """Check that all goes together.

        Args:
            members: The encoders.
            store: The recordings.
            split: The split; by default the one that was pretrained on, or the store's own default.
            device: Where to compute.
            convert: Bring recordings with other joints to those of the runs, by the names of the joints.
            tag: What tells results from others of the same protocol.

        Raises:
            ValueError: If the joints differ, the split has no labelled clips, or the tag cannot be part of a
                file's name.
        """
        if not re.fullmatch(r"[\w.+-]*", tag):
            raise ValueError(f"a tag has letters, digits and . + - _ only, got {tag!r}")
        first, given = members[0].run, store
        for member in members:
            if _joints(member.run.layout) != _joints(first.layout):
                raise ValueError(
                    f"{first.path} and {member.run.path} have different joints and cannot be fused"
                )
            store = in_joints_of(member.run, store, convert=convert)
        same = store.hash == first.facts["store"]["hash"]
        chosen = get_split(store, split or (first.facts["split"] if same else None))
        train = chosen.train[store.labels[chosen.train] >= 0]
        if len(train) == 0 or len(chosen.test) == 0:
            raise ValueError(
                f"split {chosen.name!r} of {store.path} has {len(train)} labelled training clips "
                f"and {len(chosen.test)} test clips"
            )
        converted = store is not given
        return cls(tuple(members), store, evolve(chosen, train=train), pick_device(device), converted, tag)

    @property
    def run(self) -> Run:
        """The first run: its folder takes the results."""
        return self.members[0].run

    @property
    def weights(self) -> list[float]:
        """Of each member."""
        return [member.weight for member in self.members]

    @cached_property
    def groups(self) -> Ints:
        """Group of each training clip, for what is chosen on training clips."""
        return holdout_groups(self.store, self.split.train, self.split.test)

    @cached_property
    def copies(self) -> Ints:
        """Test clips that are exact copies of a training clip."""
        return np.setdiff1d(self.split.test, without_copies(self.store, self.split))

    @property
    def at_home(self) -> bool:
        """Whether all pretrainings were on the store that is evaluated on."""
        return all(member.run.facts["store"]["hash"] == self.store.hash for member in self.members)

    @cached_property
    def seen(self) -> int | None:
        """Test clips that a pretraining has seen, without their labels.

        In another store than that of the pretraining they are known by their content. None if that cannot be
        told: the store of a pretraining is not in its place, or the recordings were brought to other joints.
        """
        seen = np.zeros(len(self.split.test), dtype=bool)
        for run in {member.run.path: member.run for member in self.members}.values():
            if run.facts["store"]["hash"] == self.store.hash:
                seen |= np.isin(self.split.test, get_split(self.store, run.facts["split"]).train)
                continue
            theirs = None if self.converted else run.store()
            if theirs is None:
                return None
            digests = theirs.digests[get_split(theirs, run.facts["split"]).train]
            seen |= np.isin(self.store.digests[self.split.test], digests)
        return int(seen.sum())

    def clips(self, member: Member | None = None) -> Floats:
        """All clips (N, C, T, V, M) as a member's encoder sees them; None: the first one's, as joints."""
        run = (member or self.members[0]).run
        clips = seen_clips(run, self.store)
        return clips if member is None else take_stream(clips, member.stream, self.store.layout)

    def features(self, member: Member, *, trained: bool = True) -> Floats:
        """Features of all clips, from the run's folder if they are there."""
        run = member.run
        encoder = run.encoder(member.stream, trained=trained)
        # encoders of two streams may have the same weights, or none
        data = run.recipe.data
        pipeline = [data.pipeline.name, data.pipeline.version, asdict(data.pipeline)]
        seen = json.dumps([member.stream, *pipeline, run.shape.frames, run.shape.bodies, data.crop])
        key = hashlib.blake2b(seen.encode(), digest_size=4).hexdigest()
        name = f"{state_digest(encoder.state_dict())}-{key}-{self.store.hash[:16]}.npy"
        file = run.path / "features" / name
        if (cached := _load(file, len(self.store))) is not None:
            return cached
        features = embed_array(encoder, self.clips(member), self.device)
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, lambda target: np.save(target, features, allow_pickle=False))
        return features

    def feature_set(self, features: NDArray[Any]) -> FeatureSet:
        """Features of all clips with what a protocol needs to know; test clips are grouped by subject."""
        groups = self.store.subjects.astype(np.int64)
        groups[self.split.train] = self.groups
        return FeatureSet(
            features,
            self.store.labels,
            self.split.train,
            self.split.test,
            groups=groups,
            copies=self.copies,
            names=self.store.names,
            class_names=self.store.classes,
        )

    def feature_sets(self, *, trained: bool = True) -> list[FeatureSet]:
        """Those of each member."""
        return [self.feature_set(self.features(member, trained=trained)) for member in self.members]


def members_of(
    runs: Sequence[Run], *, stream: str | None = None, weights: Sequence[float] | None = None
) -> list[Member]:
    """The encoders of runs, one for each of their streams.

    Args:
        runs: The runs.
        stream: One of the streams, to have it alone; None for all.
        weights: One for each encoder; None for equal ones.

    Raises:
        ValueError: If a run has no such stream, or the weights do not match the encoders.
    """
    for run in runs:
        if stream is not None and stream not in run.streams:
            raise ValueError(f"{run.path} has no stream {stream!r}; there are {', '.join(run.streams)}")
    encoders = [(run, name) for run in runs for name in ([stream] if stream else run.streams)]
    factors = [1.0] * len(encoders) if weights is None else list(weights)
    if not encoders or len(factors) != len(encoders):
        named = ", ".join(f"{name} of {run.path}" for run, name in encoders)
        raise ValueError(f"expected a weight for each encoder ({named}), got {factors}")
    if not all(factor >= 0 for factor in factors) or not any(factors):
        raise ValueError(f"weights must be 0 or more and not all 0, got {factors}")
    return [Member(run, name, weight) for (run, name), weight in zip(encoders, factors, strict=True)]


def in_joints_of(run: Run, store: Store, *, convert: bool = False) -> Store:
    """A store as a run can take it: itself, or converted to the joints of the run.

    Raises:
        ValueError: If the joints differ and may not be converted.
    """
    ours, theirs = run.layout, store.layout
    if _joints(ours) == _joints(theirs):
        return store
    if not convert:
        raise ValueError(
            f"{run.path} was trained on layout {ours.name!r} ({ours.num_joints} joints), "
            f"{store.path} has {theirs.name!r} ({theirs.num_joints} joints); --convert brings them together"
        )
    return _converted(store, run)


def _joints(layout: SkeletonLayout) -> tuple[object, ...]:
    """What an encoder depends on."""
    return layout.joints, layout.parents, layout.channels


def _converted(store: Store, run: Run) -> Store:
    """The store in the joints of a run, kept in the run's folder."""
    path = run.path / "converted" / f"{store.dataset}-{store.hash[:16]}.store"
    if path.exists():
        return Store.open(path)
    path.parent.mkdir(exist_ok=True)
    return convert_store(store, path, run.layout, drop_depth=run.layout.dims < store.layout.dims)


def _load(file: Path, clips: int) -> Floats | None:
    try:
        features: Floats = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return features if len(features) == clips else None
