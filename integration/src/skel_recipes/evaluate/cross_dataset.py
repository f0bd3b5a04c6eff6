"""Recognition across data sets: labels of a source set, test clips of a target set."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from attrs import define, evolve, field, fields, validators
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from skel_augment import View
from skel_data import Store, get_split, match_classes
from skel_eval import (
    HANDMADE,
    KNN,
    UNTRAINED,
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
from skel_recipes.evaluate.baselines import accuracy_of, result_of
from skel_recipes.evaluate.finetune import FineTune, augmented, keep_tuned
from skel_recipes.evaluate.handmade import LARGEST, handmade_features
from skel_recipes.evaluate.inputs import EvaluationInputs, Ints
from skel_recipes.methods.context import MethodContext
from skel_recipes.methods.cubism import Pretext, count_of, permutation, permuted
from skel_recipes.run.clips import Floats
from skel_ssl_objectives import cubism, mmd

_FROZEN: dict[str, Any] = {"linear": LinearProbe, "knn": KNN, "rbf": RBFProbe}
_TASKS = {"cubism": ("temporal", "spatial")}
"""What is trained one by one, and fused."""


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

    Classes are brought together by a class map. Joints are converted by their names. The last epoch counts,
    and nothing is chosen on the target's labels.

    Attributes:
        source: Store of the labelled source recordings.
        class_map: A class map by name, or a .toml file of yours; by default the packaged map of the two data
            sets, or else the classes of the same name.
        source_split: Whose training part has the labels; all: every clip of the source.
        learn: linear, knn, rbf: a classifier on frozen features. source: the encoder is trained with the
            source's labels alone. cubism: also TS-Cubism's pretext on clips of both sets, those of the
            target's training part without labels; orders of segments and exchanged limbs have a network
            each, which are fused. temporal, spatial: one of the two. mmd: features of both sets are drawn
            together by their maximum mean discrepancy.
        pretext_weight: Weight of the pretext.
        mmd_weight: Weight of the maximum mean discrepancy.
        actions_of: Which source clips actions are learned from: permuted ones, as in TS-Cubism's
            program; or both these and the clips as they are, as in that of Recover-and-Resample.
        segments: How many segments of a clip the temporal pretext permutes.
    """

    convert: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    source: Path | None = None
    class_map: str = ""
    source_split: str = "all"
    learn: Literal["linear", "knn", "rbf", "source", "cubism", "temporal", "spatial", "mmd"] = "linear"
    pretext_weight: float = field(default=0.1, validator=validators.ge(0))
    mmd_weight: float = field(default=1.0, validator=validators.ge(0))
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
        frozen = self.learn in _FROZEN
        what = {
            "protocol": name,
            "settings": repr(evolve(self, source=None, class_map="")),
            "source": [source.inputs.store.hash, source.rows.tolist(), source.labels.tolist()],
            "test": inputs.split.test.tolist(),
        }

        def untrained() -> Result:
            measured = (
                self._frozen(inputs, source, "untrained")
                if frozen
                else self._tuned(inputs, source, trained=False)
            )
            return result_of(inputs, UNTRAINED, name, measured, title=self.title)

        def simple(features: str) -> Result:
            return result_of(inputs, features, name, self._frozen(inputs, source, features), title=self.title)

        outcome = (
            self._frozen(inputs, source, "trained") if frozen else self._tuned(inputs, source, trained=True)
        )
        baselines = [inputs.kept({"model": UNTRAINED, **what}, untrained, of_run=True)]
        for features in HANDMADE:
            depends = {"model": features, "numbers": LARGEST, **what}
            baselines.append(inputs.kept(depends, partial(simple, features), of_run=False))
        most = np.full(len(inputs.split.test), np.bincount(source.labels).argmax())
        chance = Outcome(_metrics(inputs, most[None]), predictions=most)
        baselines.append(result_of(inputs, "chance", "most frequent class", chance))
        return self._told(inputs, source, outcome), tuple(baselines)

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
        logits = np.stack(
            [[self._fit(inputs, source, task, seed, trained=trained) for task in tasks] for seed in seeds]
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
        self, inputs: EvaluationInputs, source: Labelled, task: str, seed: int, *, trained: bool
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
                objective = Adaptation(self, task, context, inputs.clips, rows, width, seed)
            result = finetune(
                module,
                np.array(source.inputs.clips[source.rows])
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


class Adaptation(nn.Module):
    """What is minimised beside the labels of the source: a pretext, or MMD, on clips of both sets.

    Args:
        protocol: The settings.
        task: temporal, spatial or mmd.
        context: Of the encoder.
        clips: Clips of the target (N, C, T, V, M).
        rows: Those that help without labels; each step draws as many as it has labelled ones.
        width: Features of the encoder.
        seed: Of the initial weights of the classifier of permutations.
    """

    def __init__(
        self,
        protocol: CrossDataset,
        task: str,
        context: MethodContext,
        clips: Floats,
        rows: Ints,
        width: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.protocol, self.context, self.clips, self.rows = protocol, context, clips, rows
        self.view = protocol.view or View(())
        self.step = None
        if task != "mmd":
            self.step = permutation(cast("Pretext", task), protocol.segments)
            classes, settings = count_of(self.step, context), protocol.settings
            self.weight = nn.Parameter(torch.empty(classes, settings.hidden or width))
            self.bias = nn.Parameter(torch.zeros(classes))
            nn.init.normal_(self.weight, 0, settings.head_std, generator=Generator().manual_seed(seed))

    def forward(self, model: Any, clips: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        """The loss of labelled clips (N, C, T, V, M)."""
        drawn = self.rows[torch.randint(len(self.rows), (len(clips),), generator=generator).numpy()]
        other = torch.from_numpy(np.array(self.clips[drawn])).to(clips)
        both = torch.cat([clips, other])
        if self.step is None:
            source, target = model.features(augmented(self.context, self.view, both, generator)).chunk(2)
            entropy = functional.cross_entropy(model.head(source), labels)
            return entropy + self.protocol.mmd_weight * mmd(source, target)
        seen, orders = permuted(self.context, both, self.view, self.step, generator)
        if self.protocol.actions_of == "both":
            seen = torch.cat([seen, augmented(self.context, self.view, clips, generator)])
            labels = labels.repeat(2)
        features = model.features(seen)
        taught = torch.cat([features[: len(clips)], features[len(both) :]])
        terms = cubism(
            functional.linear(features[: len(both)], self.weight, self.bias),
            orders,
            model.head(taught),
            labels,
            order_weight=self.protocol.pretext_weight,
        )
        return terms["action"] + terms["order"]


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
