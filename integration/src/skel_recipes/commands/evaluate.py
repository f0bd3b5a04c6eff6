"""``skel eval``: protocols on frozen features, of a run or from elsewhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from skel_recipes.commands._say import note, say, say_json, table

RunPath = Annotated[Path, tyro.conf.Positional]
StorePath = Annotated[Path | None, tyro.conf.Positional]


@dataclass(frozen=True)
class Common:
    """What all protocols take.

    Attributes:
        stream: One of the run's streams alone; of several streams all are fused in equal parts.
        split: The split; by default the one that was pretrained on, or the store's own.
        convert: Bring recordings with other joints to those of the run, by the names of the joints.
        device: Where to compute: cpu, cuda, cuda:1, ... or auto.
        tag: What tells this result from others of the same protocol, which it would replace.
        json: Print JSON.
    """

    stream: str | None = None
    split: str | None = None
    convert: bool = False
    device: str = "auto"
    tag: str = ""
    json: bool = False


CommonArgs = Annotated[Common, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="")]
COMMON = Common()


def eval_linear(
    run: RunPath,
    store: StorePath = None,
    /,
    *,
    published: str | None = None,
    common: CommonArgs = COMMON,
) -> None:
    """Linear probe: logistic regression on frozen features.

    Args:
        run: A finished run; or features from elsewhere, an .npz file.
        store: The recordings, for a run.
        published: Train the probe as the program of this method does, such as aimclr; the last epoch counts.
        common: Further options.
    """
    options = {}
    if published is not None:
        from skel_eval import published_protocol

        options["solver"] = published_protocol(published).linear.solver
    _frozen([run], store, "linear", common, tag=published or "", **options)


def eval_mlp(run: RunPath, store: StorePath = None, /, *, common: CommonArgs = COMMON) -> None:
    """Probe with one hidden layer on frozen features.

    Args:
        run: A finished run; or features from elsewhere, an .npz file.
        store: The recordings, for a run.
        common: Further options.
    """
    _frozen([run], store, "mlp", common)


def eval_knn(run: RunPath, store: StorePath = None, /, *, k: int = 1, common: CommonArgs = COMMON) -> None:
    """Nearest neighbours by cosine similarity of frozen features.

    Args:
        run: A finished run; or features from elsewhere, an .npz file.
        store: The recordings, for a run.
        k: Number of neighbours.
        common: Further options.
    """
    _frozen([run], store, "knn", common, k=k)


def eval_retrieval(
    run: RunPath,
    store: StorePath = None,
    /,
    *,
    ks: tuple[int, ...] = (),
    common: CommonArgs = COMMON,
) -> None:
    """Retrieval: test clips look for clips of their class among the training clips.

    Args:
        run: A finished run; or features from elsewhere, an .npz file.
        store: The recordings, for a run.
        ks: How many of the nearest are looked at for recall; 1, 5 and 10 unless given.
        common: Further options.
    """
    _frozen([run], store, "retrieval", common, ks=ks)


def eval_few_shot(
    run: RunPath,
    store: StorePath = None,
    /,
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int = 5,
    episodes: int = 1000,
    seed: int = 0,
    by_group: bool = False,
    common: CommonArgs = COMMON,
) -> None:
    """Few-shot classification: episodes of a few classes with a few labelled clips, from the test part.

    Args:
        run: A finished run; or features from elsewhere, an .npz file.
        store: The recordings, for a run.
        ways: Classes of an episode.
        shots: Labelled clips of each class.
        queries: Clips of each class that are classified.
        episodes: Number of episodes.
        seed: Decides the episodes.
        by_group: Classify no clip of a class by known clips of the same subject.
        common: Further options.
    """
    _frozen(
        [run],
        store,
        "few-shot",
        common,
        ways=ways,
        shots=shots,
        queries=queries,
        episodes=episodes,
        seed=seed,
        by_group=by_group,
    )


def eval_clustering(
    run: RunPath, store: StorePath = None, /, *, seed: int = 0, common: CommonArgs = COMMON
) -> None:
    """Clustering: do clusters of the test clips, found without labels, agree with the classes.

    Args:
        run: A finished run; or features from elsewhere, an .npz file.
        store: The recordings, for a run.
        seed: Decides the first centres.
        common: Further options.
    """
    _frozen([run], store, "clustering", common, seed=seed)


def eval_fuse(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    weights: tuple[float, ...] = (),
    protocol: Literal["linear", "mlp", "knn", "retrieval"] = "linear",
    k: int = 1,
    common: CommonArgs = COMMON,
) -> None:
    """Late fusion of the streams of one run or several: RUN [RUN ...] STORE.

    Args:
        paths: Finished runs, and last the store. A run of several streams counts as so many.
        weights: One for each stream, in the order of the runs; AimCLR's are 0.6 (joint), 0.4 (motion) and 0.6
            (bone). Equal unless given.
        protocol: Add the logits of probes, or the similarities of nearest neighbours.
        k: Number of neighbours.
        common: Further options.
    """
    if len(paths) < 2:
        raise ValueError("expected: skel eval fuse RUN [RUN ...] STORE")
    *runs, store = paths
    options: dict[str, Any] = {"k": k} if protocol == "knn" else {}
    _frozen(runs, store, protocol, common, weights=weights or None, **options)


def eval_robust(
    run: RunPath,
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    seed: int = 0,
    common: CommonArgs = COMMON,
) -> None:
    """Robustness: linear probes on test recordings with faults: missing joints, noise, another view, ...

    Args:
        run: A finished run.
        store: The recordings.
        seed: Decides the faults.
        common: Further options.
    """
    from skel_data import Store
    from skel_recipes._robust import robustness
    from skel_recipes._run import Run

    evaluation = robustness(
        Run.open(run),
        Store.open(store),
        stream_name=common.stream,
        split=common.split,
        convert=common.convert,
        seed=seed,
        device=common.device,
        tag=common.tag,
    )
    tell(evaluation, run, common)


def _frozen(
    runs: list[Path], store: Path | None, protocol: str, common: Common, *, tag: str = "", **options: Any
) -> None:
    if len(runs) == 1 and runs[0].suffix == ".npz":
        _foreign(runs[0], store, protocol, common, **options)
        return
    if store is None:
        raise ValueError(f"expected: skel eval {protocol} RUN STORE, or skel eval {protocol} FEATURES.npz")
    from skel_data import Store
    from skel_recipes._evaluate import evaluate
    from skel_recipes._run import Run

    evaluation = evaluate(
        [Run.open(run) for run in runs],
        Store.open(store),
        protocol,
        stream=common.stream,
        split=common.split,
        convert=common.convert,
        device=common.device,
        tag=common.tag or tag,
        **options,
    )
    tell(evaluation, runs[0], common)


def _foreign(file: Path, store: Path | None, protocol: str, common: Common, **options: Any) -> None:
    """Features of any model, with their labels and split."""
    if store is not None:
        raise ValueError(f"{file} has its own labels and split: it takes no store, got {store}")
    given = [
        name
        for name in ("stream", "split", "convert", "tag")
        if getattr(common, name) != getattr(COMMON, name)
    ]
    if given:
        raise ValueError(
            f"{file} has its own labels and split, and nothing is kept: it takes no --{', --'.join(given)}"
        )
    from skel_eval import FeatureSet, evaluate_features
    from skel_recipes._device import pick_device
    from skel_recipes._result import scores_of

    device = str(pick_device(common.device))
    outcome = evaluate_features(FeatureSet.load(file), protocol, device=device, **options)
    scores = scores_of(outcome)
    if common.json:
        say_json({"protocol": protocol, "features": str(file), **scores, "settings": outcome.settings})
    else:
        say(
            table(
                [(str(file), protocol), *((name, f"{100 * value:.1f} %") for name, value in scores.items())]
            )
        )


def tell(evaluation: Any, run: Path, common: Common) -> None:
    """Renew the run's report, and print the result."""
    from skel_recipes._report import report
    from skel_recipes._run import Run

    file = report(Run.open(run), evaluation)
    if common.json:
        say_json(evaluation.result)
    else:
        say(as_table(evaluation.result))
        if seen := evaluation.result["test_clips_seen_in_pretraining"]:
            note(f"{seen} of these test clips were seen in pretraining, without their labels")
        elif seen is None:
            note("test clips seen in pretraining cannot be told: joints were converted, or its store is gone")
        note(f"report: {file}")


def as_table(result: dict[str, Any]) -> str:
    """A result and its baselines as text."""
    main = result["headline"]
    apart = f"{main}_without_copies"
    title = (
        f"{result['protocol']} {result['stream']}, {result['dataset']} {result['split']}, "
        f"{result['test_clips']} test clips"
    )
    copies = result["test_clips_that_are_copies"]
    columns = [main, *([apart] if apart in result else [])]
    names = {main: main.replace("_", " "), apart: f"without {copies} copies"}
    rows = [(title, *(names[column] for column in columns))]
    for name, scores in {result["recipe"]: result, **result["baselines"]}.items():
        rows.append((name, *(f"{100 * scores[key]:.1f} %" if key in scores else "" for key in columns)))
    return table(rows)
