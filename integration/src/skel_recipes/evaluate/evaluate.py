"""Evaluation: a protocol on the encoders of runs, and its baselines."""

import inspect
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import asdict, has

from skel_data import Store
from skel_data.files import check_folder
from skel_eval import HANDMADE, Outcome, Result, evaluate_features
from skel_recipes.common.files import file_name
from skel_recipes.config.library import check_numbers
from skel_recipes.evaluate.baselines import kept_baselines, most_frequent_class, result_of
from skel_recipes.evaluate.inputs import EvaluationInputs, Source, encoder_refs
from skel_recipes.evaluate.protocols import PROTOCOLS
from skel_recipes.run.run import Run

_LOGGER = logging.getLogger("skel_recipes")


def evaluate(
    run: Run | Sequence[Run],
    store: Store,
    protocol: Any = "linear",
    *,
    stream: str | None = None,
    weights: Sequence[float] | None = None,
    split: str | None = None,
    convert: bool = False,
    device: str = "auto",
    tag: str = "",
    handmade: Sequence[str] = (),
    out: str | Path | None = None,
    told: Callable[[str], object] = str,
    **options: Any,
) -> Result:
    """Evaluate the encoders of finished runs; of several streams or runs, their fusion.

    Nothing is chosen on test clips: the encoder is that of the last epoch, and the strength of the
    probe's regularisation is chosen by holding out groups of the training part, of the kind that is new in
    the test part: subjects, or cameras. Every result has baselines: the same protocol on the untrained
    encoder, and on two hand-made features of the clips that the encoder takes: their coordinates, and the
    distances between joints (a linear classifier on these where the protocol trains the encoder).

    Args:
        run: The run, or several; one with several streams counts as several encoders.
            Frozen features are those of `Run.with_features`.
        store: The recordings; their joints must be those of the run.
        protocol: Name of a protocol, as `PROTOCOLS` has them, or an instance with its settings.
        stream: One of the run's streams, to evaluate it alone.
        weights: One for each encoder, such as AimCLR's 0.6, 0.4, 0.6 for joint, motion, bone, then one for
            each of the hand-made features; None for equal ones.
        split: The split; by default the one that was pretrained on, or the store's own default.
        convert: Bring recordings with other joints to those of the run.
        device: Where to compute.
        tag: What tells this result from others of the same protocol.
        handmade: Hand-made features that are fused with the encoders: "coordinates", "distances".
        out: A ``.json`` file for the result, in place of one in ``eval/``.
        told: Is called with a line that says what part of the recordings is used.
        options: Settings of the protocol, if it is given by name, such as k.

    Returns:
        The result; it is also written to ``eval/`` in the (first) run. Where that cannot be written to, a
        warning says so.

    Raises:
        ValueError: If the joints differ, the split has no labelled clips, pretraining has not ended, the
            weights do not match the encoders, the tag is not one word, or the protocol fuses no hand-made
            features, or takes no features of layers or bins.
        TypeError: If the protocol has no such option.
    """
    started = time.perf_counter()
    if out is not None:
        out = Path(out)
        if out.suffix != ".json":
            raise ValueError(f"a result is written to a .json file, got {out}")
        check_folder(out)
    name, chosen = resolve_protocol(protocol, options)
    runs = [run] if isinstance(run, Run) else list(run)
    if handmade and not hasattr(chosen, "fuses"):
        raise ValueError(f"protocol {name} trains or tests an encoder: it takes no hand-made features")
    if any(one.features for one in runs) and not hasattr(chosen, "fuses"):
        raise ValueError(f"protocol {name} is not one on frozen features: it takes no layers or bins")
    factors = [1.0] * len(handmade)
    if weights is not None:
        own = max(0, len(weights) - len(handmade))
        weights, factors = weights[:own], list(weights[own:])
    encoders = encoder_refs(runs, stream=stream, weights=weights)
    convert = convert or getattr(chosen, "convert", False)
    inputs = EvaluationInputs.of(
        encoders,
        store,
        split=split,
        device=device,
        convert=convert,
        tag=tag,
        handmade=list(zip(handmade, factors, strict=True)),
        needs_labels=getattr(chosen, "needs_labels", True),
        joint_head=getattr(chosen, "fusion", "late") == "joint",
        views=getattr(chosen, "masked_views", 0),
    )
    if hasattr(chosen, "narrowed"):
        inputs = chosen.narrowed(inputs)
    told(inputs.used)
    if hasattr(chosen, "fuses"):
        outcome, baselines = _frozen(inputs, name, chosen)
    else:
        outcome, baselines = chosen(inputs, name)
    counts = {
        "train": len(inputs.split.train),
        "test": len(inputs.split.test),
        "copies": len(inputs.copies),
        "seen_in_pretraining": inputs.seen_in_pretraining,
    }
    if "unseen" in outcome.details:
        unseen = {name for split in outcome.details["unseen"] for name in split}
        counts["unlabelled_unseen_clips_in_pretraining"] = inputs.pretrained_on_classes(unseen)
    result = result_of(
        inputs,
        " + ".join(dict.fromkeys(encoder.run.recipe.name for encoder in encoders)),
        name,
        outcome,
        title=chosen.title,
        positives="+".join(sorted({one.recipe.data.positives for one in runs} - {"clip"})),
        epochs=len(inputs.run.metrics()),
        runs=tuple(dict.fromkeys(str(encoder.run.path) for encoder in encoders)),
        baselines=baselines,
        counts=counts | outcome.counts,
        seconds=round(time.perf_counter() - started, 2),
    )
    if out is not None:
        result.save(out)
        return result
    try:
        result.save(_file(inputs.run, result))
    except OSError as error:
        _LOGGER.warning("the result is not kept: %s; --out FILE.json keeps it elsewhere", error)
    return result


def resolve_protocol(protocol: Any, options: dict[str, Any]) -> tuple[str, Any]:
    """A protocol's name and the protocol with its settings.

    Raises:
        ValueError: If there is no such protocol, or a setting is out of range.
        TypeError: If the protocol has no such setting.
    """
    if not isinstance(protocol, str):
        if options:
            raise TypeError(f"options go with the name of a protocol, not with {protocol!r}")
        if has(type(protocol)):
            check_numbers(asdict(protocol, recurse=False), f"protocol {PROTOCOLS.name_of(type(protocol))}")
        return PROTOCOLS.name_of(type(protocol)), protocol
    kind = PROTOCOLS.lookup(protocol)
    known = list(inspect.signature(kind).parameters)
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, 1)
            meant = f"did you mean {near[0]!r}? There are" if near else "there are"
            raise TypeError(f"protocol {protocol!r} has no option {option!r}; {meant} {', '.join(known)}")
    check_numbers(options, f"protocol {protocol}")
    return protocol, kind(**options)


def results_of(run: Run) -> list[Result]:
    """The results in a run's folder, of this run alone.

    Raises:
        ValueError: If a file in its ``eval/`` is no result.
    """
    found = [Result.load(file) for file in sorted((run.path / "eval").glob("*.json"))]
    return [result for result in found if len(result.runs) == 1]


def _frozen(inputs: EvaluationInputs, name: str, protocol: Any) -> tuple[Outcome, tuple[Result, ...]]:
    """A protocol on frozen features, and on those of the baselines."""
    device = str(inputs.device)

    def measure(source: Source) -> Outcome:
        if source in HANDMADE:
            return evaluate_features(inputs.embed(source), protocol, device=device)
        sets = inputs.feature_sets(trained=source == "trained")
        return evaluate_features(sets, protocol, weights=inputs.weights, device=device)

    outcome = measure("trained")
    baselines = kept_baselines(inputs, name, protocol, measure)
    if outcome.predictions is not None:
        baselines += (most_frequent_class(inputs),)
    return outcome, baselines


def _question(result: Result) -> tuple[object, ...]:
    """What a result answers; the folder of the first run may have moved since."""
    return result.cell, result.protocol, len(result.runs), [Path(path).name for path in result.runs[1:]]


def _file(run: Run, result: Result) -> Path:
    """Where a result is written: a name for people, and for this result alone."""
    folder = run.path / "eval"
    folder.mkdir(exist_ok=True)
    words = [result.dataset, result.split, result.protocol, result.variant, result.features, result.tag]
    if "+" in result.stream or len(run.streams) > 1:
        words.append(result.stream_title)
    words += [Path(path).name for path in result.runs[1:]]
    name = "-".join(file_name(word) for word in words if word)
    for number in range(1, 1000):
        file = folder / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        with suppress(OSError, ValueError):
            if _question(Result.load(file)) != _question(result):
                continue
        return file
    raise ValueError(f"{folder} holds too many results named {name}")
