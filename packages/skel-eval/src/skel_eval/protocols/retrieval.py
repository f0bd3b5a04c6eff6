"""Retrieval by cosine similarity: recall and precision at k, mean average precision."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from attrs import define, field
from torch import Tensor

from skel_eval._arrays import Array, as_count, as_features, as_labels, rows_per_block, same_width, unit_rows
from skel_eval._feature_set import FeatureSet
from skel_eval._result import Metric
from skel_eval.protocols.protocol import Outcome


@define(frozen=True)
class Retrieval:
    """Retrieval: test clips look for their class among the training clips, by cosine similarity.

    Queries whose class the gallery lacks do not count; the settings of the outcome say how many.

    Attributes:
        ks: How many of the nearest clips are looked at for recall; none for 1, 5 and 10, if the
            gallery is large enough.
    """

    fuses: ClassVar[Literal["logits", "features"]] = "features"
    title: ClassVar[str] = "retrieval"
    ks: tuple[int, ...] = ()

    def __call__(self, features: FeatureSet, *, device: str | None = None) -> Outcome:
        """Look up the test rows in the training rows; the main metric is the recall at the first k."""
        x, y, train = features.features, features.labels, features.train
        ks = self.ks or [k for k in (1, 5, 10) if k <= (y[train] >= 0).sum()]

        def search(rows: np.ndarray) -> RetrievalResult:
            return retrieval(x[train], y[train], x[rows], y[rows], ks=ks, device=device)

        every = search(features.test)
        values = {f"recall_at_{k}": value for k, value in every.recall.items()}
        metrics = {name: Metric(value) for name, value in values.items()}
        metrics["mean_average_precision"] = Metric(every.mean_average_precision)
        kept = np.setdiff1d(features.test, features.copies)
        kept = kept[np.isin(y[kept], y[train]) & (y[kept] >= 0)]
        if len(features.copies) and len(kept):
            main = next(iter(values))
            metrics[main] = Metric(values[main], distinct=next(iter(search(kept).recall.values())))
        used = {"ks": list(every.recall), "queries": every.queries, "without_match": every.without_match}
        return Outcome(metrics, used)


@define(frozen=True, eq=False)
class RetrievalResult:
    """What `retrieval` found; means are over the queries that count.

    Attributes:
        recall: For each k, the share of queries with a clip of their class among the k nearest.
        precision: For each k, the mean share of the k nearest that are of the class of the query.
        mean_average_precision: Over the whole ranking.
        average_precisions: That of each query, (N_query,); NaN where the query does not count.
        queries: How many queries count.
        without_match: Queries with a label of which the gallery holds no (other) clip.
    """

    recall: dict[int, float]
    precision: dict[int, float]
    mean_average_precision: float
    average_precisions: np.ndarray = field(repr=False)
    queries: int
    without_match: int


@torch.no_grad()
def retrieval(
    gallery_x: Array,
    gallery_y: Array,
    query_x: Array | None = None,
    query_y: Array | None = None,
    *,
    ks: Sequence[int] = (1, 5, 10),
    chunk: int | None = None,
    device: torch.device | str | None = None,
) -> RetrievalResult:
    """Sort the gallery by cosine similarity to each query and count where the clips of its class stand.

    Rankings are complete and exact. A clip of another class that is exactly as similar as a clip of the
    query's class stands before it, so that neither the order of the rows nor a collapsed feature helps. A
    query without a label, or without a clip of its class in the gallery, does not count.

    The queries of one class are taken together, in blocks: their matches are then the same columns, and one
    sort of each row of similarities tells all ranks. A block holds `chunk` x N_gallery similarities, which
    are sorted in place on the CPU; a GPU needs four times that for the sort.

    Args:
        gallery_x: Features, (N_gallery, D).
        gallery_y: Classes, (N_gallery,); rows with a negative label are not in the gallery.
        query_x: Features, (N_query, D); None takes each row of the gallery in turn, with the others as its
            gallery.
        query_y: Classes, (N_query,); given with `query_x`.
        ks: Numbers of nearest clips for recall and precision.
        chunk: Queries per block; None means what fits in 256 MiB. Apart from rounding, results do not depend
            on it.
        device: Where to compute; None means where `gallery_x` is.

    Raises:
        TypeError: If an argument is not an array, or labels are not integers.
        ValueError: If shapes do not match, a feature is not finite, no query counts, or a k is not in
            1..size of the gallery.
    """
    gallery, labels = as_features(gallery_x, "gallery_x"), as_labels(gallery_y, len(gallery_x), "gallery_y")
    if (query_x is None) != (query_y is None):
        raise ValueError("query_x and query_y must be given together, got one of them")
    alone = query_x is None or query_y is None
    query = gallery if query_x is None else as_features(query_x, "query_x")
    wanted = labels if query_y is None else as_labels(query_y, len(query), "query_y")
    same_width(gallery, query, "gallery_x and query_x")

    device = gallery.device if device is None else device
    order = torch.argsort(labels, stable=True)
    order = order[labels[order] >= 0]  # the gallery, one class after the other
    size = len(order) - alone
    ks = tuple(as_count(k, "each of ks") for k in ks)
    if not ks or max(ks) > size:
        raise ValueError(f"each of ks must lie in 1..{size}, the size of the gallery, got {ks}")
    # Equal rows share one similarity: computed apart they may differ in the last digit, by where they stand.
    bank, column = torch.unique(gallery[order.to(gallery.device)].to(device), dim=0, return_inverse=True)
    bank = unit_rows(bank)
    query = unit_rows(query.to(device, bank.dtype))
    step = rows_per_block(len(column), chunk)
    labels = labels[order]
    average = torch.full((len(query),), torch.nan, dtype=torch.float64)
    within = torch.zeros(len(query), len(ks), dtype=torch.float64)  # matches among the k nearest
    for label in torch.unique(wanted[wanted >= 0]):
        first, last = (int(torch.searchsorted(labels, label, right=side)) for side in (False, True))
        if last - first <= alone:
            continue
        rows = order[first:last] if alone else torch.nonzero(wanted == label).squeeze(1)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            similarities = (query[part.to(query.device)] @ bank.T).index_select(1, column)
            ranks = _ranks(similarities, first, last, start if alone else None)
            place = torch.arange(1, ranks.shape[1] + 1, device=ranks.device, dtype=torch.float64)
            average[part] = (place / ranks).mean(1).cpu()
            within[part] = torch.stack([(ranks <= k).sum(1) for k in ks], 1).double().cpu()
    counts = ~average.isnan()
    if not bool(counts.any()):
        raise ValueError("no query counts: none has a label that the gallery holds")
    recall, precision = (within[counts] > 0).double().mean(0), within[counts].mean(0) / torch.tensor(ks)
    return RetrievalResult(
        recall=dict(zip(ks, recall.tolist(), strict=True)),
        precision=dict(zip(ks, precision.tolist(), strict=True)),
        mean_average_precision=float(average[counts].mean()),
        average_precisions=average.numpy(),
        queries=int(counts.sum()),
        without_match=int(((wanted >= 0) & ~counts).sum()),
    )


def _ranks(similarities: Tensor, first: int, last: int, diagonal: int | None) -> Tensor:
    """Ranks from 1 of the matches, the columns `first` to `last`, best first, (queries, matches).

    Args:
        similarities: (queries, N_gallery); overwritten.
        first: First column of a match.
        last: Column after the last match.
        diagonal: Match that is the first query itself, the next one is the second; None: none is.
    """
    matches = similarities[:, first:last].clone()
    similarities[:, first:last] = -torch.inf
    if diagonal is not None:
        matches.diagonal(diagonal).fill_(-torch.inf)
    matches, others = _ascending(matches), _ascending(similarities)
    if diagonal is not None:
        matches = matches[:, 1:]
    not_before = torch.searchsorted(others, matches.flip(1).contiguous())
    place = torch.arange(1, matches.shape[1] + 1, device=matches.device)
    return place + others.shape[1] - not_before


def _ascending(rows: Tensor) -> Tensor:
    """Each row sorted; on the CPU in place, by numpy, which takes a tenth of the time of torch."""
    if rows.device.type != "cpu":
        return rows.sort(1).values
    rows.numpy().sort(1)
    return rows
