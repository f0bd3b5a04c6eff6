import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_data import get_split
from skel_data.readers.datasets._ntu import ntu_clip_table
from skel_data.splits._subset import labelled_subset, without_seen
from skel_data.store._info import ClipTable

LABELS = np.repeat([0, 1, 2, -1], [200, 100, 4, 50])


def test_a_fraction_of_each_class():
    subset = labelled_subset(LABELS, 0.05, seed=0)
    assert np.bincount(LABELS[subset]).tolist() == [10, 5, 1]  # at least one of a small class


def test_a_fraction_of_all():
    sizes = [
        len(labelled_subset(LABELS, part, seed=0, balanced=False)) for part in (0.0001, 0.01, 0.05, 0.1, 1)
    ]
    assert sizes == [1, 3, 15, 30, 304]
    counts = [
        np.bincount(LABELS[labelled_subset(LABELS, 0.01, seed=seed, balanced=False)], minlength=3)
        for seed in range(200)
    ]
    assert (np.array(counts) == 0).any()  # a class may be absent
    assert np.abs(np.mean(counts, 0) - 3 * np.array([200, 100, 4]) / 304).max() < 0.15


def test_the_subset_of_a_seed_is_for_ever():
    labels = np.arange(40) % 4
    assert labelled_subset(labels, 0.1, seed=7).tolist() == [6, 23, 32, 37]
    assert labelled_subset(labels, 0.1, seed=7, balanced=False).tolist() == [6, 24, 32, 37]


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, 5, float("nan"), float("inf")])
def test_a_fraction_is_a_part(fraction):
    with pytest.raises(ValueError, match="fraction must be above 0 and at most 1, got"):
        labelled_subset(LABELS, fraction, seed=0)


def test_labels_must_be_whole_numbers_and_some_known():
    with pytest.raises(ValueError, match=r"whole numbers \(N,\), got float64 \(3,\)"):
        labelled_subset(np.zeros(3), 0.5, seed=0)
    with pytest.raises(ValueError, match=r"whole numbers \(N,\), got int64 \(3, 1\)"):
        labelled_subset(np.zeros((3, 1), np.int64), 0.5, seed=0)
    for labels in ([-1, -1], np.zeros(0, np.int64)):
        with pytest.raises(ValueError, match=f"none of {len(labels)} clips has a label"):
            labelled_subset(labels, 0.5, seed=0)
    with pytest.raises(ValueError, match="seed must not be negative, got -1"):
        labelled_subset(LABELS, 0.5, seed=-1)


some_labels = st.lists(st.integers(-1, 4), min_size=1, max_size=60).filter(lambda labels: max(labels) >= 0)
fractions = st.floats(0, 1, exclude_min=True)


@given(some_labels, fractions, st.integers(0, 2**40), st.booleans())
def test_a_subset_is_ascending_labelled_and_of_the_size(labels, fraction, seed, balanced):
    labels = np.array(labels)
    subset = labelled_subset(labels, fraction, seed=seed, balanced=balanced)
    assert (np.diff(subset) > 0).all()
    assert (labels[subset] >= 0).all()
    groups = [labels == label for label in set(labels[labels >= 0])] if balanced else [labels >= 0]
    for group in groups:
        wanted = max(1, round(fraction * group.sum()))
        assert group[subset].sum() == wanted


@given(some_labels, fractions, fractions, st.integers(0, 99), st.booleans())
def test_a_smaller_subset_lies_within_a_larger(labels, one, other, seed, balanced):
    small, large = (
        labelled_subset(labels, part, seed=seed, balanced=balanced) for part in sorted((one, other))
    )
    assert np.isin(small, large).all()


@given(some_labels, fractions, st.integers(0, 99), st.booleans())
def test_a_subset_depends_on_its_seed_alone(labels, fraction, seed, balanced):
    before = labelled_subset(labels, fraction, seed=seed, balanced=balanced)
    np.random.default_rng(seed).random(5)
    np.random.seed(seed + 1)  # noqa: NPY002 (a caller's state, which must not matter)
    labelled_subset(labels, fraction, seed=seed + 1)
    assert before.tolist() == labelled_subset(list(labels), fraction, seed=seed, balanced=balanced).tolist()


def test_seeds_differ():
    assert len({tuple(labelled_subset(LABELS, 0.05, seed=seed)) for seed in range(20)}) == 20


SMALL = ntu_clip_table(
    ["S001C001P001R001A001", "S001C002P001R001A001", "S001C001P003R001A001", "S001C001P001R002A001"]
)
LARGE = ntu_clip_table(["S018C001P001R001A061", "S001C002P001R001A001", "S001C001P003R001A001"], "ntu120")


def test_what_was_seen_is_left_out():
    test = np.arange(4)
    assert without_seen(SMALL, test, LARGE, np.arange(3)).tolist() == [3]
    assert without_seen(SMALL, test, LARGE, np.arange(3), by="recording").tolist() == [0, 3]
    assert without_seen(SMALL, test, LARGE, np.array([0])).tolist() == [0, 1, 2, 3]
    assert without_seen(SMALL, np.array([3, 1]), LARGE, np.array([2])).tolist() == [3, 1]
    assert without_seen(LARGE, np.arange(3), SMALL, np.array([0])).tolist() == [0, 2]
    assert without_seen(SMALL, test, LARGE, np.zeros(0, np.int64)).tolist() == [0, 1, 2, 3]


def test_facts_that_a_set_does_not_have_are_the_same_for_all():
    table = ClipTable("utd-mhad", [0, 0, 1], subjects=[1, 1, 1], replications=[1, 2, 1])
    assert without_seen(table, np.array([1, 2]), table, np.array([0])).tolist() == [1, 2]
    assert without_seen(table, np.array([0, 1]), table, np.array([0])).tolist() == [1]


def test_what_was_seen_must_be_told():
    other = ClipTable("nw-ucla", [0], [1])
    with pytest.raises(ValueError, match="ntu60 and nw-ucla share no clips, or it is not known which"):
        without_seen(SMALL, np.arange(4), other, np.array([0]))
    for kind, some in (("labels", {"labels": [0, -1]}), ("subjects", {"subjects": [-1, -1]})):
        table = ClipTable("nw-ucla", **{"labels": [0, 0], "subjects": [1, 1], **some})
        with pytest.raises(ValueError, match=f"{kind}: unknown for . of 2 clips"):
            without_seen(table, np.array([0]), table, np.array([1]))
    table = ClipTable("nw-ucla", [0, 0], [1, 1], setups=[1, -1])
    with pytest.raises(ValueError, match="setups: unknown for 1 of 2 clips"):
        without_seen(table, np.array([0]), table, np.array([1]))
    with pytest.raises(ValueError, match="by must be 'performance' or 'recording', got 'name'"):
        without_seen(SMALL, np.arange(4), SMALL, np.arange(4), by="name")


def test_what_was_seen_is_told_of_stores_too(make_store, make_clip):
    clips = [
        make_clip(i, label=0, subject=s, camera=v)
        for i, (s, v) in enumerate([(1, 1), (1, 2), (2, 1), (2, 2)])
    ]
    store = make_store(clips)
    split = get_split(store, "camera-2")
    assert without_seen(store, split.test, store, split.train).tolist() == []
    assert without_seen(store, split.test, store, np.array([0])).tolist() == [3]


numbers = st.lists(st.integers(0, 2), min_size=6, max_size=6)


@given(numbers, numbers, numbers, st.lists(st.integers(0, 5), unique=True), st.lists(st.integers(0, 5)))
def test_the_stricter_leaves_no_more_and_neither_leaves_the_seen(labels, subjects, cameras, test, seen):
    table = ClipTable("d", labels, subjects, cameras)
    test, seen = np.array(test, np.int64), np.array(seen, np.int64)
    strict = without_seen(table, test, table, seen)
    loose = without_seen(table, test, table, seen, by="recording")
    assert np.isin(strict, loose).all()
    assert np.isin(loose, test).all()
    assert not np.isin(loose, seen).any()
