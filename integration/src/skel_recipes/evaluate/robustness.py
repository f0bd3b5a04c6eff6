"""Robustness: probes trained on good recordings, tested on recordings with corruptions."""

from collections.abc import Callable, Iterator

import numpy as np
from attrs import define

from skel_data import CORRUPTIONS, Recording, corruption_names
from skel_eval import HANDMADE, UNTRAINED, Metric, Outcome, Result, fuse, linear_probe
from skel_recipes.evaluate.baselines import result_of
from skel_recipes.evaluate.inputs import EvaluationInputs, Ints
from skel_recipes.evaluate.kept import pipeline_key
from skel_recipes.run.clips import Floats, clips_of_recordings
from skel_recipes.run.embedding import embed_array

Classifier = Callable[[Floats], Ints]


@define(frozen=True)
class Robustness:
    """Robustness: linear probes on test recordings with corruptions, such as missing joints or noise.

    Joints are taken away, frames are taken away, noise is added, the camera is moved, the frame rate is
    lowered, each in three severities, before the run's pipeline sees the recordings. The probes are
    trained on good recordings only. The main metric is the mean accuracy over all corruptions.

    Attributes:
        seed: Seed of the corruptions.
    """

    seed: int = 0

    @property
    def title(self) -> str:
        """What the protocol is called with its settings."""
        return "robustness"

    def __call__(self, inputs: EvaluationInputs, name: str) -> tuple[Outcome, tuple[Result, ...]]:
        """Accuracy of encoder and baselines on every corruption.

        Raises:
            ValueError: If runs that are fused make their clips in different ways.
        """
        if any(pipeline_key(one.run) != pipeline_key(inputs.run) for one in inputs.encoders):
            raise ValueError(
                "robustness takes runs with the same pipeline, frames and crop, got different ones"
            )
        classifiers = {
            "": _probe(inputs, trained=True),
            UNTRAINED: _probe(inputs, trained=False),
            **{name: _simple(inputs, name) for name in HANDMADE},
        }
        truth = inputs.store.labels[inputs.split.test]
        found: dict[str, dict[str, float]] = {model: {} for model in classifiers}
        for corruption, clips in _corrupted_clips(inputs, self.seed):
            for model, classify in classifiers.items():
                found[model][corruption] = float((classify(clips) == truth).mean())
        outcomes = {model: self._outcome(rates) for model, rates in found.items()}
        main = outcomes.pop("")
        return main, tuple(result_of(inputs, model, name, one) for model, one in outcomes.items())

    def _outcome(self, rates: dict[str, float]) -> Outcome:
        corrupted = float(np.mean([rate for corruption, rate in rates.items() if corruption != "none"]))
        metrics = {"accuracy_with_corruptions": Metric(corrupted), "accuracy": Metric(rates["none"])}
        return Outcome(metrics, {"seed": self.seed}, details={"corruptions": rates})


def _corrupted_clips(inputs: EvaluationInputs, seed: int) -> Iterator[tuple[str, Floats]]:
    """Names of corruptions with all test clips (N_test, C, T, V, M) that have them, the good ones first."""
    store, run = inputs.store, inputs.run
    good = [
        Recording(np.nan_to_num(store.clip(row)), store.tracks(row), store.layout)
        for row in inputs.split.test
    ]

    def clips(recordings: list[Recording]) -> Floats:
        positions, tracks = [one.positions for one in recordings], [one.tracks for one in recordings]
        return clips_of_recordings(run, store.layout, positions, tracks)

    yield "none", clips(good)
    for name in corruption_names(store.layout):
        corrupt, severities = CORRUPTIONS[name]
        for severity in severities:
            rng = np.random.default_rng(seed)
            yield f"{name} {severity:g}", clips([corrupt(one, severity, rng) for one in good])


def _probe(inputs: EvaluationInputs, *, trained: bool) -> Classifier:
    """Classifies by linear probes on the frozen features of good training clips."""
    train, labels, layout = inputs.split.train, inputs.store.labels, inputs.store.layout
    heads = []
    for encoder in inputs.encoders:
        x = inputs.features(encoder, trained=trained)[train]
        probe = linear_probe(x, labels[train], x, labels[train], groups=inputs.groups, device=inputs.device)
        heads.append((encoder, encoder.run.encoder(encoder.stream, trained=trained), probe))

    def classify(clips: Floats) -> Ints:
        logits = []
        for encoder, module, probe in heads:
            x = embed_array(module, clips, inputs.device, stream=encoder.stream, layout=layout)
            logits.append(x @ probe.weight.T + probe.bias)
        predictions: Ints = fuse(logits, inputs.weights).argmax(1)
        return predictions

    return classify


def _simple(inputs: EvaluationInputs, name: str) -> Classifier:
    """Classifies by a linear probe on hand-made features of good training clips."""
    train, labels = inputs.split.train, inputs.store.labels
    x = inputs.handmade_of(name, inputs.clips[train])
    probe = linear_probe(x, labels[train], x, labels[train], groups=inputs.groups, device=inputs.device)

    def classify(clips: Floats) -> Ints:
        logits: Floats = inputs.handmade_of(name, clips) @ probe.weight.T + probe.bias
        predictions: Ints = logits.argmax(1)
        return predictions

    return classify
