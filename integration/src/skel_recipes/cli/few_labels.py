"""``skel cluster`` and ``skel label``: look at recordings without labels, and label the right ones first."""

from pathlib import Path
from typing import Annotated

import tyro

from skel_recipes.cli.output import note, say


def cluster(
    run: Annotated[Path, tyro.conf.Positional],
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    k: int,
    out: Path = Path("clusters.csv"),
    gallery: Path | None = None,
    neighbours: int = 5,
    stream: str | None = None,
    convert: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Cluster all clips of a store by their features (k-means): look at them before you label.

    Example: skel cluster run utd.store --k 20

    Args:
        run: A finished run, or an encoder folder.
        store: The recordings, labelled or not.
        k: Number of clusters.
        out: CSV file: cluster, distance to its centre and nearest clips of every clip.
        gallery: HTML file with the most central clips of each cluster; next to the CSV file unless given.
        neighbours: Number of nearest clips that are named for each clip.
        stream: Take this stream alone. By default the features of all streams are concatenated, each brought
            to length 1.
        convert: Convert recordings with other joints to those of the run, by the names of the joints.
        seed: Seed of k-means.
        device: Where to compute.
    """
    import numpy as np

    from skel_data import Store
    from skel_recipes.common.words import count
    from skel_recipes.evaluate.few_labels import cluster as find
    from skel_recipes.run.run import Run

    page = out.with_suffix(".html") if gallery is None else gallery
    if page == out:
        raise ValueError(f"--out is a CSV file, and the gallery an .html file, got {out}")
    found = find(
        Run.open(run),
        Store.open(store),
        out,
        k,
        gallery=page,
        stream=stream,
        convert=convert,
        neighbours=neighbours,
        seed=seed,
        device=device,
        told=note,
    )
    sizes = np.bincount(found.cluster)
    say(f"{out} and {page}: {count(k, 'cluster')} of {sizes.min()} to {count(sizes.max(), 'clip')}")


def label(
    run: Annotated[Path, tyro.conf.Positional],
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    out: Path,
    budget: int = 0,
    labels: Path | None = None,
    stream: str | None = None,
    split: str | None = None,
    convert: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Propose the clips to label next, and bring the labels back.

    With --budget it writes a CSV file of typical clips that differ from each other and from those that have a
    label (TypiClust, arXiv 2202.02794): fill in its column "label". With --labels it writes a new store with
    what you filled in.

    Example: skel label run utd.store --budget 50 --out to-label.csv

    Args:
        run: A finished run, or an encoder folder.
        store: The recordings.
        out: CSV file to write; with --labels the folder of the new store.
        budget: Number of clips to propose.
        labels: The CSV file with its column "label" filled in; rows without a label are passed over.
        stream: With --budget: take this stream alone. By default the features of all streams are
            concatenated, each brought to length 1.
        split: With --budget: whose training clips are proposed; "all" for all clips.
        convert: With --budget: convert recordings with other joints to those of the run, by the names of the
            joints.
        overwrite: With --labels: replace the new store if it exists.
        seed: Seed of k-means.
        device: Where to compute.
    """
    if bool(budget) == (labels is not None):
        raise ValueError("expected --budget N, to propose clips, or --labels FILE.csv, to bring labels back")
    proposing: dict[str, object] = {"--stream": stream, "--split": split, "--convert": convert}
    mode, others = ("--budget", {"--overwrite": overwrite}) if labels is None else ("--labels", proposing)
    for flag, value in others.items():
        if value:
            raise ValueError(f"with {mode}, {flag} would have no effect; leave it out")
    from skel_data import Store
    from skel_recipes.common.words import count
    from skel_recipes.evaluate.few_labels import bring_back, propose
    from skel_recipes.run.run import Run

    opened, recordings = Run.open(run), Store.open(store)
    if labels is not None:
        before = int((recordings.labels >= 0).sum())
        note(f"{store}: all {count(len(recordings), 'clip')}, of which {before} have a label")
        made = bring_back(recordings, labels, out, overwrite=overwrite)
        known = int((made.store.labels >= 0).sum())
        say(
            f"{out}: {count(made.filled, 'label')} from {labels}, {count(made.empty, 'row')} without one; "
            f"{known} of {count(len(made.store), 'clip')} have a label now, "
            f"{count(len(made.store.classes), 'class')}"
        )
        return
    found = propose(
        opened,
        recordings,
        out,
        budget,
        stream=stream,
        split=split,
        convert=convert,
        seed=seed,
        device=device,
        told=note,
    )
    say(
        f'{out}: {count(len(found.rows), "clip")} to label; fill in the column "label", then: '
        f"skel label {run} {store} --labels {out} --out NEW.store"
    )
