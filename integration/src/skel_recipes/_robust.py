"""Robustness: probes trained on good recordings, tested on recordings with faults."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from skel_data import CORRUPTIONS, Recording, Store, corruption_names, stream
from skel_eval import fuse, linear_probe, ridge, side_by_side
from skel_recipes._features import embed_array
from skel_recipes._result import Evaluation, Scores, finish
from skel_recipes._run import Run
from skel_recipes._seen import seen_recordings
from skel_recipes._trial import Floats, Ints, Trial, members_of

Judge = Callable[[Floats], Ints]


def robustness(
    run: Run,
    store: Store,
    *,
    stream_name: str | None = None,
    split: str | None = None,
    convert: bool = False,
    seed: int = 0,
    device: str = "auto",
    tag: str = "",
) -> Evaluation:
    """Accuracy of linear probes on test recordings with faults; the probes have seen good recordings only.

    Joints are taken away, frames are taken away, noise is added, the camera is moved, the frame rate is
    lowered, each in three severities, before the run's pipeline sees the recordings. The same faults meet
    the untrained encoder and ridge regression on the coordinates.

    Args:
        run: A finished run; of several streams, their logits are added.
        store: The recordings.
        stream_name: One of the streams alone.
        split: The split; by default the one that was pretrained on.
        convert: Bring recordings with other joints to those of the run.
        seed: Decides the faults.
        device: Where features are computed.
        tag: What tells this result from others of the same protocol in the run's folder.

    Returns:
        The result; the headline is the mean accuracy over all faults. ``accuracy`` is that without faults,
        and ``faults`` holds each of them by name and severity.

    Raises:
        ValueError: As `evaluate` does.
    """
    started = time.perf_counter()
    trial = Trial.of(
        members_of([run], stream=stream_name), store, split=split, device=device, convert=convert, tag=tag
    )
    judges = {
        "trained": _encoder_judge(trial, trained=True),
        "untrained encoder": _encoder_judge(trial, trained=False),
        "ridge on coordinates": _ridge_judge(trial),
    }
    truth = trial.store.labels[trial.split.test]
    found: dict[str, dict[str, float]] = {name: {} for name in judges}
    predictions = np.empty(0, np.int64)
    for fault, clips in _faulty_clips(trial, seed):
        for name, judge in judges.items():
            guess = judge(clips)
            found[name][fault] = float((guess == truth).mean())
            if name == "trained" and fault == "none":
                predictions = guess
    scores = {name: _summary(values) for name, values in found.items()}
    features = side_by_side([one.features for one in trial.feature_sets()], trial.weights)
    return finish(
        trial,
        "robustness",
        scores.pop("trained"),
        scores,
        settings={"seed": seed},
        seconds=time.perf_counter() - started,
        features=features,
        predictions=predictions,
        more={"faults": found},
    )


def _summary(values: dict[str, float]) -> Scores:
    faults = [value for fault, value in values.items() if fault != "none"]
    return {"accuracy_with_faults": float(np.mean(faults)), "accuracy": values["none"]}


def _faulty_clips(trial: Trial, seed: int) -> Iterator[tuple[str, Floats]]:
    """Names of faults with all test clips (N_test, C, T, V, M) that have them, the good ones first."""
    store, run = trial.store, trial.run
    good = [
        Recording(np.nan_to_num(store.clip(row)), store.tracks(row), store.layout) for row in trial.split.test
    ]

    def clips(recordings: list[Recording]) -> Floats:
        positions, tracks = [one.positions for one in recordings], [one.tracks for one in recordings]
        return seen_recordings(run, store.layout, positions, tracks)

    yield "none", clips(good)
    for name in corruption_names(store.layout):
        corrupt, severities = CORRUPTIONS[name]
        for severity in severities:
            rng = np.random.default_rng(seed)
            yield f"{name} {severity:g}", clips([corrupt(one, severity, rng) for one in good])


def _encoder_judge(trial: Trial, *, trained: bool) -> Judge:
    """Predicts with probes on the frozen features of good training clips."""
    train, labels = trial.split.train, trial.store.labels
    heads = []
    for member in trial.members:
        x = trial.features(member, trained=trained)[train]
        probe = linear_probe(x, labels[train], x, labels[train], groups=trial.groups, device=trial.device)
        heads.append((member, member.run.encoder(member.stream, trained=trained), probe))

    def judge(clips: Floats) -> Ints:
        logits = []
        for member, encoder, probe in heads:
            x = embed_array(encoder, stream(clips, member.stream, trial.store.layout), trial.device)
            logits.append(x @ probe.weight.T + probe.bias)
        predictions: Ints = fuse(logits, trial.weights).argmax(1)
        return predictions

    return judge


def _ridge_judge(trial: Trial) -> Judge:
    train, labels = trial.split.train, trial.store.labels
    x = trial.clips()[train].reshape(len(train), -1)
    probe = ridge(x, labels[train], x, labels[train], groups=trial.groups)

    def judge(clips: Floats) -> Ints:
        logits: Floats = clips.reshape(len(clips), -1) @ probe.weight.T + probe.bias
        predictions: Ints = logits.argmax(1)
        return predictions

    return judge
