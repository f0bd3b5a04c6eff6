"""Fitting of a model: a classifier on the encoders of a run, with the labels of a store."""

import tomllib
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from attrs import define, evolve
from numpy.typing import NDArray
from torch import Tensor

from skel_data import Split, Store
from skel_eval import Finetune, accuracy, finetune, side_by_side
from skel_recipes.common.device import pick_device
from skel_recipes.config.recipe import dump_recipe
from skel_recipes.evaluate.inputs import EncoderRef, EvaluationInputs, encoder_refs
from skel_recipes.model.calibration import Calibration, calibrate
from skel_recipes.model.embedder import Embedder
from skel_recipes.model.folds import folds_of
from skel_recipes.model.heads import FITS, HEADS, FitRows, Head, Linear
from skel_recipes.model.model import Model, apply_heads, fuse_logits
from skel_recipes.run.joints import in_joints_of
from skel_recipes.run.run import Run

HeadName = Literal["linear", "rbf", "mlp", "knn", "finetune"]
Labels = Literal["all", "train"]
Ints = NDArray[np.int64]


def fit(
    run: Run,
    store: Store,
    *,
    labels: Labels = "all",
    head: HeadName = "rbf",
    stream: str | None = None,
    weights: Sequence[float] | None = None,
    split: str | None = None,
    convert: bool = False,
    fps: float | None = None,
    settings: Any = None,
    device: str = "auto",
) -> Model:
    """Fit a recogniser: a classifier on the encoders of a run, with the labels of a store.

    The classifier is that of the protocol of the same name, fitted to all labelled clips that are used.
    Temperature and threshold are chosen on training clips that are held out in turn, whole subjects where
    these are known; with ``finetune``, a fifth of them is held out once. Nothing is chosen on test clips.

    Args:
        run: A finished run, or an encoder folder. Frozen features are those of `Run.with_features`.
        store: Recordings; those without a label are not used.
        labels: ``all`` labels, or those of the training part of a split, whose test part is then held out.
        head: The classifier: ``linear`` (logistic regression), ``rbf`` (kernel ridge regression), ``mlp``
            (one hidden layer), ``knn`` (nearest neighbour), or ``finetune`` (linear, the encoder trained with
            it).
        stream: One of the run's streams; None fuses all.
        weights: One for each stream; None for equal ones.
        split: With ``train``: the split; by default the one that was pretrained on, or the store's own.
        convert: Bring recordings with other joints to those of the run.
        fps: Frames per second of the recordings, which the model keeps for streams with time stamps; the
            median of those that the store has for the clips used, or 30 where it has none, if None.
        settings: Settings of the training: `skel_eval.LBFGS` (linear), `MlpProbe` (mlp), `Finetune`.
        device: Where to compute.

    Raises:
        ValueError: If the joints differ, no clip or one class only has a label, pretraining has not ended, a
            setting is out of range, or a part is not known.
    """
    for what, value, known in (("labels", labels, get_args(Labels)), ("head", head, get_args(HeadName))):
        if value not in known:
            raise ValueError(f"no {what} {value!r}; there are {', '.join(known)}")
    if labels == "all" and split is not None:
        raise ValueError('a split goes with labels="train"; all labels are used otherwise')
    if fps is not None and not 0 < fps < np.inf:
        raise ValueError(f"fps must be above 0, got {fps}")
    if head == "finetune" and run.features:
        raise ValueError("head finetune trains the encoder: it takes no layers or bins")
    encoders = encoder_refs([run], stream=stream, weights=weights)
    if labels == "train":
        inputs = EvaluationInputs.of(encoders, store, split=split, device=device, convert=convert)
    else:
        inputs = _all_labelled(encoders, store, device, convert=convert)
    rows: Ints = inputs.split.train
    truth = inputs.store.labels[rows]
    if len(np.unique(truth)) < 2:
        raise ValueError(
            f"{store.path}: a classifier needs labelled clips of two classes or more, there are {len(rows)} "
            f"labelled clips of {len(np.unique(truth))}"
        )
    fitted = _fine_tuned(inputs, settings) if head == "finetune" else _frozen(inputs, head, settings)
    model = Model(
        fitted.embedder,
        head,
        fitted.heads,
        inputs.store.classes,
        fitted.calibration,
        int(np.median(inputs.store.lengths[rows])),
        _rate(inputs.store.rates[rows]) if fps is None else float(fps),
        _origin(inputs, store, labels),
    )
    return (
        evolve(model, held_out=_held_out(model, inputs, fitted.test_logits))
        if len(inputs.split.test)
        else model
    )


@define(frozen=True, eq=False)
class Fitted:
    """What was fitted: encoders, classifier, calibration, and logits of the test clips."""

    embedder: Embedder
    heads: tuple[Head, ...]
    calibration: Calibration
    test_logits: Tensor


def _rate(rates: NDArray[np.float64]) -> float:
    """Frames per second of clips, some of them unknown (0)."""
    known = rates[rates > 0]
    return float(np.median(known)) if len(known) else 30.0


def _all_labelled(
    encoders: Sequence[EncoderRef], store: Store, device: str, *, convert: bool
) -> EvaluationInputs:
    joints = in_joints_of(encoders[0].run, store, convert=convert)
    rows = np.flatnonzero(joints.labels >= 0)
    split = Split("all labels", rows, np.empty(0, np.int64))
    return EvaluationInputs(tuple(encoders), joints, split, pick_device(device), joints is not store)


def _frozen(inputs: EvaluationInputs, name: str, settings: Any) -> Fitted:
    embedder = Embedder.of(inputs.encoders, inputs.device, inputs.store.info.min_score)
    features = [inputs.features(encoder) for encoder in inputs.encoders]
    train = inputs.split.train
    known = [x[train] for x in features]
    labels, groups = torch.from_numpy(inputs.store.labels[train]), torch.from_numpy(inputs.groups)
    classes = len(inputs.store.classes)
    heads, calibration = fit_heads(name, known, labels, groups, embedder.weights, classes, settings)
    test = [x[inputs.split.test] for x in features]
    return Fitted(embedder, heads, calibration, apply_heads(heads, test, embedder.weights, classes))


def fit_heads(
    name: str,
    features: Sequence[NDArray[Any]],
    labels: Tensor,
    groups: Tensor | None,
    weights: tuple[float, ...],
    classes: int,
    settings: Any = None,
) -> tuple[tuple[Head, ...], Calibration]:
    """Fit a classifier to frozen features, and calibrate it on rows that are held out in turn.

    Args:
        name: Kind of the classifier.
        features: (N, D) from each encoder.
        labels: Classes (N,).
        groups: Group of each row (N,); None for none.
        weights: One for each encoder.
        classes: Number of classes.
        settings: Settings of the training.
    """
    together = HEADS[name].fuses == "features"
    parts = [side_by_side(features, weights)] if together else features
    fits: list[FitRows] = [FITS[name](torch.from_numpy(x), labels, groups, settings) for x in parts]
    every = torch.ones(len(labels), dtype=torch.bool)
    heads = tuple(one(every) for one in fits)
    held_out = torch.full((len(labels), classes), -torch.inf, dtype=torch.float64)
    fold = folds_of(labels, groups)
    for part in torch.unique(fold):
        held = fold == part
        if not held.all():
            some = tuple(one(~held) for one in fits)
            held_out[held] = apply_heads(some, [x[held.numpy()] for x in features], weights, classes)
    return heads, calibrate(held_out, labels)


def _fine_tuned(inputs: EvaluationInputs, settings: Finetune | None) -> Fitted:
    """Encoders and linear heads trained on all labelled clips; before that once without a fifth of them."""
    train, test, classes = inputs.split.train, inputs.split.test, len(inputs.store.classes)
    labels = torch.from_numpy(inputs.store.labels[train])
    held = (folds_of(labels, torch.from_numpy(inputs.groups)) == 0).numpy()
    calibration = Calibration()
    weights = tuple(inputs.weights)
    if not held.all() and held.any():
        trials = [_tuned(inputs, one, train[~held], train[held], settings) for one in inputs.encoders]
        calibration = calibrate(_fused(trials, weights, classes), labels[held])
    tuned = [
        _tuned(inputs, one, train, test if len(test) else train[:1], settings) for one in inputs.encoders
    ]
    embedder = Embedder.of(inputs.encoders, inputs.device, inputs.store.info.min_score)
    for encoder, result in zip(embedder.encoders, tuned, strict=True):
        encoder.load_state_dict(result.encoder_state)
    heads = tuple(Linear(torch.from_numpy(one.weight), torch.from_numpy(one.bias)) for one in tuned)
    return Fitted(embedder, heads, calibration, _fused(tuned, weights, classes)[: len(test)])


def _tuned(inputs: EvaluationInputs, encoder: EncoderRef, rows: Ints, test: Ints, settings: Any) -> Any:
    labels = inputs.store.labels
    return finetune(
        encoder.run.encoder(encoder.stream),
        inputs.clips_of(encoder, rows),
        labels[rows],
        inputs.clips_of(encoder, test),
        labels[test],
        settings=settings,
        device=inputs.device,
    )


def _fused(results: Sequence[Any], weights: tuple[float, ...], classes: int) -> Tensor:
    return fuse_logits([torch.from_numpy(one.logits).double() for one in results], weights, classes)


def _held_out(model: Model, inputs: EvaluationInputs, logits: Tensor) -> dict[str, Any]:
    """Accuracy on the test part, which nothing was fitted to."""
    test = inputs.split.test
    truth, predicted = inputs.store.labels[test], logits.argmax(1).numpy()
    probabilities = (logits / model.calibration.temperature).softmax(1).numpy()
    return {
        "split": inputs.split.name,
        "clips": int((truth >= 0).sum()),
        "accuracy": float(accuracy(predicted, truth)),
        "copies": len(inputs.copies),
        "none_of_these": int((model.labels_of(probabilities) < 0).sum()),
    }


def _origin(inputs: EvaluationInputs, store: Store, labels: str) -> dict[str, Any]:
    run, used = inputs.run, inputs.store.labels[inputs.split.train]
    rows = np.concatenate([inputs.split.train, inputs.split.test])
    # of an encoder that was converted, how it was trained is not known
    known = getattr(run.recipe, "method", None) is not None
    recipe = tomllib.loads(dump_recipe(run.recipe)) if known else {"name": run.recipe.name}
    counts = np.bincount(used, minlength=len(store.classes))
    return {
        "run": run.path.name,
        "recipe": recipe,
        "pretraining": {"store": run.info["store"]["dataset"], "hash": run.info["store"]["hash"]},
        "epochs": len(run.metrics()),
        "store": {
            "dataset": store.dataset,
            "hash": store.hash,
            "clips": len(store),
            "units": inputs.store.units,  # of the recordings as the encoders take them
        },
        "labels": {
            "which": labels,
            "used": len(used),
            "held_out": int((inputs.store.labels[inputs.split.test] >= 0).sum()),
            "unused": int((store.labels >= 0).sum() - (inputs.store.labels[rows] >= 0).sum()),
            "labelled": int((store.labels >= 0).sum()),
            "split": inputs.split.name,
            "classes_without": [name for name, count in zip(store.classes, counts, strict=True) if not count],
        },
        "converted": inputs.converted,
    }
