"""Clusters of features without labels, and the clips to label next."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_eval import FeatureSet, Skeleton, find_clusters, typiclust, write_clusters


def blobs(sizes=(9, 6, 4), dims=8, spread=0.02, seed=0):
    """Tight groups of features, with the group of each row, in random order."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = np.eye(dims)[: len(sizes)]
    return (centres[group] + spread * rng.normal(size=(len(group), dims))).astype(np.float32), group


def test_clusters_are_the_groups_largest_first():
    x, group = blobs()
    found = find_clusters(x, 3)
    np.testing.assert_array_equal(found.cluster, group)
    assert (found.neighbours.shape, found.similarities.shape) == ((19, 5), (19, 5))
    members = found.members(2)
    assert set(members) == set(np.flatnonzero(group == 2))
    assert (np.diff(found.distance[members]) >= 0).all()


def test_neighbours_are_those_of_a_plain_sort():
    x, _ = blobs(seed=1)
    found = find_clusters(x, 2, neighbours=3)
    rows = x / np.linalg.norm(x, axis=1, keepdims=True)
    similar = rows @ rows.T
    np.fill_diagonal(similar, -np.inf)
    np.testing.assert_array_equal(found.neighbours, np.argsort(-similar, axis=1)[:, :3])
    np.testing.assert_allclose(found.similarities, -np.sort(-similar, axis=1)[:, :3], rtol=1e-6)


def test_more_neighbours_than_rows_are_all_others():
    x, _ = blobs(sizes=(2, 1))
    assert find_clusters(x, 2, neighbours=9).neighbours.shape == (3, 2)
    assert find_clusters(x[:1], 1).neighbours.shape == (1, 0)


def test_queries_cover_the_groups_that_have_no_label():
    x, group = blobs()
    assert group[typiclust(x, 3).rows].tolist() == [0, 1, 2]
    known = np.flatnonzero(group == 0)[:1]
    assert sorted(group[typiclust(x, 2, labelled=known).rows]) == [1, 2]


def test_the_first_query_is_the_most_typical_row_of_its_cluster():
    x, group = blobs()
    queries = typiclust(x, 3)
    rows = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    for row, typicality in zip(queries.rows, queries.typicality, strict=True):
        mates = np.flatnonzero(group == group[row])
        distances = np.linalg.norm(rows[mates, None] - rows[mates], axis=2)
        means = distances.sum(1) / (len(mates) - 1)  # fewer than 20 others: all count
        assert row == mates[means.argmin()]
        np.testing.assert_allclose(typicality, 1 / means.min(), rtol=1e-3)


@settings(max_examples=20)
@given(st.integers(1, 12), st.integers(0, 7), st.integers(0, 3))
def test_queries_are_distinct_and_have_no_label(budget, known, seed):
    x, _ = blobs(seed=seed)
    labelled = np.random.default_rng(seed).choice(len(x), known, replace=False)
    rows = typiclust(x, budget, labelled=labelled, seed=seed).rows
    assert len(set(rows.tolist())) == budget
    assert not np.isin(rows, labelled).any()
    np.testing.assert_array_equal(rows, typiclust(x, budget, labelled=labelled, seed=seed).rows)


def test_copies_are_no_clusters_of_their_own():
    x = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    assert len(typiclust(x, 10).rows) == 10
    with pytest.raises(ValueError, match="4 clusters need as many different rows, there are 3"):
        find_clusters(x, 4)


def test_errors():
    x, _ = blobs()
    with pytest.raises(ValueError, match="20 queries need as many rows without a label, there are 19"):
        typiclust(x, 20)
    for call in (lambda: typiclust(x, 0), lambda: find_clusters(x, 0)):
        with pytest.raises(ValueError, match="1"):
            call()


def test_gallery(tmp_path):
    x, group = blobs()
    names = [f"clip<{row}>" for row in range(len(x))]
    features = FeatureSet(x, np.full(len(x), -1), np.arange(len(x)), np.array([], int), names=names)
    drawn = []

    def points(row):
        drawn.append(row)
        return np.random.default_rng(row).normal(size=(8, 1, 3, 2))

    skeleton = Skeleton(((0, 1), (1, 2)))
    page = write_clusters(
        tmp_path / "clusters.html", find_clusters(x, 3), features, points, skeleton, title="Clusters", clips=2
    )
    text = page.read_text()
    assert len(drawn) == 6
    assert all(f"clip&lt;{row}&gt;" in text for row in drawn)
    assert group[drawn].tolist() == [0, 0, 1, 1, 2, 2]
    assert "9 clips; the nearest" in text
