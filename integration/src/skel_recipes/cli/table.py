"""``skel table``: results of runs and published numbers."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skel_recipes.cli.output import note, say


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
        out: File to write, in place of standard output.
        all: Also show the published cells without a run, each with the command that fills it.
    """
    if not runs and not all:
        raise ValueError("expected: skel table RUN [RUN ...], or: skel table --all")

    from skel_eval import results_table
    from skel_recipes.common.files import write_text
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
        write_text(out, text)
