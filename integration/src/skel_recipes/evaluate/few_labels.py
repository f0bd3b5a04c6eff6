"""Recordings without labels: clusters to look at, and clips to label next, as tables for people."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define

from skel_data import Store, get_split, with_labels
from skel_data.files import check_folder, write_atomically
from skel_eval import Clusters, Queries, clip_points, find_clusters, typiclust, write_clusters
from skel_recipes.common.words import count
from skel_recipes.evaluate.clip_steps import plane, skeleton_of
from skel_recipes.evaluate.inputs import EvaluationInputs, encoder_refs
from skel_recipes.run.run import Run

COLUMNS = ("clip", "name", "cluster", "typicality", "label")


def cluster(
    run: Run,
    store: Store,
    out: Path,
    clusters: int,
    *,
    gallery: Path | None = None,
    stream: str | None = None,
    convert: bool = False,
    neighbours: int = 5,
    seed: int = 0,
    device: str = "auto",
    told: Callable[[str], object] = str,
) -> Clusters:
    """Cluster all clips of a store by their features; no label is used.

    Args:
        run: A finished run, or an encoder folder.
        store: The recordings, labelled or not.
        out: CSV file: number, name and class of each clip, its cluster, the distance to the centre, and the
            names of the clips nearest to it.
        clusters: Number of clusters.
        gallery: HTML file with the most central clips of each cluster; None for none.
        stream: One of the run's streams; None puts the features of all side by side.
        convert: Bring recordings with other joints to those of the run.
        neighbours: Number of nearest clips that are named for each.
        seed: Seed of k-means.
        device: Where to compute.
        told: Is called with a line that says what part of the recordings is used.

    Raises:
        ValueError: If the joints differ, or there are fewer different clips than clusters.
        FileNotFoundError: If there is no folder for a file.
    """
    for file in (out, gallery):
        if file is not None:
            check_folder(file)
    inputs = EvaluationInputs.of(
        encoder_refs([run], stream=stream),
        store,
        split="all",
        device=device,
        convert=convert,
        needs_labels=False,
    )
    told(f"{store.path}: all {count(len(store), 'clip')}; no label is used")
    features = inputs.embed()
    found = find_clusters(features.features, clusters, neighbours=neighbours, seed=seed)
    names = store.names
    rows = [
        (row, names[row], label, found.cluster[row], f"{found.distance[row]:.4f}", "; ".join(names[near]))
        for row, (label, near) in enumerate(zip(_classes(store), found.neighbours, strict=True))
    ]
    _write_csv(out, ("clip", "name", "label", "cluster", "distance", "nearest"), rows)
    if gallery is not None:
        drawn = plane(inputs.store.layout, run.recipe.data.pipeline)
        write_clusters(
            gallery,
            found,
            features,
            lambda row: clip_points(inputs.clips[row], **drawn),
            skeleton_of(inputs.store.layout),
            title=f"Clusters of {store.dataset}",
        )
    return found


def propose(
    run: Run,
    store: Store,
    out: Path,
    budget: int,
    *,
    stream: str | None = None,
    split: str | None = None,
    convert: bool = False,
    seed: int = 0,
    device: str = "auto",
    told: Callable[[str], object] = str,
) -> Queries:
    """Write a table of the clips to label next: typical ones that differ from each other and from known ones.

    Only clips of the training part are proposed, as test clips must not teach. See `skel_eval.typiclust`.

    Args:
        run: A finished run, or an encoder folder.
        store: The recordings; labels that are there already count.
        out: CSV file, with an empty column ``label`` to fill in.
        budget: Number of clips.
        stream: One of the run's streams; None puts the features of all side by side.
        split: The split; by default the one that was pretrained on, or the store's default; "all" for all
            clips.
        convert: Bring recordings with other joints to those of the run.
        seed: Seed of k-means.
        device: Where to compute.
        told: Is called with a line that says what part of the recordings is used.

    Raises:
        ValueError: If the joints differ, or fewer training clips lack a label.
        FileExistsError: If the file is there: somebody may have filled it in.
        FileNotFoundError: If there is no folder for it.
    """
    check_folder(out)
    if out.exists():
        raise FileExistsError(f"{out} exists already, and may hold labels; name another file")
    known = store.hash == run.info["store"]["hash"]
    chosen = get_split(store, split or (run.info["split"] if known else None), needs_test=False)
    encoders = encoder_refs([run], stream=stream)
    inputs = EvaluationInputs.of(
        encoders, store, split=chosen.name, device=device, convert=convert, needs_labels=False
    )
    pool = chosen.train
    labelled = np.flatnonzero(store.labels[pool] >= 0)
    told(
        f"{store.path}, split {chosen.name}: {count(len(pool), 'training clip')}, of which {len(labelled)} "
        f"have a label; the other {len(store) - len(pool)} of {count(len(store), 'clip')} are left out"
    )
    found = typiclust(inputs.embed().features[pool], budget, labelled=labelled, seed=seed)
    rows = [
        (pool[row], store.names[pool[row]], cluster, f"{typicality:.4f}", "")
        for row, cluster, typicality in zip(found.rows, found.cluster, found.typicality, strict=True)
    ]
    _write_csv(out, COLUMNS, rows)
    return found


@define(frozen=True)
class Labelled:
    """What came back from a filled-in table.

    Attributes:
        store: The new store.
        filled: Number of rows with a label.
        empty: Number of rows without one.
    """

    store: Store
    filled: int
    empty: int


def bring_back(store: Store, table: Path, out: Path, *, overwrite: bool = False) -> Labelled:
    """Write a new store with the labels that were filled in.

    Args:
        store: The recordings that the table speaks of.
        table: CSV file with the columns clip, name and label; others are passed over.
        out: Folder of the new store, to be made.
        overwrite: Replace it if it exists.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If it lacks a column, names a clip that the store does not have, names one twice, or holds
            no label; or as `skel_data.with_labels` does.
        FileExistsError: If the new store exists.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is no text in UTF-8: {error}") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in head else ",")  # as spreadsheets save
    if lost := [name for name in ("clip", "name", "label") if name not in (reader.fieldnames or ())]:
        raise ValueError(f"{table} has no column {', '.join(lost)}; expected clip, name and label")
    labels: dict[int, str] = {}
    seen: set[int] = set()
    for line, row in enumerate(reader, 2):
        number = str(row["clip"] or "").strip()
        index = int(number) if number.isdigit() else -1
        if not 0 <= index < len(store) or row["name"] != store.names[index]:
            raise ValueError(f"{table}, line {line}: {store.path} has no clip {number} named {row['name']!r}")
        if index in seen:
            raise ValueError(f"{table}, line {line}: clip {index} is there twice")
        seen.add(index)
        if label := (row["label"] or "").strip():
            labels[index] = label
    if not labels:
        raise ValueError(f"{table}: none of {count(len(seen), 'row')} has a label")
    made = with_labels(store, out, labels, overwrite=overwrite)
    return Labelled(made, len(labels), len(seen) - len(labels))


def _classes(store: Store) -> list[str]:
    return [store.classes[label] if label >= 0 else "" for label in store.labels.tolist()]


def _write_csv(out: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    write_atomically(out, text.getvalue())
