"""``skel eval``: protocols on the frozen encoder of a run."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from skel_recipes.commands._say import note, say, say_json, table

RunPath = Annotated[Path, tyro.conf.Positional]
StorePath = Annotated[Path, tyro.conf.Positional]


def eval_linear(
    run: RunPath, store: StorePath, /, *, split: str | None = None, device: str = "auto", json: bool = False
) -> None:
    """Linear probe: logistic regression on frozen features.

    Args:
        run: A finished run.
        store: The recordings.
        split: The split; by default the one that was pretrained on.
        device: Where features are computed.
        json: Print JSON.
    """
    _evaluate(run, store, "linear", split=split, k=1, device=device, json=json)


def eval_knn(
    run: RunPath,
    store: StorePath,
    /,
    *,
    k: int = 1,
    split: str | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Nearest neighbours by cosine similarity of frozen features.

    Args:
        run: A finished run.
        store: The recordings.
        k: Number of neighbours.
        split: The split; by default the one that was pretrained on.
        device: Where features are computed.
        json: Print JSON.
    """
    _evaluate(run, store, "knn", split=split, k=k, device=device, json=json)


def _evaluate(
    run: Path,
    store: Path,
    protocol: Literal["linear", "knn"],
    *,
    split: str | None,
    k: int,
    device: str,
    json: bool,
) -> None:
    from skel_data import Store
    from skel_recipes._evaluate import evaluate
    from skel_recipes._report import report
    from skel_recipes._run import Run

    opened, recordings = Run.open(run), Store.open(store)
    evaluation = evaluate(opened, recordings, protocol, split=split, k=k, device=device)
    file = report(opened, recordings, evaluation)
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

    title = f"{result['protocol']}, {result['dataset']} {result['split']}, {result['test_clips']} test clips"
    copies = result["test_clips_that_are_copies"]
    head = (title, "all", *([f"without {copies} copies"] if copies else []))
    rows = [
        row(result["recipe"], result),
        *(row(name, scores) for name, scores in result["baselines"].items()),
    ]
    return table([head, *rows])
