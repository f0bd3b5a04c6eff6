"""Evaluation of runs: frozen features, a protocol, and the baselines that stand beside every result."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from attrs import define, evolve, field
from numpy.typing import NDArray

from skel_data import Split, Store, build_clips, get_split, holdout_groups, stream, without_copies
from skel_eval import accuracy, chance, knn, linear_probe, ridge
from skel_eval import fuse as fuse_logits
from skel_recipes._device import pick_device
from skel_recipes._features import embed_array
from skel_recipes._files import write_atomically, write_text
from skel_recipes._run import Run, state_digest

Protocol = Literal["linear", "knn"]
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


@define(frozen=True, eq=False)
class Evaluation:
    """What one protocol says of a run, and what a report needs beside the numbers.

    Attributes:
        result: Numbers and settings, as they stand in ``eval/*.json``.
        split: The clips that were used.
        features: Features of all clips of the store (N, D); of several encoders side by side.
        predictions: Predicted class of each test clip.
    """

    result: dict[str, Any]
    split: Split
    features: Floats
    predictions: Ints


def evaluate(
    run: Run,
    store: Store,
    protocol: Protocol,
    *,
    stream: str | None = None,
    split: str | None = None,
    k: int = 1,
    device: str = "auto",
) -> Evaluation:
    """Evaluate the frozen encoder of a finished run; of several streams, their fusion in equal parts.

    Nothing is chosen on test clips: the encoder is that of the last epoch, and the strength of the
    probe's regularisation is chosen by holding out groups of the training part, of the kind that is new in
    the test part: subjects, or views.

    Args:
        run: The run.
        store: The recordings; their joints must be those of the run.
        protocol: linear (logistic regression on features) or knn (cosine).
        stream: One of the run's streams, to evaluate it alone.
        split: The split; by default the one that was pretrained on, or the store's own default.
        k: Neighbours of knn.
        device: Where features are computed.

    Returns:
        The result; it is also written to ``eval/`` in the run.

    Raises:
        ValueError: If the joints differ, the split has no labelled clips, or pretraining has not ended.
    """
    if stream is not None and stream not in run.streams:
        raise ValueError(f"{run.path} has no stream {stream!r}; there are {', '.join(run.streams)}")
    members = [Member(run, name) for name in ([stream] if stream else run.streams)]
    return _evaluate(members, store, protocol, split=split, k=k, device=device)


def fuse(
    runs: Sequence[Run],
    store: Store,
    protocol: Protocol = "linear",
    *,
    weights: Sequence[float] | None = None,
    split: str | None = None,
    k: int = 1,
    device: str = "auto",
) -> Evaluation:
    """Late fusion of the encoders of finished runs.

    Linear probes are trained one by one and their logits are added; for knn the cosine similarities are
    added.

    Args:
        runs: The runs; one with several streams counts as so many encoders, in its order of streams.
        store: The recordings.
        protocol: linear or knn.
        weights: One for each encoder, such as AimCLR's 0.6, 0.4, 0.6 for joint, motion, bone; None for
            equal ones.
        split: As in `evaluate`, by the first run.
        k: Neighbours of knn.
        device: Where features are computed.

    Returns:
        The result; it is also written to ``eval/`` in the first run.

    Raises:
        ValueError: If the weights do not match the encoders, or as `evaluate` does.
    """
    encoders = [(run, name) for run in runs for name in run.streams]
    factors = [1.0] * len(encoders) if weights is None else list(weights)
    if not encoders or len(factors) != len(encoders):
        named = ", ".join(f"{name} of {run.path}" for run, name in encoders)
        raise ValueError(f"expected a weight for each encoder ({named}), got {factors}")
    if not all(factor >= 0 for factor in factors) or not any(factors):
        raise ValueError(f"weights must be 0 or more and not all 0, got {factors}")
    members = [Member(run, name, weight) for (run, name), weight in zip(encoders, factors, strict=True)]
    return _evaluate(members, store, protocol, split=split, k=k, device=device)


def _evaluate(
    members: Sequence[Member], store: Store, protocol: Protocol, *, split: str | None, k: int, device: str
) -> Evaluation:
    started = time.perf_counter()
    first = members[0].run
    for member in members:
        _check_layout(member.run, store)
    same_store = store.hash == first.facts["store"]["hash"]
    chosen = get_split(store, split or (first.facts["split"] if same_store else None))
    train, test = chosen.train[store.labels[chosen.train] >= 0], chosen.test
    if len(train) == 0 or len(test) == 0:
        raise ValueError(
            f"split {chosen.name!r} of {store.path} has {len(train)} labelled training clips "
            f"and {len(test)} test clips"
        )
    kept = np.isin(test, without_copies(store, chosen))
    groups = holdout_groups(store, train, test)
    labels = store.labels
    where = pick_device(device)
    weights = [member.weight for member in members]
    features = {
        name: [_features(member, store, where, trained=name == "trained") for member in members]
        for name in ("trained", "untrained")
    }

    def predict(parts: Sequence[Floats]) -> tuple[Ints, list[float | None]]:
        if protocol == "knn":
            x = side_by_side(parts, weights)
            return knn(x[train], labels[train], x[test], k=k).predictions, []
        probes = [linear_probe(x[train], labels[train], x[test], labels[test], groups=groups) for x in parts]
        logits = fuse_logits([probe.logits for probe in probes], weights)
        return logits.argmax(1), [probe.strength for probe in probes]

    def score(predictions: Ints) -> dict[str, float]:
        scores = {"accuracy": accuracy(predictions, labels[test])}
        if not kept.all():
            scores["accuracy_without_copies"] = accuracy(predictions[kept], labels[test][kept])
        return scores

    predictions, strengths = predict(features["trained"])
    untrained, _ = predict(features["untrained"])
    clips = _clips(first, store)
    coordinates = ridge(clips[train], labels[train], clips[test], labels[test], groups=groups)
    settings: dict[str, Any] = {"k": k} if protocol == "knn" else {"regularisation": strengths}
    if len(members) > 1:
        settings["weights"] = weights
    seen = [_seen(member.run, store, test) for member in members]
    result = {
        "protocol": protocol,
        "dataset": store.dataset,
        "split": chosen.name,
        "recipe": " + ".join(dict.fromkeys(member.run.recipe.name for member in members)),
        "stream": "+".join(member.stream for member in members),
        "runs": list(dict.fromkeys(str(member.run.path) for member in members)),
        "seed": first.recipe.train.seed,
        "epochs": len(first.metrics()),
        **score(predictions),
        "baselines": {
            "untrained encoder": score(untrained),
            "ridge on coordinates": score(coordinates.predictions),
            "chance": {"accuracy": chance(labels[train], labels[test]).majority},
        },
        "settings": settings,
        "train_clips": len(train),
        "test_clips": len(test),
        "test_clips_that_are_copies": int((~kept).sum()),
        "test_clips_seen_in_pretraining": max(seen) if same_store else None,
        "seconds": round(time.perf_counter() - started, 2),
    }
    write_text(_file(members, store, chosen, protocol, k), json.dumps(result, indent=1))
    return Evaluation(result, chosen, side_by_side(features["trained"], weights), predictions)


def side_by_side(parts: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """Features of several encoders as one: its cosine similarity is the weighted mean of theirs."""
    if len(parts) == 1:
        return parts[0]
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True).clip(1e-12) for part in parts]
    return np.concatenate([weight**0.5 * part for weight, part in zip(weights, unit, strict=True)], axis=1)


def _file(members: Sequence[Member], store: Store, split: Split, protocol: Protocol, k: int) -> Path:
    first = members[0].run
    folder = first.path / "eval"
    folder.mkdir(exist_ok=True)
    name = f"{store.dataset}-{split.name}-{protocol}" + (f"{k}" if protocol == "knn" else "")
    if len(members) > 1:
        name += "-fused"
        if len({member.weight for member in members}) > 1:
            name += "".join(f"-{member.weight:g}" for member in members)
        others = dict.fromkeys(member.run.path.name for member in members if member.run != first)
        name += "".join(f"-{other}" for other in others)
    elif len(first.streams) > 1:
        name += f"-{members[0].stream}"
    return folder / f"{name}.json"


def _check_layout(run: Run, store: Store) -> None:
    ours, theirs = run.layout, store.layout
    if (ours.joints, ours.parents, ours.channels) != (theirs.joints, theirs.parents, theirs.channels):
        raise ValueError(
            f"{run.path} was trained on layout {ours.name!r} ({ours.num_joints} joints), "
            f"{store.path} has {theirs.name!r} ({theirs.num_joints} joints)"
        )


def _clips(run: Run, store: Store) -> Floats:
    """Clips of a store as a run saw those of its own: of as many bodies too."""
    return build_clips(store, evolve(run.recipe.data.pipeline, bodies=run.shape.bodies))


def _features(member: Member, store: Store, device: torch.device, *, trained: bool) -> Floats:
    """Features of all clips, from the run's folder if they are there."""
    run = member.run
    encoder = run.encoder(member.stream, trained=trained)
    frozen = state_digest(encoder.state_dict())
    file = run.path / "features" / f"{frozen}-{store.hash[:16]}.npy"
    if (cached := _load(file, len(store))) is not None:
        return cached
    seen = stream(_clips(run, store), member.stream, store.layout)
    features = embed_array(encoder, seen, device)
    if state_digest(encoder.state_dict()) != frozen:
        raise RuntimeError("the encoder changed while it was evaluated: it keeps state outside of training")
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, lambda target: np.save(target, features, allow_pickle=False))
    return features


def _load(file: Path, clips: int) -> Floats | None:
    try:
        features: Floats = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return features if len(features) == clips else None


def _seen(run: Run, store: Store, test: Ints) -> int:
    """Test clips that pretraining has seen, without their labels."""
    return int(np.isin(test, get_split(store, run.facts["split"]).train).sum())
