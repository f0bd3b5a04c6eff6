"""Evaluation of frozen features: a protocol, and the baselines that stand beside every result."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from skel_data import Store
from skel_eval import evaluate_features, side_by_side
from skel_recipes._result import Evaluation, classifier_baselines, finish, scores_of
from skel_recipes._run import Run
from skel_recipes._trial import Trial, members_of


def evaluate(
    run: Run | Sequence[Run],
    store: Store,
    protocol: str = "linear",
    *,
    stream: str | None = None,
    weights: Sequence[float] | None = None,
    split: str | None = None,
    convert: bool = False,
    device: str = "auto",
    tag: str = "",
    **options: Any,
) -> Evaluation:
    """Evaluate frozen encoders of finished runs; of several streams or runs, their late fusion.

    Nothing is chosen on test clips: the encoder is that of the last epoch, and the strength of the
    probe's regularisation is chosen by holding out groups of the training part, of the kind that is new in
    the test part: subjects, or views. Beside every result stand the same protocol on the untrained encoder,
    and on the coordinates that the encoder sees (ridge regression where the protocol classifies).

    Args:
        run: The run, or several; one with several streams counts as so many encoders.
        store: The recordings; their joints must be those of the run.
        protocol: linear, mlp, knn, retrieval, few-shot or clustering; see `skel_eval.evaluate_features`, also
            for how several encoders are fused.
        stream: One of the run's streams, to evaluate it alone.
        weights: One for each encoder, such as AimCLR's 0.6, 0.4, 0.6 for joint, motion, bone; None for
            equal ones.
        split: The split; by default the one that was pretrained on, or the store's own default.
        convert: Bring recordings with other joints to those of the run.
        device: Where features are computed.
        tag: What tells this result from others of the same protocol in the run's folder.
        options: Those of the protocol, such as k.

    Returns:
        The result; it is also written to ``eval/`` in the (first) run.

    Raises:
        ValueError: If the joints differ, the split has no labelled clips, pretraining has not ended, the
            weights do not match the encoders, or the tag cannot be part of a file's name.
        TypeError: If the protocol has no such option.
    """
    started = time.perf_counter()
    runs = [run] if isinstance(run, Run) else list(run)
    members = members_of(runs, stream=stream, weights=weights)
    trial = Trial.of(members, store, split=split, device=device, convert=convert, tag=tag)
    where = str(trial.device)
    sets = trial.feature_sets()
    ours = evaluate_features(sets, protocol, weights=trial.weights, device=where, **options)
    untrained = evaluate_features(
        trial.feature_sets(trained=False), protocol, weights=trial.weights, device=where, **options
    )
    baselines = {"untrained encoder": scores_of(untrained)}
    if ours.predictions is None:
        flat = trial.feature_set(trial.clips().reshape(len(trial.store), -1))
        baselines["coordinates"] = scores_of(evaluate_features(flat, protocol, device=where, **options))
    else:
        baselines |= classifier_baselines(trial)
    return finish(
        trial,
        protocol,
        scores_of(ours),
        baselines,
        settings=ours.settings,
        seconds=time.perf_counter() - started,
        variant=_variant(protocol, ours.settings),
        features=side_by_side([one.features for one in sets], trial.weights),
        predictions=ours.predictions,
        logits=ours.logits,
    )


def _variant(protocol: str, settings: Mapping[str, Any]) -> str:
    """What tells results of one protocol with other settings apart."""
    if protocol == "knn":
        return str(settings["k"])
    if protocol == "few-shot":
        apart = "-by-group" * settings["by_group"]
        return f"-{settings['ways']}way-{settings['shots']}shot{apart}"
    return ""
