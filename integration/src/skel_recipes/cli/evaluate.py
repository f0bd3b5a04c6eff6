"""``skel eval``: evaluation protocols on the encoders of runs, or on features of other models."""

from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from skel_recipes.cli.output import note, note_conversion, printable, say, say_json, table
from skel_recipes.common.words import count

RunPath = Annotated[Path, tyro.conf.Positional]
StorePath = Annotated[Path | None, tyro.conf.Positional]


@dataclass(frozen=True)
class Common:
    """Options of all protocols.

    Attributes:
        published: Train as the program of this method does, such as aimclr, cmd or mamp, in protocols that
            train; the last epoch counts.
        stream: Evaluate this stream alone. By default all streams are fused with equal weights.
        split: The split; by default the one that was pretrained on, or the store's own.
        convert: Convert recordings with other joints to those of the run, by the names of the joints.
        device: Where to compute: cpu, cuda, cuda:1, ... or auto.
        layers: Frozen features of this many last layers of the encoder, concatenated.
        bins: Frozen features of this many parts of the time, too, concatenated.
        tag: A word in the name of this result, to keep several results of one protocol.
        out: A .json file for the result, instead of one in the run's eval/.
        report: Draw the run's report.html too.
        json: Print JSON.
    """

    published: str | None = None
    stream: str | None = None
    split: str | None = None
    convert: bool = False
    device: str = "auto"
    layers: int = 1
    bins: int = 1
    tag: str = ""
    out: Path | None = None
    report: bool = False
    json: bool = False


_EXPECTED = {"int": "a whole number", "float": "a number"}
CommonArgs = Annotated[Common, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="")]
COMMON = Common()


def protocol_commands(words: Sequence[str]) -> dict[str, Callable[..., None]]:
    """A command for each protocol; only that of the one that the words name is imported."""
    from skel_recipes.evaluate.protocols import PROTOCOLS

    chosen = words[1] if words[:1] == ["eval"] and len(words) > 1 else ""
    names = [*PROTOCOLS, *([chosen] if ":" in chosen else [])]
    if chosen in PROTOCOLS:
        _check_words(chosen, words[2:])
    return {name: _command(name, words) if name == chosen else _stub(name) for name in names}


def _check_words(name: str, words: Sequence[str]) -> None:
    """Answer what cannot be right before the protocol is imported, and with it torch.

    Raises:
        SystemExit: If a flag is unknown, a number is none, or the run is missing.
    """
    from skel_recipes.evaluate.protocols import PROTOCOLS

    settings = PROTOCOLS.settings(name)
    if settings is None or not {"-h", "--help"}.isdisjoint(words):
        return
    kinds = {**settings, **{one.name: str(getattr(one.type, "__name__", one.type)) for one in fields(Common)}}
    known = {f"--{flag.replace('_', '-')}": kind for flag, kind in kinds.items()}
    wrong = (
        "" if any(not word.startswith("-") for word in words) else "expected a run, or features in an .npz"
    )
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if not flag.startswith("--"):
            continue
        flag = flag.replace("_", "-")
        kind = known.get(flag if flag in known else flag.replace("--no-", "--", 1))
        if kind is None:
            near = get_close_matches(flag, known, 1)
            meant = f"did you mean {near[0]}? There are" if near else "there are"
            wrong = f"no option {flag}; {meant} {', '.join(known)}"
        elif kind != "bool" and not _fits(kind, value if equals else "".join(words[place + 1 : place + 2])):
            wrong = f"{flag} expects {_expected(kind)}"
    if wrong:
        note(printable(f"skel eval {name}: {wrong}"))
        raise SystemExit(2)


def _expected(kind: str) -> str:
    if kind.startswith("Literal["):
        return " or ".join(literal_eval(kind.removeprefix("Literal")))
    return _EXPECTED.get(kind.removesuffix(" | None"), "a value")


def _fits(kind: str, value: str) -> bool:
    """Whether a word can be a value of this annotation, as far as that is plain."""
    if kind.startswith("Literal["):
        return value in literal_eval(kind.removeprefix("Literal"))
    try:
        {"int": int, "float": float}.get(kind.removesuffix(" | None"), str)(value)
    except ValueError:
        return False
    return not value.startswith("--") and (value != "" or kind.startswith("tuple"))


def _stub(name: str) -> Callable[..., None]:
    from skel_recipes.evaluate.protocols import PROTOCOLS

    def command() -> None:
        raise AssertionError(name)  # the words name another command

    command.__doc__ = PROTOCOLS.summary(name)
    return command


def _command(name: str, words: Sequence[str]) -> Callable[..., None]:
    """The command of a protocol, whose flags are the settings of its class."""
    from skel_recipes.evaluate.protocols import PROTOCOLS

    kind: Any = PROTOCOLS.lookup(name)
    default = _published(name, kind, words)
    options = (tyro.conf.OmitArgPrefixes, tyro.conf.AvoidSubcommands, tyro.conf.arg(name=""))

    def command(
        run: RunPath,
        store: StorePath = None,
        /,
        *,
        protocol: Annotated[kind, *options] = default,
        common: CommonArgs = COMMON,
    ) -> None:
        if run.suffix == ".npz":
            _evaluate_file(run, store, name, protocol, common)
        else:
            _evaluate([run], store, protocol, common)

    more = " --texts texts.npz" if name == "zero-shot" else ""
    # Python 3.13 takes the indentation out of docstrings, earlier ones do not
    sentences = cleandoc(kind.__doc__ or "").partition("\n\nAttributes:")[0]
    command.__doc__ = f"""{sentences}

Example: skel eval {name} run utd.store{more}

Args:
    run: A finished run; or an .npz file of features, also of other models, for protocols on frozen features.
    store: The recordings, for a run.
    protocol: Settings of the protocol.
    common: Further options.
"""
    return command


def _published(name: str, kind: Any, words: Sequence[str]) -> Any:
    """The protocol with its default settings, or with those of the program that ``--published`` names."""
    word = next((word for word in words if word.partition("=")[0] == "--published"), "")
    given = word.partition("=")[2] or "".join(words[list(words).index(word) + 1 :][:1] if word else [])
    if not given or given.startswith("-"):
        return kind()
    return _published_settings(given, name, kind)


def _published_settings(given: str, name: str, kind: Any) -> Any:
    """The protocol with the settings of a published program."""
    from attrs import evolve

    from skel_eval import LinearProbe, published_protocol
    from skel_recipes.evaluate.finetune import FineTune

    program = published_protocol(given)
    if kind is LinearProbe:
        return program.linear
    if issubclass(kind, FineTune):
        if program.finetune is None:
            raise ValueError(f"the program of {given} has no fine-tuning")
        return evolve(
            kind(),
            settings=program.finetune,
            layer_decay=program.layer_decay,
            drop_path=program.drop_path,
            keep_joints=program.keep_joints,
        )
    raise ValueError(f"--published goes with linear, finetune, semi and transfer, not with {name}")


def eval_fuse(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    weights: tuple[float, ...] = (),
    protocol: Literal["linear", "rbf", "mlp", "knn", "retrieval"] = "linear",
    k: int = 1,
    handmade: Annotated[str, tyro.conf.arg(name="with", metavar="NAMES")] = "",
    fusion: Literal["late", "joint"] | None = None,
    common: CommonArgs = COMMON,
) -> None:
    """Fusion of the streams of one run or several, and of hand-made features: RUN [RUN ...] STORE.

    Example: skel eval fuse run utd.store --weights 0.6 0.4 0.6

    Args:
        paths: Finished runs, and last the store. A run of several streams counts once for each stream.
        weights: One for each stream, in the order of the runs; AimCLR's are 0.6 (joint), 0.4 (motion) and 0.6
            (bone). Those of hand-made features come last. Equal unless given.
        protocol: Add the logits of probes, the scores of rbf, or the similarities of nearest neighbours.
        k: Number of neighbours.
        handmade: Hand-made features to fuse with the encoders: coordinates, distances (between joints), or
            both, with a comma between them.
        fusion: linear: late trains a probe for each and adds their logits; joint trains one on the features
            of all. late, or that of --published, unless given.
        common: Further options.
    """
    if len(paths) < 2:
        raise ValueError("expected: skel eval fuse RUN [RUN ...] STORE")
    if protocol != "knn" and k != 1:
        raise ValueError(f"--k goes with --protocol knn, not with {protocol}")
    *runs, store = paths
    from skel_recipes.evaluate.evaluate import resolve_protocol

    _, chosen = resolve_protocol(protocol, {"k": k} if protocol == "knn" else {})
    if protocol == "linear" and (common.published or fusion):
        from attrs import evolve

        chosen = _published_settings(common.published, "linear", type(chosen)) if common.published else chosen
        chosen = evolve(chosen, fusion=fusion) if fusion else chosen
    elif common.published or fusion:
        raise ValueError(f"--published and --fusion go with --protocol linear, not with {protocol}")
    names = [name for name in handmade.split(",") if name]
    _evaluate(runs, store, chosen, common, weights=weights or None, handmade=names)


def _evaluate(
    runs: Sequence[Path],
    store: Path | None,
    protocol: Any,
    common: Common,
    *,
    weights: Sequence[float] | None = None,
    handmade: Sequence[str] = (),
) -> None:
    if store is None:
        raise ValueError("expected: skel eval PROTOCOL RUN STORE, or skel eval PROTOCOL FEATURES.npz")
    from attrs import evolve

    from skel_data import Store
    from skel_recipes.evaluate.evaluate import evaluate
    from skel_recipes.run.run import Run

    features = {"layers": common.layers, "bins": common.bins}
    opened, recordings = [Run.open(run).with_features(**features) for run in runs], Store.open(store)
    if hasattr(protocol, "progress"):
        protocol = evolve(protocol, progress=True)
    if common.convert or getattr(protocol, "convert", False):
        note_conversion(recordings.layout, opened[0].layout)
    if source := getattr(protocol, "source", None):
        note_conversion(Store.open(source).layout, opened[0].layout)
    result = evaluate(
        opened,
        recordings,
        protocol,
        weights=weights,
        stream=common.stream,
        split=common.split,
        convert=common.convert,
        device=common.device,
        tag=common.tag or common.published or "",
        handmade=handmade,
        out=common.out,
        told=note,
    )
    if common.json:
        say_json(result.to_dict())
    else:
        say(result_table(result))
        _say_notes(result.details)
        if unseen := result.counts.get("unlabelled_unseen_clips_in_pretraining"):
            note(
                f"transductive: pretraining has seen {count(unseen, 'clip')} of classes that count as "
                "unseen, without labels"
            )
        if seen := result.counts["seen_in_pretraining"]:
            were = "clip was" if seen == 1 else "clips were"
            note(f"{seen} of these test {were} seen in pretraining, without labels")
        elif seen is None:
            note(
                "whether test clips were seen in pretraining is unknown: joints were converted, recordings "
                "were not cut as there, or its store is gone or was never named"
            )
    from skel_data import get_split
    from skel_recipes.evaluate.leaks import leak_notes

    for sentence in leak_notes(recordings, get_split(recordings, result.split)):
        note(printable(sentence))
    if common.report:
        from skel_recipes.evaluate.report import report

        note(f"report: {report(opened[0], recordings, result)}")


def _evaluate_file(file: Path, store: Path | None, name: str, protocol: Any, common: Common) -> None:
    """Features of any model, with their labels and split."""
    if store is not None:
        raise ValueError(f"{file} has its own labels and split: it takes no store, got {store}")
    names = ("stream", "split", "convert", "layers", "bins", "tag", "out", "report")
    given = [one for one in names if getattr(common, one) != getattr(COMMON, one)]
    if given:
        raise ValueError(
            f"{file} has its own labels and split, and nothing is kept: it takes no --{', --'.join(given)}"
        )
    if not hasattr(protocol, "fuses"):
        raise ValueError(f"protocol {name} trains or tests an encoder: it takes a run, got {file}")
    from skel_eval import FeatureSet, evaluate_features, feature_leaks
    from skel_recipes.common.device import pick_device

    device = str(pick_device(common.device))
    features = FeatureSet.load(file)
    outcome = evaluate_features(features, protocol, device=device)
    for sentence in feature_leaks(features):
        note(f"{file}: {sentence}")
    if common.json:
        metrics = {
            key: {"value": one.value, "distinct": one.distinct} for key, one in outcome.metrics.items()
        }
        say_json({"protocol": name, "features": str(file), "metrics": metrics, "settings": outcome.settings})
        return
    rows = [(str(file), protocol.title)]
    for key, metric in outcome.metrics.items():
        rows.append((key.replace("_", " "), f"{100 * metric.value:.1f} %"))
        if metric.distinct is not None:
            rows.append((f"{key.replace('_', ' ')} without copies", f"{100 * metric.distinct:.1f} %"))
    say(table(rows))
    _say_notes(outcome.details)


def _say_notes(details: Mapping[str, Any]) -> None:
    """Sentences that belong to a number, such as the controls of zero-shot recognition."""
    for sentence in details.get("notes", ()):
        say(printable(sentence))


def result_table(result: Any) -> str:
    """A result and its baselines as text, with the paired difference from the best simple one."""
    from skel_eval import best_simple, best_simple_sentence

    copies = result.counts.get("copies")
    head = f"{result.title} {result.stream_title}, {result.dataset} {result.split}, "
    head += count(result.counts["test"], "test clip")
    apart = result.metric.distinct is not None
    rows = [
        (
            head,
            result.main.replace("_", " "),
            *([f"without {copies} {'copy' if copies == 1 else 'copies'}"] if apart else []),
        )
    ]
    for one in (result, *result.baselines):
        if (metric := one.metrics.get(result.main)) is not None:
            values = (metric.value, metric.distinct)[: 1 + apart]
            cells = ("" if value is None else f"{100 * value:.1f} %" for value in values)
            rows.append((one.model, *cells))
    best = best_simple({result.seed: result})
    return table(rows) if best is None else f"{table(rows)}\n{best_simple_sentence(result.model, best)}"
