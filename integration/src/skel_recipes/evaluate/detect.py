"""Detection on untrimmed recordings: a classifier with a background class on windows of frozen features."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, ClassVar

import numpy as np
from attrs import asdict, define, evolve, field, validators

from skel_data import get_split
from skel_eval import (
    Extraction,
    Metric,
    Outcome,
    Result,
    between_centres,
    detection_map,
    detections,
    edit_score,
    frame_accuracy,
    frame_labels,
    label_frames,
    segmental_f1,
    segments_of,
    smooth,
    stretch,
    window_probabilities,
)
from skel_recipes.evaluate.baselines import kept_baselines, result_of
from skel_recipes.evaluate.inputs import EvaluationInputs, Ints, Source
from skel_recipes.evaluate.windows import WIDEST, CentredWindows

OVERLAPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""Overlaps of mean average precision."""
F1_OVERLAPS = (0.1, 0.25, 0.5)
MAIN = 0.5
_LABEL_THRESHOLDS = (0.5, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8)
_DETECTION_THRESHOLDS = (0.3, 0.02, 0.05, 0.1, 0.2, 0.4, 0.5)

Arrays = list[np.ndarray]


@define(frozen=True)
class Detection:
    """Detection on untrimmed recordings: a linear classifier of windows, with a background class.

    The encoder is frozen. A window has the class of its centre frame. The class probabilities of frames are
    filtered and cut into segments. Filter and thresholds are chosen on training recordings that the
    classifier has not seen.

    Attributes:
        window: Frames of a window; 0: the median length of an action in the training recordings.
        step: Frames from one window to the next; 0: an eighth of the window.
    """

    needs_labels: ClassVar[bool] = False
    window: int = field(default=0, validator=validators.ge(0))
    step: int = field(default=0, validator=validators.ge(0))

    @property
    def title(self) -> str:
        """Such as "detect", or "detect, window 64, step 8"."""
        given = [f"{name} {value}" for name, value in asdict(self).items() if value]
        return ", ".join(["detect", *given])

    def narrowed(self, inputs: EvaluationInputs) -> EvaluationInputs:
        """The inputs with the untrimmed recordings alone, also those that were annotated without an action.

        Raises:
            ValueError: If fewer than two of them train, or none tests, that have actions.
        """
        store = inputs.store
        if not len(store.all_intervals):
            raise ValueError(
                f"{store.path} has no untrimmed recordings: skel data import with --untrimmed keeps them "
                "whole, skel data join makes them of clips"
            )
        split, whole = get_split(store, inputs.split.name), store.annotated & (store.labels < 0)
        split = evolve(split, train=split.train[whole[split.train]], test=split.test[whole[split.test]])
        train, test = (
            int(np.isin(rows, store.all_intervals[:, 0]).sum()) for rows in (split.train, split.test)
        )
        if train < 2 or not test:
            raise ValueError(
                f"split {split.name!r} of {store.path} has {train} training and {test} test recordings with "
                "actions; detection needs 2 and 1 of them"
            )
        return evolve(inputs, split=split)

    def __call__(self, inputs: EvaluationInputs, name: str) -> tuple[Outcome, tuple[Result, ...]]:
        """Metrics of encoders and baselines; the main one is the mAP over actions at overlap 0.5."""
        task = _Task.of(inputs, self)
        others = {"chance": task.most_frequent(), "annotation of a training recording": task.annotations()}
        return task.measure("trained"), (
            *kept_baselines(inputs, name, self, task.measure, widest=WIDEST),
            *(result_of(inputs, model, name, one, title=self.title) for model, one in others.items()),
        )


@define(frozen=True, eq=False, kw_only=True)
class _Task:
    """Untrimmed recordings with their actions, and windows over them."""

    inputs: EvaluationInputs
    train: Ints
    test: Ints
    groups: Ints
    windows: CentredWindows
    step: int

    @classmethod
    def of(cls, inputs: EvaluationInputs, settings: Detection) -> "_Task":
        store, train, test = inputs.store, inputs.split.train, inputs.split.test
        groups = inputs.groups if len(np.unique(inputs.groups)) > 1 else train
        own = store.all_intervals[np.isin(store.all_intervals[:, 0], train)]
        length = settings.window or max(2, round(float(np.median(own[:, 3] - own[:, 2]))))
        step = settings.step or max(1, length // 8)
        windows = CentredWindows.of(inputs, np.concatenate([train, test]), length, step)
        return cls(inputs=inputs, train=train, test=test, groups=groups, windows=windows, step=step)

    def measure(self, source: Source) -> Outcome:
        """Metrics on the test recordings."""
        held, probabilities, strengths = self._probabilities(source)
        truth, actions = self.truth(self.train)
        length = self.windows.length
        widths = sorted({1, *(2 * (length // part // 2) + 1 for part in (4, 2, 1))})
        by_width = {width: [smooth(one, width) for one in held] for width in widths}

        def grid(thresholds: Iterable[float]) -> Iterable[Extraction]:
            shortest = sorted({1, max(1, length // 4), max(1, length // 2)})
            return (Extraction(*one) for one in product(widths, shortest, thresholds))

        def f1(how: Extraction) -> float:
            labels = [label_frames(one, how) for one in by_width[how.smoothing]]
            return float(np.mean([segmental_f1(labels, truth, overlap) for overlap in F1_OVERLAPS]))

        def precision(how: Extraction) -> float:
            found, scores = _detected(by_width[how.smoothing], how)
            return detection_map(found, scores, actions, MAIN)[0]

        of_labels = max(grid(_LABEL_THRESHOLDS), key=f1)
        of_detections = max(grid(_DETECTION_THRESHOLDS), key=precision)
        labels = [label_frames(smooth(one, of_labels.smoothing), of_labels) for one in probabilities]
        filtered = [smooth(one, of_detections.smoothing) for one in probabilities]
        found, scores = _detected(filtered, of_detections)
        metrics = self._metrics(labels, found, scores)
        settings = {
            "window": length,
            "step": self.step,
            "regularisation": strengths,
            "labels": asdict(of_labels),
            "detections": asdict(of_detections),
            "held_out": {"F1": f1(of_labels), f"mAP_action@{MAIN:g}": precision(of_detections)},
        }
        recordings = [
            {
                "name": str(self.inputs.store.names[row]),
                "frames": len(one),
                "true": self.inputs.store.intervals(int(row)).tolist(),
                "predicted": segments_of(one).tolist(),
            }
            for row, one in zip(self.test.tolist(), labels, strict=True)
        ]
        details: dict[str, Any] = {"notes": _notes(metrics, length), "recordings": recordings}
        details["classes"] = list(self.inputs.store.classes)
        counts = {"train": len(self.train), "test": len(self.test), "windows": len(self.windows.clips)}
        return Outcome(metrics, settings, details=details, counts=counts)

    def _probabilities(self, source: Source) -> tuple[Arrays, Arrays, list[float]]:
        """Of frames of the training recordings, held out, and of the test recordings; and the strengths."""
        windows, store = self.windows, self.inputs.store
        first = np.isin(windows.clips, self.train)
        truth = dict(zip(self.train.tolist(), self.truth(self.train)[0], strict=True))
        pairs = zip(windows.clips[first].tolist(), windows.centres[first].tolist(), strict=True)
        labels = np.array([truth[row][centre] for row, centre in pairs])
        groups = self.groups[np.searchsorted(self.train, windows.clips[first])]
        features = windows.features(source)
        weights = self.inputs.weights if source in ("trained", "untrained") else [1.0]
        sums: list[Any] = [0.0, 0.0]
        strengths = []
        for x, weight in zip(features, weights, strict=True):
            *found, strength = window_probabilities(
                x[first],
                labels,
                groups,
                x[~first],
                classes=len(store.classes),
                device=self.inputs.device,
            )
            sums = [total + weight / sum(weights) * one for total, one in zip(sums, found, strict=True)]
            strengths.append(strength)
        centres = windows.centres[first], windows.centres[~first]
        rows = windows.clips[first], windows.clips[~first]
        held, tested = (
            [
                between_centres(sums[k][rows[k] == row], centres[k][rows[k] == row], int(store.lengths[row]))
                for row in part.tolist()
            ]
            for k, part in enumerate((self.train, self.test))
        )
        return held, tested, strengths

    def truth(self, rows: Ints) -> tuple[Arrays, Arrays]:
        """Class of each frame of recordings, -1 is background, and their actions."""
        store = self.inputs.store
        actions = [store.intervals(row) for row in rows.tolist()]
        lengths = store.lengths[rows].tolist()
        return [frame_labels(one, frames) for one, frames in zip(actions, lengths, strict=True)], actions

    def most_frequent(self) -> Outcome:
        """The most frequent class of training frames, background or not, everywhere."""
        classes, counts = np.unique(np.concatenate(self.truth(self.train)[0]), return_counts=True)
        most = int(classes[counts.argmax()])
        labels = [np.full(len(one), most) for one in self.truth(self.test)[0]]
        found = [segments_of(one) for one in labels]
        return Outcome(self._metrics(labels, found, [np.ones(len(one)) for one in found]))

    def annotations(self) -> Outcome:
        """The actions of a training recording, stretched to each test recording; mean over all of them."""
        lengths, every = self.inputs.store.lengths, []
        for row in self.train.tolist():
            own = self.inputs.store.intervals(row)
            found = [stretch(own, int(lengths[row]), int(lengths[test])) for test in self.test]
            labels = [
                frame_labels(one, int(lengths[test])) for one, test in zip(found, self.test, strict=True)
            ]
            every.append(self._metrics(labels, found, [np.ones(len(one)) for one in found]))
        means = {name: Metric(float(np.mean([one[name].value for one in every]))) for name in every[0]}
        return Outcome(means)

    def _metrics(self, labels: Arrays, found: Sequence[Any], scores: Sequence[Any]) -> dict[str, Metric]:
        truth, actions = self.truth(self.test)
        by_overlap = {overlap: detection_map(found, scores, actions, overlap) for overlap in OVERLAPS}
        order = (MAIN, *(overlap for overlap in OVERLAPS if overlap != MAIN))
        values = {
            f"mAP_{kind}@{overlap:g}": by_overlap[overlap][place]
            for place, kind in enumerate(("action", "video"))
            for overlap in order
        }
        values |= {f"F1@{100 * overlap:g}": segmental_f1(labels, truth, overlap) for overlap in F1_OVERLAPS}
        values |= {"edit": edit_score(labels, truth), "frame_accuracy": frame_accuracy(labels, truth)}
        return {name: Metric(value) for name, value in values.items()}


def _detected(filtered: Arrays, how: Extraction) -> tuple[Arrays, Arrays]:
    pairs = [detections(one, how) for one in filtered]
    return [found for found, _ in pairs], [scores for _, scores in pairs]


def _notes(metrics: dict[str, Metric], length: int) -> list[str]:
    """The other metrics, and what to compare them with, in sentences."""

    def said(names: Iterable[str]) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {100 * metrics[name].value:.1f} %" for name in names)

    compared = "not to be compared with numbers of systems that train the whole network on frames"
    return [
        said(
            [f"mAP_video@{MAIN:g}", *(f"F1@{100 * one:g}" for one in F1_OVERLAPS), "edit", "frame_accuracy"]
        ),
        f"a linear classifier on frozen windows of {length} frames: {compared}",
    ]
