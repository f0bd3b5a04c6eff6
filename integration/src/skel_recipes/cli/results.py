"""``skel report``, ``skel compare`` and ``skel table``: the results of runs that were evaluated."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skel_recipes.cli.output import note, say
from skel_recipes.cli.output import table as text_table


def report(
    run: Annotated[Path, tyro.conf.Positional],
    store: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    *,
    device: str = "auto",
) -> None:
    """Draw the report of a run from its evaluations: curves, mistakes, embedding, retrieved clips.

    Example: skel report run

    Args:
        run: A run that was evaluated.
        store: The recordings; those of the pretraining if not given.
        device: Where to compute features that are not kept.
    """
    from skel_data import Store
    from skel_recipes.evaluate import report as page
    from skel_recipes.run.run import Run

    opened = Run.open(run)
    recordings = opened.found_store() if store is None else Store.open(store)
    note(f"report: {page.report(opened, recordings, device=device)}")


def compare(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    out: Path = Path("compare.html"),
    resamples: int = 10_000,
    seed: int = 0,
) -> None:
    """Compare runs with the first of them: results, curves, classes, settings.

    Runs that differ in their seed only are one method. Differences have the interval of a paired bootstrap
    on the test clips that both methods have.

    Example: skel compare run-a run-b

    Args:
        runs: Folders of runs that were evaluated.
        out: Page to write.
        resamples: Resamples of the bootstrap.
        seed: Seed of the bootstrap.
    """
    if out.suffix.lower() != ".html":
        raise ValueError(f"--out must end in .html, got {str(out)!r}")
    if not runs:
        raise ValueError("expected: skel compare RUN [RUN ...]")

    from skel_eval import comparison_notes, comparison_rows
    from skel_recipes.evaluate.compare import compare_runs, comparison_page
    from skel_recipes.run.run import Run

    opened = [Run.open(run) for run in runs]
    found = compare_runs(opened, resamples=resamples, seed=seed)
    say(text_table(comparison_rows(found)))
    for sentence in comparison_notes(found):
        note(sentence)
    note(f"page: {comparison_page(out, found, opened)}")


def table(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    format: Literal["markdown", "latex", "csv"] = "markdown",  # noqa: A002 (the flag's name)
    out: Path | None = None,
    all: bool = False,  # noqa: A002 (the flag's name)
) -> None:
    """Table of the results of runs, with the numbers that others published for the same cell.

    Runs that differ in their seed only are one row: mean and standard deviation in percent.

    Example: skel table run-a run-b --format latex

    Args:
        runs: Folders of runs that were evaluated.
        format: markdown, latex or csv.
        out: File to write, instead of standard output.
        all: Also show the published cells without a run, each with the command that fills it.
    """
    if not runs and not all:
        raise ValueError("expected: skel table RUN [RUN ...], or: skel table --all")

    from skel_data.files import write_atomically
    from skel_eval import results_table
    from skel_recipes.evaluate.evaluate import results_of
    from skel_recipes.evaluate.grouping import group_by_seed
    from skel_recipes.evaluate.table import table_rows
    from skel_recipes.run.run import Run

    opened = [Run.open(run) for run in runs]
    for run in opened:
        if not results_of(run):
            note(f"{run.path} was not evaluated yet: run skel eval linear {run.path} STORE")
    text = results_table(table_rows(group_by_seed(opened), everything=all), format)
    if out is None:
        say(text.removesuffix("\n"))
    else:
        write_atomically(out, text)
