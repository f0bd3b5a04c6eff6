"""Inputs of an evaluation: encoders of runs, the clips of a store, and their split."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from itertools import chain
from typing import Any, Literal, cast

import numpy as np
import torch
from attrs import define, evolve, field
from numpy.typing import NDArray
from torch import nn

from skel_data import (
    Split,
    Store,
    get_split,
    holdout_groups,
    pool_digests,
    without_copies,
)
from skel_data import stream as take_stream
from skel_eval import HANDMADE, FeatureSet, Outcome, Predictions, Result, side_by_side, state_digest
from skel_recipes.common.device import pick_device
from skel_recipes.common.words import count
from skel_recipes.evaluate.handmade import LARGEST, handmade_features
from skel_recipes.evaluate.kept import features_key, kept_features, kept_result, key_digest, pipeline_key
from skel_recipes.run.clips import Floats, clips_of_store, masked_clips
from skel_recipes.run.embedding import embed_array, embed_masked
from skel_recipes.run.joints import in_joints_of, joints_of, units_of
from skel_recipes.run.run import PACKAGES, Run

Ints = NDArray[np.int64]
Source = Literal["trained", "untrained", "coordinates", "distances"]
"""What features are of: a trained encoder, the untrained one, or hand-made ones."""


@define(frozen=True)
class EncoderRef:
    """An encoder that is evaluated: the one of a run's stream.

    Attributes:
        run: The run.
        stream: The stream.
        weight: Weight in a late fusion.
    """

    run: Run
    stream: str
    weight: float = field(default=1.0)


@define(frozen=True, eq=False, slots=False)
class EvaluationInputs:
    """Inputs of an evaluation protocol: encoders, clips and a split that go together.

    Attributes:
        encoders: The encoders; several are fused.
        store: The recordings, in the joints of the encoders.
        split: Its training clips all have a label, but where no label is needed and none is there.
        device: Where to compute.
        converted: Whether the recordings had other joints.
        tag: The user's word for what tells results apart.
        handmade: Hand-made features that are fused with the encoders, each with its weight.
        joint_head: Whether one head is trained on the features of all of them.
        views: How many masked views of each clip have features, too.
    """

    encoders: tuple[EncoderRef, ...]
    store: Store
    split: Split
    device: torch.device
    converted: bool = False
    tag: str = ""
    handmade: tuple[tuple[str, float], ...] = ()
    joint_head: bool = False
    views: int = 0

    @classmethod
    def of(
        cls,
        encoders: Sequence[EncoderRef],
        store: Store,
        *,
        split: str | None = None,
        device: str = "auto",
        convert: bool = False,
        tag: str = "",
        handmade: Sequence[tuple[str, float]] = (),
        joint_head: bool = False,
        views: int = 0,
        needs_labels: bool = True,
    ) -> "EvaluationInputs":
        """Check that encoders, recordings and split go together.

        Args:
            encoders: The encoders.
            store: The recordings.
            split: The split; by default the one that was pretrained on if it tests, or the store's default.
            device: Where to compute.
            convert: Convert recordings with other joints to those of the runs, by the names of the joints.
            tag: What tells results from others of the same protocol.
            handmade: Hand-made features that are fused with the encoders, each with its weight.
            joint_head: Whether one head is trained on the features of all of them.
            views: How many masked views of each clip have features, too.
            needs_labels: Whether training clips with a label and test clips must be there.

        Raises:
            ValueError: If the joints differ, the split has no labelled clips, the tag is not one word, or
                there are no such hand-made features.
        """
        names = [name for name, _ in handmade]
        if len(set(names)) < len(names) or not set(names) <= set(HANDMADE):
            raise ValueError(
                f"hand-made features are {', '.join(HANDMADE)}, each once, got {', '.join(names)}"
            )
        if not re.fullmatch(r"[\w.+-]*", tag):
            raise ValueError(f"a tag has letters, digits and . + - _ only, got {tag!r}")
        units = {units_of(encoder.run) for encoder in encoders} - {"unknown"}
        if len(units) > 1:
            raise ValueError(f"the runs were trained in {' and '.join(sorted(units))} and cannot be fused")
        first, given = encoders[0].run, store
        for encoder in encoders:
            if joints_of(encoder.run.layout) != joints_of(first.layout):
                raise ValueError(
                    f"{first.path} and {encoder.run.path} have different joints and cannot be fused"
                )
            store = in_joints_of(encoder.run, store, convert=convert)
        same = store.hash == first.info["store"]["hash"]
        chosen = get_split(store, split or (first.info["split"] if same else None))
        if not split and not len(chosen.test):  # pretrained on every clip
            chosen = get_split(store)
        train, test = (rows[store.labels[rows] >= 0] for rows in (chosen.train, chosen.test))
        if needs_labels and not (len(train) and len(test)):
            raise ValueError(
                f"split {chosen.name!r} of {store.path} has {count(len(train), 'labelled training clip')} "
                f"and {count(len(test), 'labelled test clip')}; an evaluation needs some of both"
            )
        store.check()
        converted, where = joints_of(store.layout) != joints_of(given.layout), pick_device(device)
        train = train if len(train) else chosen.train
        chosen = evolve(chosen, train=train, test=test if needs_labels else chosen.test)
        fused = tuple(handmade)
        return cls(tuple(encoders), store, chosen, where, converted, tag, fused, joint_head, views)

    @property
    def used(self) -> str:
        """What part of the recordings is used, in a line."""
        split, total = self.split, len(self.store)
        labelled = int(self.store.annotated[split.train].sum())
        words = f"{self.store.path}, split {split.name}: {count(total, 'clip')}, "
        if not len(split.train):
            return words + count(len(split.test), "test clip")
        words += f"{count(len(split.train), 'training clip')}" + f" ({labelled} with a label), "
        words += count(len(split.test), "test clip")
        left = total - len(split.train) - len(split.test)
        return words + (f", {left} in neither part or without a label" if left else "")

    @property
    def run(self) -> Run:
        """The first run: its folder takes the results."""
        return self.encoders[0].run

    @property
    def weights(self) -> list[float]:
        """Weight of each encoder, then of the hand-made features that are fused with them."""
        return [*(encoder.weight for encoder in self.encoders), *(weight for _, weight in self.handmade)]

    @cached_property
    def groups(self) -> Ints:
        """Group of each training clip, for what is chosen on training clips."""
        return holdout_groups(self.store, self.split.train, self.split.test)

    @cached_property
    def copies(self) -> Ints:
        """Test clips that are exact copies of a training clip."""
        return np.setdiff1d(self.split.test, without_copies(self.store, self.split))

    @cached_property
    def seen_in_pretraining(self) -> int | None:
        """Number of test clips that a pretraining has seen, without their labels.

        A pretraining has seen what those before it have whose weights it began with. In another store than
        that of the pretraining clips are known by their content. None if it is unknown: the store of a
        pretraining is not in its place or not told, or the recordings were brought to other joints, or either
        store has untrimmed recordings, of which the other may have parts.
        """
        seen = self._pretrained_on
        return None if seen is None else int(seen[self.split.test].sum())

    def pretrained_on_classes(self, names: Iterable[str]) -> int | None:
        """Number of clips of these classes that a pretraining has seen, without labels; None if unknown."""
        seen, classes = self._pretrained_on, list(self.store.classes)
        numbers = [classes.index(name) for name in set(names) if name in classes]
        return None if seen is None else int(seen[np.isin(self.store.labels, numbers)].sum())

    @cached_property
    def _pretrained_on(self) -> NDArray[np.bool_] | None:
        """Which clips of the store a pretraining has seen, (N,)."""
        seen = np.zeros(len(self.store), dtype=bool)
        runs = {encoder.run.path: encoder.run for encoder in self.encoders}.values()
        for run in chain.from_iterable(map(_pretrainings, runs)):
            if run.info["store"]["hash"] == self.store.hash:
                seen[get_split(self.store, run.info["split"]).train] = True
                continue
            theirs = None if self.converted else run.store()
            if theirs is None or len(theirs.all_intervals) or len(self.store.all_intervals):
                return None
            digests = theirs.digests[get_split(theirs, run.info["split"]).train]
            seen |= np.isin(pool_digests(self.store, theirs.units), digests)
        return seen

    @cached_property
    def clips(self) -> Floats:
        """All clips (N, C, T, V, M) as the first encoder takes them, in the joint stream; read-only."""
        return clips_of_store(self.run, self.store)

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies a result on these inputs, but for the model and the protocol."""
        streams = [*(encoder.stream for encoder in self.encoders), *(name for name, _ in self.handmade)]
        return {
            "dataset": self.store.dataset,
            "split": self.split.name,
            "stream": "+".join(streams),
            "weights": tuple(self.weights) if len(self.weights) > 1 and not self.joint_head else (),
            "fusion": "joint" if len(self.weights) > 1 and self.joint_head else "",
            "tag": self.tag,
            "features": " + ".join(dict.fromkeys(one.run.features or "own" for one in self.encoders))
            if any(one.run.features for one in self.encoders)
            else "",
            "store": self.store.hash,
            "seed": self.run.recipe.train.seed,
        }

    def joint_clips_of(self, encoder: EncoderRef) -> Floats:
        """All clips (N, C, T, V, M) as this encoder takes them, in the joint stream; read-only."""
        return self.clips if encoder.run is self.run else clips_of_store(encoder.run, self.store)

    def clips_of(self, encoder: EncoderRef, rows: Ints | None = None) -> Floats:
        """Clips (N, C, T, V, M) in the stream of an encoder, of all rows or some."""
        clips = self.joint_clips_of(encoder)
        taken = clips if rows is None else clips[rows]
        return take_stream(taken, encoder.stream, self.store.layout)

    def features(self, encoder: EncoderRef, *, trained: bool = True, views: int = 0) -> Floats:
        """Features of all clips (N, D), or of masked views (N, views, D), from the run's folder if there."""
        run = encoder.run
        module = run.encoder(encoder.stream, trained=trained)
        # Encoders of two streams may have the same weights, or none.
        masked = ["masked", views] if views else []
        key = key_digest([encoder.stream, *pipeline_key(run), *features_key(run), *masked], size=4)
        name = f"{state_digest(module.state_dict())}-{key}-{self.store.hash[:16]}"
        width = int(cast("Any", module).feature_dim)
        found = kept_features(
            run.path / "features" / f"{name}.npy",
            f"{name} {self.store.hash}",
            (len(self.store), max(1, views) * width),
            lambda: self._embed(encoder, module, views),
        )
        return found.reshape(len(found), views, width) if views else found

    def _embed(self, encoder: EncoderRef, module: nn.Module, views: int) -> Floats:
        clips, layout = self.joint_clips_of(encoder), self.store.layout
        if views:
            return embed_masked(module, clips, self.device, views, stream=encoder.stream, layout=layout)
        return embed_array(module, clips, self.device, stream=encoder.stream, layout=layout)

    def feature_set(self, features: NDArray[Any], masked: NDArray[Any] | None = None) -> FeatureSet:
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
            masked=masked,
        )

    def feature_sets(self, *, trained: bool = True) -> list[FeatureSet]:
        """The features of each encoder, then the hand-made ones that are fused with them."""
        parts = self._parts(trained=trained)
        if not self.views:
            return [self.feature_set(part) for part in parts]
        masked = [self.features(encoder, trained=trained, views=self.views) for encoder in self.encoders]
        masked += [self._masked_handmade(name) for name, _ in self.handmade]
        return [self.feature_set(*pair) for pair in zip(parts, masked, strict=True)]

    def embed(self, source: Source = "trained") -> FeatureSet:
        """Features of all clips with labels and split; those that are fused side by side.

        Args:
            source: The encoders after pretraining, or "untrained" ones; or hand-made features: "coordinates",
                or "distances" between joints.
        """
        if source in HANDMADE:
            masked = self._masked_handmade(source) if self.views else None
            return self.feature_set(self.handmade_of(source, self.clips), masked)
        return self.feature_set(side_by_side(self._parts(trained=source == "trained"), self.weights))

    def handmade_of(self, name: str, clips: Floats) -> Floats:
        """Hand-made features (N, D) of clips as the first encoder takes them.

        D is the same for all clips of the store: those of the whole store, masked views too, have `LARGEST`
        numbers at most.
        """
        width = LARGEST // len(self.store) // (1 + self.views)
        return handmade_features(name, clips, self.store.layout, width)

    def _masked_handmade(self, name: str) -> Floats:
        """Those of masked views (N, views, D), resized to as many frames as the clips have."""
        each = []
        for view in range(self.views):
            chunks = masked_clips(self.clips, self.store.layout, view, frames=self.clips.shape[2])
            each.append(np.concatenate([self.handmade_of(name, chunk) for chunk in chunks]))
        return np.stack(each, 1)

    def _parts(self, *, trained: bool) -> list[Floats]:
        learned = [self.features(encoder, trained=trained) for encoder in self.encoders]
        return learned + [self.handmade_of(name, self.clips) for name, _ in self.handmade]

    def predictions_of(self, outcome: Outcome) -> Predictions | None:
        """Predicted classes of the test clips, with what a paired comparison needs."""
        if outcome.predictions is None:
            return None
        test = self.split.test
        return Predictions(
            test,
            self.store.labels[test],
            outcome.predictions,
            self.store.subjects[test],
            self.copies,
            outcome.logits,
        )

    def kept(self, what: Mapping[str, Any], compute: Callable[[], Result], *, of_run: bool) -> Result:
        """A baseline's result from the cache, or computed and kept there.

        Args:
            what: Everything that it depends on beside recordings, pipeline and split.
            compute: Computes it.
            of_run: Whether it depends on a run, as the untrained encoder does, and so is kept in the run's
                folder; others are kept beside the clips in the store's folder.
        """
        runs: list[Any] = []
        if of_run:
            for encoder in self.encoders:
                digest = state_digest(encoder.run.encoder(encoder.stream, trained=False).state_dict())
                own = [*pipeline_key(encoder.run), *features_key(encoder.run)]
                runs.append([digest, encoder.stream, encoder.weight, *own])
            runs += map(list, self.handmade)
        # another release may compute other numbers
        depends = [
            [version(name) for name in PACKAGES],
            self.store.hash,
            self.split.name,
            runs or pipeline_key(self.run),
            what,
        ]
        folder = self.run.path / "baselines" if of_run else self.store.path / "cache" / "baselines"
        file = folder / f"{key_digest(depends, size=8)}.json"
        return evolve(kept_result(file, compute), **self.identity)  # another run may have kept it


def _pretrainings(run: Run) -> list[Run]:
    """A run, and what ``run.json`` tells of those before it whose weights it began with."""
    found = [run]
    while init := found[-1].info.get("init"):
        untold = {"path": "", "hash": ""}  # by earlier versions
        found.append(evolve(run, info={"store": untold, **init}))
    return found


def encoder_refs(
    runs: Sequence[Run], *, stream: str | None = None, weights: Sequence[float] | None = None
) -> list[EncoderRef]:
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
    return [EncoderRef(run, name, weight) for (run, name), weight in zip(encoders, factors, strict=True)]
