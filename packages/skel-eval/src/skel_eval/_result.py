"""Result: the metrics of one protocol, with everything that says what they are the metrics of."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from attrs import asdict, define, evolve, field, fields

from skel_eval._files import write_atomically

_VERSION = 2
UNTRAINED = "untrained encoder"
"""Name of the baseline that is the same encoder before training."""
HANDMADE = ("coordinates", "distances")
"""Names of the simple baselines: hand-made features under the head of the result."""
_CLASSES_OF = "classes of "


@define(frozen=True)
class Metric:
    """A metric, such as an accuracy between 0 and 1.

    Attributes:
        value: On all test clips.
        distinct: On the test clips that are no copy of a training clip; None without copies.
        std: Standard deviation over repeats of the protocol, such as other labelled clips; None for one.
    """

    value: float
    distinct: float | None = None
    std: float | None = None


@define(frozen=True, eq=False)
class Predictions:
    """Predicted class of each test clip: what a paired comparison with another result needs.

    Attributes:
        clips: Row of each test clip in the store, (N,).
        labels: Its class, (N,); negative means unlabelled.
        classes: Its predicted class, (N,); of several repeats (repeats, N).
        groups: Its group, such as the subject, (N,), or None.
        copies: Those of the clips that are copies of a training clip.
        logits: (N, classes) of the first repeat, or None.
    """

    clips: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    classes: np.ndarray = field(repr=False)
    groups: np.ndarray | None = field(default=None, repr=False)
    copies: np.ndarray = field(factory=lambda: np.empty(0, np.int64), repr=False)
    logits: np.ndarray | None = field(default=None, repr=False)

    def distinct(self) -> "Predictions":
        """Those of the test clips that are no copy of a training clip."""
        kept = ~np.isin(self.clips, self.copies)
        return Predictions(
            self.clips[kept],
            self.labels[kept],
            self.classes[..., kept],
            None if self.groups is None else self.groups[kept],
            logits=None if self.logits is None else self.logits[kept],
        )


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """So that a result is equal to itself from its file."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return plain


@define(frozen=True)
class Result:
    """Result of an evaluation protocol.

    As files it is ``NAME.json``, and beside it ``NAME.npz`` with the predictions. The name is for people:
    everything that identifies a result is in it.

    Attributes:
        model: What was evaluated: the name of a recipe, of several joined by " + "; or of a baseline.
        protocol: Name of the protocol, such as ``knn``.
        dataset: Name of the data set.
        split: Name of the split.
        metrics: Metrics by name; the first one is the main one.
        variant: What the protocol is called with its settings, such as "5-NN"; empty for the protocol's name.
        stream: Such as ``joint``; of a late fusion ``joint+motion+bone``.
        weights: Weights of a late fusion; empty for one stream.
        fusion: "joint" if one head was trained on the features of several streams; empty otherwise.
        tag: The user's word for what else tells this result apart.
        positives: What the pretraining drew second views of, if not of the clip itself, such as
            ``performance``: recordings were paired by their names, which may contain the class, so that the
            result answers another question than one without.
        features: Which frozen features of the encoder, if not its own, such as "last 2 layers, 4 bins".
        store: Hash of the recordings.
        seed: Seed of the pretraining.
        epochs: Epochs of the pretraining.
        runs: Folders of the runs.
        baselines: Results of the baselines, which have no baselines themselves.
        settings: Settings of the protocol, and what it chose, as JSON has them: lists in place of tuples.
        counts: Numbers of clips: ``train``, ``test``, ``copies`` (test clips that are copies of a training
            clip), ``seen_in_pretraining`` (test clips, without their labels; None if unknown).
        seconds: How long the evaluation took with its baselines.
        details: Further findings of the protocol, as JSON can hold them.
        predictions: Predicted class of each test clip, where the protocol classifies and they were kept.
    """

    model: str
    protocol: str
    dataset: str
    split: str
    metrics: Mapping[str, Metric]
    variant: str = ""
    stream: str = "joint"
    weights: tuple[float, ...] = ()
    fusion: str = ""
    tag: str = ""
    positives: str = ""
    features: str = ""
    store: str = ""
    seed: int = 0
    epochs: int | None = None
    runs: tuple[str, ...] = ()
    baselines: "tuple[Result, ...]" = ()
    settings: Mapping[str, Any] = field(factory=dict, converter=_as_json)
    counts: Mapping[str, int | None] = field(factory=dict)
    seconds: float | None = None
    details: Mapping[str, Any] = field(factory=dict)
    predictions: Predictions | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.metrics:
            raise ValueError(f"a result needs a metric, got none for {self.model} {self.protocol}")

    def __repr__(self) -> str:
        def said(one: "Result") -> str:
            return f"{one.model} {100 * one.metrics[self.main].value:.1f} %"

        lines = [f"Result of {self.title} {self.stream_title} on {self.dataset}, split {self.split}"]
        others = [said(one) for one in self.baselines if self.main in one.metrics]
        lines += [f"  {self.main}: {said(self)}"] if self.main in self.metrics else []
        return "\n".join(lines + ([f"  baselines: {', '.join(others)}"] if others else []))

    @property
    def main(self) -> str:
        """Name of the main metric."""
        return next(iter(self.metrics))

    @property
    def metric(self) -> Metric:
        """The main metric."""
        return self.metrics[self.main]

    @property
    def title(self) -> str:
        """What the protocol is called with its settings and the tag, such as "1-NN" or "linear, shifted".

        With positives of other recordings it says so: "1-NN, positives by performance"; and with features of
        several layers or bins: "1-NN, 4 bins".
        """
        positives = f"positives by {self.positives}" if self.positives else ""
        return ", ".join(filter(None, (self.variant or self.protocol, self.features, self.tag, positives)))

    @property
    def stream_title(self) -> str:
        """The stream, with how several are fused if not in equal parts: "joint+motion (0.6, 0.4)".

        Of a joint head it is "joint+motion, joint head".
        """
        if self.fusion:
            return f"{self.stream}, {self.fusion} head"
        unequal = len(set(self.weights)) > 1
        return self.stream + (f" ({', '.join(f'{weight:g}' for weight in self.weights)})" if unequal else "")

    @property
    def cell(self) -> tuple[str, str, str, str]:
        """Data set, split, protocol and stream: results of one cell answer the same question."""
        return self.dataset, self.split, self.title, self.stream_title

    def baseline(self, model: str) -> "Result | None":
        """The baseline of this name."""
        return next((one for one in self.baselines if one.model == model), None)

    def distinct(self) -> "Result | None":
        """The same on the test clips that are no copy of a training clip; None if that was not measured."""
        if self.metric.distinct is None:
            return None
        predictions, copies = self.predictions, self.counts.get("copies") or 0
        if predictions is not None:
            predictions = predictions.distinct() if len(predictions.copies) else None
        return evolve(
            self,
            metrics={
                name: Metric(metric.distinct)
                for name, metric in self.metrics.items()
                if metric.distinct is not None
            },
            baselines=tuple(filter(None, (one.distinct() for one in self.baselines))),
            counts={**self.counts, "test": (self.counts.get("test") or copies) - copies, "copies": 0},
            predictions=predictions,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the predictions."""
        data = asdict(self, filter=lambda attribute, _: attribute.name not in ("predictions", "baselines"))
        data["baselines"] = [one.to_dict() for one in self.baselines]
        return {"format": "skel-result", "version": _VERSION, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Result":
        """The result of `to_dict`, or of a file of version 1.

        Raises:
            ValueError: If it is no result, or of a newer version.
        """
        if "format" not in data and "headline" in data:
            return _from_version_1(data)
        if data.get("format") != "skel-result" or data.get("version") != _VERSION:
            raise ValueError(
                f"expected a skel-result of version {_VERSION}, got {data.get('format')!r} "
                f"{data.get('version')!r}"
            )
        known = {attribute.name for attribute in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        values["metrics"] = {name: Metric(**metric) for name, metric in data["metrics"].items()}
        values["baselines"] = tuple(cls.from_dict(one) for one in data["baselines"])
        values |= {name: tuple(data[name]) for name in ("weights", "runs")}
        return cls(**values)

    def save(self, path: str | Path) -> Path:
        """Write ``NAME.json``, and the predictions, also of the baselines, to ``NAME.npz`` beside it."""
        path = Path(path)
        arrays = path.with_suffix(".npz")
        if self.predictions is None:
            arrays.unlink(missing_ok=True)
        else:
            every = {one.name: getattr(self.predictions, one.name) for one in fields(Predictions)}
            kept: dict[str, Any] = {name: value for name, value in every.items() if value is not None}
            for one in self.baselines:
                if one.predictions is not None and np.array_equal(one.predictions.clips, kept["clips"]):
                    kept[_CLASSES_OF + one.model] = one.predictions.classes
            write_atomically(arrays, lambda file: np.savez(file, allow_pickle=False, **kept))
        text = json.dumps(self.to_dict(), indent=1)
        write_atomically(path, lambda file: file.write(text.encode()))
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Result":
        """Read ``NAME.json`` with its predictions.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no result.
        """
        path = Path(path)
        try:
            result = cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} is no result of an evaluation: {error}") from error
        predictions, classes = _load_predictions(path.with_suffix(".npz"))
        baselines = [
            evolve(one, predictions=evolve(predictions, classes=classes[one.model], logits=None))
            if predictions is not None and one.model in classes
            else one
            for one in result.baselines
        ]
        return evolve(result, predictions=predictions, baselines=tuple(baselines))


def _load_predictions(path: Path) -> tuple[Predictions | None, dict[str, np.ndarray]]:
    """Predictions of a result, and the classes that its baselines predicted for the same clips."""
    if not path.exists():
        return None, {}
    known = {attribute.name for attribute in fields(Predictions)}
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if "predictions" in arrays:  # of version 1
            arrays["classes"] = arrays.pop("predictions")
        classes = {
            name.removeprefix(_CLASSES_OF): values
            for name, values in arrays.items()
            if name.startswith(_CLASSES_OF)
        }
        own = Predictions(**{name: values for name, values in arrays.items() if name in known})
        return own, classes
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} does not hold predictions: {error}; evaluate again") from error


_COUNTS_1 = {
    "train_clips": "train",
    "test_clips": "test",
    "test_clips_that_are_copies": "copies",
    "test_clips_seen_in_pretraining": "seen_in_pretraining",
}


def _from_version_1(data: Mapping[str, Any]) -> Result:
    """A result of version 1: metrics at the top level, baselines by name, corruptions called faults."""
    data = json.loads(json.dumps(data).replace("accuracy_with_faults", "accuracy_with_corruptions"))
    settings = dict(data["settings"])
    shared = {name: data[name] for name in ("dataset", "split", "stream", "seed", "tag") if name in data}
    shared |= {"protocol": data["protocol"], "variant": _variant_1(data["protocol"], settings)}
    shared["store"] = data.get("store", "")
    weights = tuple(settings.pop("weights", ()))
    metrics = _metrics_1(data, data["headline"])
    known = {"headline", "recipe", "runs", "epochs", "seconds", "baselines", "settings", *shared, *_COUNTS_1}
    taken = known | {f"{name}_without_copies" for name in metrics} | {f"{name}_std" for name in metrics}
    return Result(
        model=data["recipe"],
        metrics=metrics,
        weights=weights,
        epochs=data.get("epochs"),
        runs=tuple(data.get("runs", ())),
        baselines=tuple(
            Result(model=name, metrics=_metrics_1(scores, data["headline"]), **shared)
            for name, scores in data["baselines"].items()
            if data["headline"] in scores
        ),
        settings=settings,
        counts={name: data.get(old) for old, name in _COUNTS_1.items()},
        seconds=data.get("seconds"),
        details={key: value for key, value in data.items() if key not in taken | set(metrics)},
        **shared,
    )


def _metrics_1(scores: Mapping[str, Any], headline: str) -> dict[str, Metric]:
    """The main metric first, then all other numbers that are no remark on one."""
    names = [name for name, value in scores.items() if isinstance(value, float) and name != "seconds"]
    names = [name for name in names if not name.endswith(("_without_copies", "_std"))]
    return {
        name: Metric(scores[name], scores.get(f"{name}_without_copies"), scores.get(f"{name}_std"))
        for name in [headline, *(name for name in names if name != headline)]
    }


def _variant_1(protocol: str, settings: Mapping[str, Any]) -> str:
    if protocol == "knn":
        return f"{settings['k']}-NN"
    if protocol == "few-shot":
        by_group = ", by group" * bool(settings.get("by_group"))
        return f"{settings['ways']}-way {settings['shots']}-shot{by_group}"
    if protocol == "semi":
        uniform = ", drawn uniformly" * (not settings.get("balanced", True))
        return f"{100 * settings['fraction']:g} % of the labels{uniform}"
    return ""
