"""Recognition across data sets: labels of a source set, test clips of a target set."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
from attrs import define, evolve, field, fields, validators
from numpy.typing import NDArray

from skel_data import Store, get_split, match_classes
from skel_eval import (
    HANDMADE,
    KNN,
    FeatureSet,
    LinearProbe,
    Metric,
    Outcome,
    RBFProbe,
    Result,
    confusion_matrix,
    evaluate_features,
    finetune,
    fuse,
    per_class_accuracy,
)
from skel_recipes.common.words import count
from skel_recipes.evaluate.adaptation import Adaptation
from skel_recipes.evaluate.baselines import accuracy_of, kept_baselines, result_of
from skel_recipes.evaluate.finetune import FineTune, augmented, keep_tuned
from skel_recipes.evaluate.handmade import LARGEST, handmade_features
from skel_recipes.evaluate.inputs import EvaluationInputs, Ints, Source
from skel_recipes.methods.context import MethodContext
from skel_recipes.run.clips import Floats

_FROZEN: dict[str, Any] = {"linear": LinearProbe, "knn": KNN, "rbf": RBFProbe}
_TASKS = {"cubism": ("temporal", "spatial")}
"""What is trained one by one, and fused."""
_USERS = {
    "pretext_weight": ("cubism", "temporal", "spatial"),
    "actions_of": ("cubism", "temporal", "spatial"),
    "segments": ("cubism", "temporal"),
    "mmd_weight": ("mmd",),
    "dann_weight": ("dann",),
}
"""What must be learned for a setting to do anything."""


@define(frozen=True, eq=False)
class Labelled:
    """The labelled clips of the source.

    Attributes:
        inputs: The encoders with the source's recordings.
        rows: Rows of the clips whose class the target shares, (L,).
        labels: Their classes, as the target numbers them, (L,).
        pairs: Class of the target for each class of the source that is learned.
    """

    inputs: EvaluationInputs
    rows: Ints
    labels: Ints
    pairs: dict[str, str]


@define(frozen=True)
class CrossDataset(FineTune):
    """Recognition across data sets: labels of a source set only, tested on another set.

    A class map says which classes are the same. Joints are converted by their names. The last epoch counts,
    and nothing is chosen on the target's labels.

    Attributes:
        source: Store of the labelled source recordings.
        class_map: A class map by name, or a .toml file of yours; by default the packaged map of the two data
            sets, or else the classes with the same name.
        source_split: Split of the source whose training part has the labels; all: every clip of the source.
        learn: linear, knn, rbf: a classifier on frozen features. source: the encoder is trained with the
            source's labels alone. cubism: also TS-Cubism's pretext on clips of both sets, those of the
            target's training part without labels; orders of segments and exchanged limbs have a network
            each, which are fused. temporal, spatial: one of the two. mmd: the maximum mean discrepancy
            between features of both sets is minimised. dann: domain-adversarial training; the encoder learns
            features from which a classifier cannot tell the set.
        pretext_weight: Weight of the pretext.
        mmd_weight: Weight of the maximum mean discrepancy.
        dann_weight: Weight of the reversed gradient at the end of training; it rises from 0.
        actions_of: Which source clips actions are learned from: permuted ones, as in TS-Cubism's
            program; or both these and the clips as they are, as in that of Recover-and-Resample.
        segments: How many segments of a clip the temporal pretext permutes.
    """

    convert: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    source: Path | None = None
    class_map: str = ""
    source_split: str = "all"
    learn: Literal["linear", "knn", "rbf", "source", "cubism", "temporal", "spatial", "mmd", "dann"] = (
        "linear"
    )
    pretext_weight: float = field(default=0.1, validator=validators.ge(0))
    mmd_weight: float = field(default=1.0, validator=validators.ge(0))
    dann_weight: float = field(default=1.0, validator=validators.ge(0))
    actions_of: Literal["permuted", "both"] = "permuted"
    segments: int = field(default=3, validator=[validators.ge(2), validators.le(6)])

    @property
    def title(self) -> str:
        """What the protocol is called with its settings."""
        named = f", {Path(self.class_map).stem}" if self.class_map else ""
        return f"{self.learn} from {Path(self.source or '').stem}{named}"

    def narrowed(self, inputs: EvaluationInputs) -> EvaluationInputs:
        """The inputs with test clips of the shared classes alone; no clip of the target is for training.

        Raises:
            FileNotFoundError: If there is no such store or class map.
            ValueError: If no source is given, it is the target, a class is missing, no test clip is left, or
                a setting does not go with what learns.
        """
        self._check()
        source, target = self._store(), inputs.store
        if source.hash == target.hash:
            raise ValueError(f"{source.path} is both source and target")
        numbers = match_classes(source, target, self.class_map).numbers(source, target)
        test = inputs.split.test[np.isin(target.labels[inputs.split.test], numbers[numbers >= 0])]
        if not len(test):
            raise ValueError(
                f"split {inputs.split.name!r} of {target.path} has no test clip of a class that "
                f"{source.path} has"
            )
        none = np.empty(0, np.int64)
        return evolve(inputs, split=evolve(inputs.split, train=none, test=test))

    def __call__(self, inputs: EvaluationInputs, name: str) -> tuple[Outcome, tuple[Result, ...]]:
        """Learn from the source, test on the target; the same from the untrained encoder.

        Args:
            inputs: As `narrowed` gives them.
            name: Name of the protocol.

        Raises:
            FileExistsError: If the folder to keep the encoder in is there and not empty.
            ValueError: If the source has fewer than two classes to learn.
        """
        self.check_keep()
        source = self._labelled(inputs)

        def measure(of: Source) -> Outcome:
            if self.learn in _FROZEN or of in HANDMADE:
                return self._frozen(inputs, source, of)
            return self._tuned(inputs, source, trained=of == "trained")

        outcome = measure("trained")
        baselines = kept_baselines(
            inputs,
            name,
            self,
            measure,
            settings=repr(evolve(self, source=None, class_map="")),  # what they give counts, not their names
            source=[source.inputs.store.hash, source.rows.tolist(), source.labels.tolist()],
            test=inputs.split.test.tolist(),
        )
        most = np.full(len(inputs.split.test), np.bincount(source.labels).argmax())
        chance = Outcome(_metrics(inputs, most[None]), predictions=most)
        baselines += (result_of(inputs, "chance", "most frequent class", chance),)
        return self._told(inputs, source, outcome), baselines

    def _check(self) -> None:
        if self.learn in _FROZEN:
            own = {one.name: one.default for one in fields(FineTune) if one.name != "progress"}
            given = [key for key, default in own.items() if getattr(self, key) != default]
            if given:
                raise ValueError(
                    f"learn {self.learn} leaves the encoder as it is: it takes no {', '.join(given)}"
                )
        elif self.learn != "source" and self.settings.label_smoothing:
            raise ValueError(f"label_smoothing goes with learn source, got it with {self.learn}")
        own = {one.name: one.default for one in fields(CrossDataset)}
        for name, users in _USERS.items():
            if self.learn not in users and getattr(self, name) != own[name]:
                raise ValueError(f"{name} goes with learn {' or '.join(users)}, got it with {self.learn}")

    def _store(self) -> Store:
        if self.source is None:
            raise ValueError("recognition across data sets needs a source: --source STORE")
        return Store.open(self.source)

    def _labelled(self, inputs: EvaluationInputs) -> Labelled:
        store = self._store()
        found = match_classes(store, inputs.store, self.class_map)
        numbers = found.numbers(store, inputs.store)
        opened = EvaluationInputs.of(
            inputs.encoders,
            store,
            split=self.source_split,
            device=str(inputs.device),
            convert=True,
            needs_labels=False,
        )
        train = opened.split.train
        labels = opened.store.labels[train]
        labels = np.where(labels >= 0, numbers[labels], -1)
        kept = labels >= 0
        if len(np.unique(labels[kept])) < 2:
            raise ValueError(
                f"split {opened.split.name!r} of {store.path} has {count(int(kept.sum()), 'labelled clip')} "
                f"of {count(len(np.unique(labels[kept])), 'class')} that both have; learning needs two"
            )
        return Labelled(opened, train[kept], labels[kept], dict(found.pairs))

    def _frozen(self, inputs: EvaluationInputs, source: Labelled, of: str) -> Outcome:
        """A classifier of frozen or hand-made features."""
        train, test = source.rows, inputs.split.test
        learned, tested = np.arange(len(train)), len(train) + np.arange(len(test))
        known = np.isin(source.inputs.split.train, train)
        groups = np.concatenate([source.inputs.groups[known], np.full(len(test), -1)])

        def joined(first: Floats, second: Floats) -> FeatureSet:
            labels = np.concatenate([source.labels, inputs.store.labels[test]])
            return FeatureSet(np.concatenate([first, second]), labels, learned, tested, groups=groups)

        if of in HANDMADE:
            width, layout = LARGEST // (len(train) + len(test)), inputs.store.layout
            parts = (source.inputs.clips[train], inputs.clips[test])
            sets = [joined(*(handmade_features(of, part, layout, width) for part in parts))]
        else:
            sets = [
                joined(
                    source.inputs.features(encoder, trained=of == "trained")[train],
                    inputs.features(encoder, trained=of == "trained")[test],
                )
                for encoder in inputs.encoders
            ]
        protocol = _FROZEN[self.learn if self.learn in _FROZEN else "linear"]()
        weights = inputs.weights if len(sets) > 1 else None
        found = evaluate_features(sets, protocol, weights=weights, device=str(inputs.device))
        predictions = cast("NDArray[Any]", found.predictions)
        return evolve(found, metrics=_metrics(inputs, predictions[None]))

    def _tuned(self, inputs: EvaluationInputs, source: Labelled, *, trained: bool) -> Outcome:
        """The encoder trained, with as many seeds as there are repeats."""
        tasks = _TASKS.get(self.learn, (self.learn,))
        seeds = range(self.settings.seed, self.settings.seed + self.repeats)
        networks = self.repeats * len(tasks) * len(inputs.encoders)
        with self._epochs(networks, trained=trained) as progress:
            logits = np.stack(
                [
                    [self._fit(inputs, source, task, seed, progress, trained=trained) for task in tasks]
                    for seed in seeds
                ]
            )  # (repeats, tasks, N, classes)
        fused = logits.sum(1)
        predictions = fused.argmax(2)
        alone = {}
        if len(tasks) > 1:
            each = logits.argmax(3).swapaxes(0, 1)
            alone = {task: accuracy_of(inputs, one).value for task, one in zip(tasks, each, strict=True)}
        details = {"accuracy_of_tasks": alone} if alone else {}
        return Outcome(
            _metrics(inputs, predictions), self._described(), predictions, fused[0], details=details
        )

    def _fit(
        self,
        inputs: EvaluationInputs,
        source: Labelled,
        task: str,
        seed: int,
        progress: Callable[[int], object],
        *,
        trained: bool,
    ) -> NDArray[Any]:
        """Fused logits of the test clips, of all encoders trained with a seed."""
        test, truth = inputs.split.test, inputs.store.labels[inputs.split.test]
        settings, found = evolve(self.settings, seed=seed), []
        raw = self.view is not None or task != "source"
        for encoder in inputs.encoders:
            if raw and encoder.stream == "distance":
                raise ValueError(f"learn {self.learn} with views takes no stream distance")
            context = MethodContext(encoder.run.shape, encoder.stream, len(source.rows))
            module = self._prepared(encoder.run.encoder(encoder.stream, trained=trained))
            objective = None
            if task != "source":
                rows = get_split(inputs.store, inputs.split.name).train
                width = cast("Any", module).feature_dim
                target = inputs.joint_clips_of(encoder)
                objective = Adaptation(self, task, context, target, rows, width, seed)
            result = finetune(
                module,
                np.array(source.inputs.joint_clips_of(encoder)[source.rows])
                if raw
                else source.inputs.clips_of(encoder, source.rows),
                source.labels,
                inputs.clips_of(encoder, test),
                truth,
                settings=settings,
                augment=partial(augmented, context, self.view) if task == "source" and self.view else None,
                parameter_groups=None if self.layer_decay == 1 else self._groups,
                objective=objective,
                device=inputs.device,
                progress=progress,
            )
            found.append(result.logits)
            if self.keep is not None and trained and seed == self.settings.seed:
                keep_tuned(result, encoder, inputs, self.keep / task if self.learn in _TASKS else self.keep)
        return fuse(found, inputs.weights)

    def _told(self, inputs: EvaluationInputs, source: Labelled, outcome: Outcome) -> Outcome:
        """The outcome with what was learned from, and what was tested."""
        given, target = source.inputs.store, inputs.store
        used = [target.classes[number] for number in np.unique(source.labels)]
        tested = np.unique(target.labels[inputs.split.test])
        taught = f"{count(len(source.rows), 'clip')} of {count(len(used), 'class')}, {', '.join(used)}"
        notes = [f"learned from {given.dataset}: {taught}"]
        lost = [target.classes[number] for number in tested if target.classes[number] not in used]
        if lost:
            notes.append(f"no clip teaches {', '.join(lost)}, which test clips have")
        same = int(np.isin(target.digests[inputs.split.test], given.digests[source.rows]).sum())
        if same:
            notes.append(
                f"{count(same, 'test clip')} of the target are copies of clips that were learned from"
            )
        adapted = 0
        if self.learn not in (*_FROZEN, "source"):
            adapted = len(get_split(target, inputs.split.name).train)
            notes.append(f"{count(adapted, 'clip')} of the target helped without labels")
        alone = outcome.details.get("accuracy_of_tasks", {})
        notes += [f"{task} alone: {100 * value:.1f} %" for task, value in alone.items()]
        settings = {
            **outcome.settings,
            "source": given.dataset,
            "source_store": self._store().hash,
            "source_split": source.inputs.split.name,
            "class_map": source.pairs,
            "learn": self.learn,
        }
        counts = {"train": len(source.rows), "unlabelled": adapted}
        return evolve(outcome, settings=settings, details={**outcome.details, "notes": notes}, counts=counts)

    def _described(self) -> dict[str, Any]:
        return {**super()._described(), "source": "", "class_map": {}}


def _metrics(inputs: EvaluationInputs, predictions: Ints) -> dict[str, Metric]:
    """Metrics of predictions (repeats, N_test) of the target's classes."""
    truth = inputs.store.labels[inputs.split.test]
    rates = [
        np.nanmean(per_class_accuracy(confusion_matrix(truth, one))[np.unique(truth)]) for one in predictions
    ]
    return {
        "accuracy": accuracy_of(inputs, predictions),
        "mean_class_accuracy": Metric(float(np.mean(rates))),
    }
