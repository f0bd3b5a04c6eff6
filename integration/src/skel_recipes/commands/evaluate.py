"""``skel eval``: protocols on the frozen encoder of a run."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from skel_recipes.commands._say import note, say, say_json, table

RunPath = Annotated[Path, tyro.conf.Positional]
StorePath = Annotated[Path, tyro.conf.Positional]


def eval_linear(
    run: RunPath,
    store: StorePath,
    /,
    *,
    stream: str | None = None,
    split: str | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Linear probe: logistic regression on frozen features.

    Args:
        run: A finished run; of several streams, their probes are fused in equal parts.
        store: The recordings.
        stream: One of the run's streams alone.
        split: The split; by default the one that was pretrained on.
        device: Where features are computed.
        json: Print JSON.
    """
    _evaluate([run], store, "linear", stream=stream, split=split, device=device, json=json)


def eval_knn(
    run: RunPath,
    store: StorePath,
    /,
    *,
    k: int = 1,
    stream: str | None = None,
    split: str | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Nearest neighbours by cosine similarity of frozen features.

    Args:
        run: A finished run; of several streams, their similarities are added.
        store: The recordings.
        k: Number of neighbours.
        stream: One of the run's streams alone.
        split: The split; by default the one that was pretrained on.
        device: Where features are computed.
        json: Print JSON.
    """
    _evaluate([run], store, "knn", k=k, stream=stream, split=split, device=device, json=json)


def eval_fuse(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    weights: tuple[float, ...] = (),
    protocol: Literal["linear", "knn"] = "linear",
    k: int = 1,
    split: str | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Late fusion of the streams of one run or several: RUN [RUN ...] STORE.

    Args:
        paths: Finished runs, and last the store. A run of several streams counts as so many.
        weights: One for each stream, in the order of the runs; AimCLR's are 0.6 (joint), 0.4 (motion) and 0.6
            (bone). Equal unless given.
        protocol: Add the logits of linear probes, or the similarities of nearest neighbours.
        k: Number of neighbours.
        split: The split; by default the one that the first run was pretrained on.
        device: Where features are computed.
        json: Print JSON.
    """
    if len(paths) < 2:
        raise ValueError("expected: skel eval fuse RUN [RUN ...] STORE")
    *runs, store = paths
    _evaluate(runs, store, protocol, fused=True, weights=weights, k=k, split=split, device=device, json=json)


def _evaluate(
    runs: list[Path],
    store: Path,
    protocol: Literal["linear", "knn"],
    *,
    fused: bool = False,
    weights: tuple[float, ...] = (),
    stream: str | None = None,
    split: str | None,
    k: int = 1,
    device: str,
    json: bool,
) -> None:
    from skel_data import Store
    from skel_recipes._evaluate import evaluate, fuse
    from skel_recipes._report import report
    from skel_recipes._run import Run

    opened, recordings = [Run.open(run) for run in runs], Store.open(store)
    if fused:
        evaluation = fuse(
            opened, recordings, protocol, weights=weights or None, split=split, k=k, device=device
        )
    else:
        evaluation = evaluate(opened[0], recordings, protocol, stream=stream, split=split, k=k, device=device)
    file = report(opened[0], recordings, evaluation)
    if json:
        say_json(evaluation.result)
    else:
        say(as_table(evaluation.result))
        note(f"report: {file}")


def as_table(result: dict[str, Any]) -> str:
    """A result and its baselines as text."""

    def row(name: str, scores: dict[str, float]) -> tuple[str, ...]:
        keys = ["accuracy"] + ["accuracy_without_copies"] * ("accuracy_without_copies" in result)
        return (name, *(f"{100 * scores[key]:.1f} %" if key in scores else "" for key in keys))

    title = (
        f"{result['protocol']} {result['stream']}, {result['dataset']} {result['split']}, "
        f"{result['test_clips']} test clips"
    )
    copies = result["test_clips_that_are_copies"]
    head = (title, "all", *([f"without {copies} copies"] if copies else []))
    rows = [
        row(result["recipe"], result),
        *(row(name, scores) for name, scores in result["baselines"].items()),
    ]
    return table([head, *rows])
