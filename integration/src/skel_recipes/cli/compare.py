"""``skel compare``: runs side by side."""

from pathlib import Path
from typing import Annotated

import tyro

from skel_recipes.cli.output import note, say, table


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
    say(table(comparison_rows(found)))
    for sentence in comparison_notes(found):
        note(sentence)
    note(f"page: {comparison_page(out, found, opened)}")
