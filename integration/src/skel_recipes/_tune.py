"""Fine-tuning of a run's encoders: with all labels, with few, on other recordings."""

import time
from functools import partial
from typing import Any

import numpy as np
from attrs import asdict, evolve
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from skel_augment import View, describe_view
from skel_data import Store, labelled_subset
from skel_encoders import layer_groups
from skel_eval import Finetune, finetune, fuse, side_by_side
from skel_recipes._result import Evaluation, Scores, accuracies, classifier_baselines, finish
from skel_recipes._run import Run
from skel_recipes._trial import Ints, Trial, members_of
from skel_recipes.methods import Sight


def tune(
    run: Run,
    store: Store,
    *,
    fraction: float = 1.0,
    balanced: bool = True,
    repeats: int = 1,
    settings: Finetune | None = None,
    layer_decay: float = 1.0,
    view: View | None = None,
    stream_name: str | None = None,
    split: str | None = None,
    convert: bool = False,
    device: str = "auto",
    tag: str = "",
) -> Evaluation:
    """Fine-tune the encoders of a run on labelled training clips, and test after the last epoch.

    With all labels it is the fine-tuning protocol, with a fraction the semi-supervised one, on a store that
    the run was not pretrained on the transfer protocol. The same training from the untrained encoder
    stands beside it: what labels alone reach.

    Args:
        run: A finished run; its files stay as they are. Of several streams, the logits are added.
        store: The recordings.
        fraction: Part of the training clips that have a label.
        balanced: Take the fraction of each class, not of all clips.
        repeats: How often to train, with other seeds and other labelled clips; the result is the mean.
        settings: How to train; None for `Finetune()`. Its seed is that of the first repeat.
        layer_decay: Factor of the learning rate from a layer to the one before it.
        view: Augmentation of the training clips; None for none.
        stream_name: One of the streams alone.
        split: The split; by default the one that was pretrained on, or the store's own default.
        convert: Bring recordings with other joints to those of the run.
        device: Where to train.
        tag: What tells this result from others of the same protocol in the run's folder.

    Returns:
        The result; predictions are those of the first repeat.

    Raises:
        ValueError: If the fraction is not above 0 and at most 1, repeats are below 1; or as `evaluate` does.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be 1 or more, got {repeats}")
    started = time.perf_counter()
    settings = settings or Finetune()
    members = members_of([run], stream=stream_name)
    trial = Trial.of(members, store, split=split, device=device, convert=convert, tag=tag)
    labels, train = trial.store.labels, trial.split.train
    seeds = range(settings.seed, settings.seed + repeats)
    subsets = [
        train[labelled_subset(labels[train], fraction, seed=seed, balanced=balanced)] for seed in seeds
    ]
    found = {}
    for trained in (True, False):
        found[trained] = [
            _logits(trial, rows, evolve(settings, seed=seed), view, layer_decay, trained=trained)
            for rows, seed in zip(subsets, seeds, strict=True)
        ]
    scores, spread = _mean_scores(trial, found[True])
    untrained, untrained_spread = _mean_scores(trial, found[False])
    # with all labels the subsets are one
    simple = [classifier_baselines(trial, rows) for rows in (subsets if fraction < 1 else subsets[:1])]
    baselines = {name: _mean([one[name] for one in simple]) for name in simple[0]}
    name = "semi" if fraction < 1 else "finetune" if trial.at_home else "transfer"
    used: dict[str, Any] = {
        **asdict(settings),
        "layer_decay": layer_decay,
        "view": [] if view is None else describe_view(view),
        "fraction": fraction,
        "balanced": balanced,
        "repeats": repeats,
    }
    facts = {
        "labelled_classes": len(np.unique(labels[subsets[0]])),
        "accuracy_std": spread,
        "untrained_accuracy_std": untrained_spread,
    }
    return finish(
        trial,
        name,
        scores,
        {"untrained encoder": untrained, **baselines},
        settings=used,
        seconds=time.perf_counter() - started,
        variant=f"-{100 * fraction:g}{'' if balanced else '-uniform'}" if fraction < 1 else "",
        train_clips=len(subsets[0]),
        features=side_by_side([one.features for one in trial.feature_sets()], trial.weights),
        predictions=np.stack([logits.argmax(1) for logits in found[True]]),
        logits=found[True][0],
        more=facts,
    )


def _logits(
    trial: Trial, rows: Ints, settings: Finetune, view: View | None, layer_decay: float, *, trained: bool
) -> NDArray[Any]:
    """Fused logits of the test clips after training on the clips of these rows."""
    labels, test = trial.store.labels, trial.split.test
    logits = []
    for member in trial.members:
        sight = Sight(member.run.shape, member.stream, len(rows))
        seen = trial.clips(member)
        result = finetune(
            member.run.encoder(member.stream, trained=trained),
            (trial.clips() if view is not None else seen)[rows],
            labels[rows],
            seen[test],
            labels[test],
            settings=settings,
            augment=None if view is None else partial(_augment, sight, view),
            parameter_groups=None if layer_decay == 1 else partial(_groups, settings, layer_decay),
            device=trial.device,
        )
        logits.append(result.logits)
    return fuse(logits, trial.weights)


def _augment(sight: Sight, view: View, clips: Tensor, generator: Generator) -> Tensor:
    """A view of joints, in the stream of the encoder."""
    return sight.views(clips, [view], generator)[0]


def _groups(settings: Finetune, decay: float, encoder: nn.Module) -> list[dict[str, Any]]:
    return layer_groups(encoder, settings.learning_rate, decay, weight_decay=settings.weight_decay)


def _mean_scores(trial: Trial, logits: list[NDArray[Any]]) -> tuple[Scores, float | None]:
    """Mean of each score over the repeats, and the standard deviation of the accuracy."""
    each = [accuracies(trial, one.argmax(1)) for one in logits]
    std = float(np.std([scores["accuracy"] for scores in each], ddof=1)) if len(each) > 1 else None
    return _mean(each), std


def _mean(each: list[Scores]) -> Scores:
    return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}
