"""``skel report``: the page of a run."""

from pathlib import Path
from typing import Annotated

import tyro

from skel_recipes.cli.output import note


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
