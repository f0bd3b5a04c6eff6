import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

import skel_eval


def naive(gallery, gallery_y, query, query_y, ks, alone=False):
    """Per query: hits at k, precision at k, average precision; a tie goes to the other class."""
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (gallery, query)]
    rows = []
    for number, (row, label) in enumerate(zip(unit[1], query_y, strict=True)):
        scored = []
        for other, (candidate, its_label) in enumerate(zip(unit[0], gallery_y, strict=True)):
            if its_label >= 0 and not (alone and other == number):
                scored.append((-float(candidate @ row), its_label == label))
        right = np.array([match for _, match in sorted(scored)])
        if label < 0 or not right.any():
            continue
        ranks = np.flatnonzero(right) + 1
        average = np.mean(np.arange(1, len(ranks) + 1) / ranks)
        rows.append([[right[:k].any() for k in ks], [right[:k].mean() for k in ks], average])
    recall, precision, average = (np.array(list(column), float) for column in zip(*rows, strict=True))
    return recall.mean(0), precision.mean(0), average


def check(result, expected, ks):
    recall, precision, average = expected
    np.testing.assert_allclose([result.recall[k] for k in ks], recall, rtol=1e-12)
    np.testing.assert_allclose([result.precision[k] for k in ks], precision, rtol=1e-12)
    found = result.average_precisions
    np.testing.assert_allclose(found[~np.isnan(found)], average, rtol=1e-12)
    assert result.mean_average_precision == pytest.approx(average.mean(), rel=1e-12)
    assert result.queries == len(average)


@pytest.fixture
def wide(task):
    """The task in double precision, so that the naive loop ranks the same."""
    train, labels, test, truth, _ = task
    return train.astype(np.float64), labels, test.astype(np.float64), truth


def test_retrieval_numbers_naive_loop(wide):
    result = skel_eval.retrieval(*wide, ks=(1, 5, 40))
    check(result, naive(*wide, (1, 5, 40)), (1, 5, 40))
    assert result.without_match == 0


def test_retrieval_leave_one_out_numbers_naive_loop(wide):
    train, labels, _, _ = wide
    labels = labels.copy()
    labels[7] = 9  # has no other clip
    labels[8] = -1
    result = skel_eval.retrieval(train, labels, ks=(1, 3), chunk=11)
    check(result, naive(train, labels, train, labels, (1, 3), alone=True), (1, 3))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(result.average_precisions)), [7, 8])
    assert result.without_match == 1


def test_retrieval_numbers_scikit_learn(wide):
    train, labels, test, truth = wide
    result = skel_eval.retrieval(train, labels, test, truth)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test)]
    expected = [
        average_precision_score(labels == label, unit[0] @ row)
        for row, label in zip(unit[1], truth, strict=True)
    ]
    np.testing.assert_allclose(result.average_precisions, expected, rtol=1e-12)


def test_retrieval_recall_at_1_is_accuracy_of_the_nearest_neighbour(task):
    train, labels, test, truth, _ = task
    nearest = skel_eval.knn(train, labels, test).predictions
    result = skel_eval.retrieval(train, labels, test, truth)
    assert result.recall[1] == result.precision[1] == skel_eval.accuracy(nearest, truth)


def test_retrieval_collapsed_features_gain_nothing():
    labels = np.array([0, 0, 0, 1, 1, 2])
    result = skel_eval.retrieval(np.ones((6, 3), np.float32), labels, ks=(1, 3, 4, 5))
    assert result.recall == {1: 0.0, 3: 0.0, 4: 3 / 5, 5: 1.0}  # the others come first
    assert result.mean_average_precision == pytest.approx(
        (3 * (1 / 4 + 2 / 5) / 2 + 2 * (1 / 5)) / 5, rel=1e-12
    )
    assert result.without_match == 1


def test_retrieval_query_without_match_or_label_does_not_count(wide):
    train, labels, test, truth = wide
    plain = skel_eval.retrieval(train, labels, test[2:], truth[2:])
    truth = truth.copy()
    truth[:2] = (-1, 77)
    result = skel_eval.retrieval(train, labels, test, truth)
    assert result.recall == plain.recall
    assert (result.queries, result.without_match) == (len(test) - 2, 1)
    np.testing.assert_array_equal(result.average_precisions[2:], plain.average_precisions)


def test_retrieval_takes_tensors(task):
    expected = skel_eval.retrieval(*task[:4])
    assert skel_eval.retrieval(*map(torch.tensor, task[:4])).recall == expected.recall


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 40), st.booleans())
def test_retrieval_law_ties_order_and_chunks(seed, chunk, alone):
    """Whole numbers of one length give exact ties in plenty."""
    rng = np.random.default_rng(seed)
    corners = np.array([[3, 4], [4, 3], [5, 0], [0, 5], [-3, 4]], np.float64)
    gallery, query = corners[rng.integers(0, 5, 30)], corners[rng.integers(0, 5, 17)]
    gallery_y, query_y = rng.integers(0, 4, 30), rng.integers(0, 4, 17)
    rest = () if alone else (query, query_y)
    result = skel_eval.retrieval(gallery, gallery_y, *rest, ks=(1, 5, 29), chunk=chunk)
    pairs = (gallery, gallery_y) if alone else (query, query_y)
    check(result, naive(gallery, gallery_y, *pairs, (1, 5, 29), alone), (1, 5, 29))
    order = rng.permutation(30)
    mixed = skel_eval.retrieval(gallery[order], gallery_y[order], *rest, ks=(1, 5, 29))
    assert mixed.recall == result.recall
    assert mixed.mean_average_precision == pytest.approx(result.mean_average_precision, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": ()}, "each of ks must lie in 1..120"),
        ({"ks": (1, 121)}, r"each of ks must lie in 1..120, the size of the gallery, got \(1, 121\)"),
        ({"query_x": None, "query_y": None, "ks": (120,)}, "each of ks must lie in 1..119"),
        ({"query_y": None}, "given together"),
        ({"chunk": 0}, "chunk must be at least 1"),
        ({"query_y": np.full(120, 9)}, "no query counts"),
        ({"query_x": np.zeros((120, 9), np.float32)}, "same width, got 10 and 9"),
        ({"query_y": np.zeros(7, int)}, r"query_y must have shape \(120,\)"),
    ],
)
def test_retrieval_errors(task, change, message):
    names = ("gallery_x", "gallery_y", "query_x", "query_y")
    with pytest.raises(ValueError, match=message):
        skel_eval.retrieval(**(dict(zip(names, task[:4], strict=True)) | change))
