import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import skel_eval


def naive(train, labels, test, k, temperature):
    train = train / np.linalg.norm(train, axis=1, keepdims=True)
    test = test / np.linalg.norm(test, axis=1, keepdims=True)
    predictions, neighbours = [], []
    for query in test:
        similarity = train @ query
        order = np.argsort(-similarity)[:k]
        votes = np.zeros(labels.max() + 1)
        for row in order:
            votes[labels[row]] += np.exp(similarity[row] / temperature)
        predictions.append(votes.argmax())
        neighbours.append(order)
    return np.array(predictions), np.array(neighbours)


def features_of(seed, rows, width=7):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)), rng.integers(0, 5, rows)


@pytest.mark.parametrize("k", [1, 4, 30])
def test_knn_numbers_naive_loop(task, k):
    train, labels, test, _, _ = task
    train, test = train.astype(np.float64), test.astype(np.float64)
    result = skel_eval.knn(train, labels, test, k=k, temperature=0.2)
    predictions, neighbours = naive(train, labels, test, k, 0.2)
    np.testing.assert_array_equal(result.predictions, predictions)
    np.testing.assert_array_equal(result.neighbours, neighbours)
    assert result.votes.shape == (len(test), 4)
    np.testing.assert_allclose(result.votes.sum(1), 1, atol=1e-12)
    assert (np.diff(result.similarities, axis=1) <= 0).all()


def test_knn_one_search_serves_several_k(task):
    train, labels, test, _, _ = task
    found = skel_eval.knn(train, labels, test, k=20, temperature=0.2)
    np.testing.assert_array_equal(found.classes, labels[found.neighbours])
    for k in (1, 5, 20):
        expected = skel_eval.knn(train, labels, test, k=k, temperature=0.2)
        for name in ("predictions", "votes", "neighbours", "similarities", "classes"):
            np.testing.assert_array_equal(getattr(found.at(k), name), getattr(expected, name))
    for k in (0, 21):
        with pytest.raises(ValueError, match=f"k must lie in 1..20, the neighbours found, got {k}"):
            found.at(k)


def test_knn_takes_tensors_and_read_only_arrays(task):
    train, labels, test, _, _ = task
    expected = skel_eval.knn(train, labels, test, k=3)
    train.flags.writeable = False
    tensors = skel_eval.knn(
        torch.tensor(train), torch.tensor(labels, dtype=torch.int32), torch.tensor(test), k=3
    )
    for result in (skel_eval.knn(train, labels, test, k=3), tensors):
        np.testing.assert_array_equal(result.predictions, expected.predictions)
        np.testing.assert_array_equal(result.similarities, expected.similarities)


def test_knn_unlabelled_rows_are_never_neighbours(task):
    train, labels, test, _, _ = task
    hidden = labels.copy()
    hidden[::2] = -1
    result = skel_eval.knn(train, hidden, test, k=5)
    assert (result.neighbours % 2 == 1).all()
    np.testing.assert_array_equal(
        result.predictions, skel_eval.knn(train[1::2], labels[1::2], test, k=5).predictions
    )


def test_knn_low_temperature_does_not_overflow(task):
    train, labels, test, _, _ = task
    result = skel_eval.knn(train, labels, test, k=9, temperature=1e-4)
    assert np.isfinite(result.votes).all()
    np.testing.assert_array_equal(result.predictions, skel_eval.knn(train, labels, test).predictions)


def test_knn_finds_duplicates(task):
    train, labels, _, _, _ = task
    result = skel_eval.knn(train, labels, 3 * train[::-1].copy())
    np.testing.assert_array_equal(result.neighbours[:, 0], np.arange(len(train))[::-1])
    np.testing.assert_array_equal(result.predictions, labels[::-1])


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40))
def test_knn_law_chunk_size_does_not_matter(seed, k, chunk):
    (train, labels), (test, _) = features_of(seed, 30), features_of(seed + 1, 17)
    whole = skel_eval.knn(train, labels, test, k=k)
    parts = skel_eval.knn(train, labels, test, k=k, chunk=chunk)
    np.testing.assert_array_equal(whole.predictions, parts.predictions)
    np.testing.assert_array_equal(whole.neighbours, parts.neighbours)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_knn_law_order_of_train_rows_does_not_matter(seed, k):
    (train, labels), (test, _) = features_of(seed, 30), features_of(seed + 1, 17)
    order = np.random.default_rng(seed).permutation(30)
    plain = skel_eval.knn(train, labels, test, k=k)
    mixed = skel_eval.knn(train[order], labels[order], test, k=k)
    np.testing.assert_array_equal(plain.predictions, mixed.predictions)
    np.testing.assert_array_equal(plain.neighbours, order[mixed.neighbours])


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_knn_law_scale_of_a_clip_does_not_matter(seed, first, second):
    (train, labels), (test, _) = features_of(seed, 30), features_of(seed + 1, 17)
    scaled_train, scaled_test = train.copy(), test.copy()
    scaled_train[::2] *= first
    scaled_test[::3] *= second
    plain, scaled = (
        skel_eval.knn(train, labels, test, k=4),
        skel_eval.knn(scaled_train, labels, scaled_test, k=4),
    )
    np.testing.assert_array_equal(plain.neighbours, scaled.neighbours)
    np.testing.assert_array_equal(plain.predictions, scaled.predictions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"k": 121}, "k must lie in 1..120"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"chunk": 0}, "chunk must be at least 1, got 0"),
        ({"test_x": np.zeros((3, 9), np.float32)}, "same width, got 10 and 9"),
        ({"train_y": np.zeros(7, int)}, r"train_y must have shape \(120,\)"),
        ({"train_y": np.full(120, -1)}, "no labelled row"),
        ({"test_x": np.full((3, 10), np.nan, np.float32)}, "test_x holds values that are not finite"),
        ({"test_x": np.zeros((0, 10), np.float32)}, "test_x must have shape"),
    ],
)
def test_knn_errors(task, change, message):
    train, labels, test, _, _ = task
    arguments = {"train_x": train, "train_y": labels, "test_x": test} | change
    with pytest.raises(ValueError, match=message):
        skel_eval.knn(**arguments)


def test_knn_wrong_types(task):
    train, labels, test, _, _ = task
    with pytest.raises(TypeError, match="train_y must hold integers"):
        skel_eval.knn(train, labels.astype(float), test)
    with pytest.raises(TypeError, match="train_x must be a numpy array or a torch tensor, got list"):
        skel_eval.knn(train.tolist(), labels, test)


@pytest.mark.vectors("knn")
def test_published_numbers(vector):
    tested = [key for key in vector.arrays if key.startswith("out.pred_k")]
    assert tested
    for key in tested:
        k = int(key.removeprefix("out.pred_k"))
        result = skel_eval.knn(
            vector["in.train"],
            vector["in.train_labels"],
            vector["in.test"],
            k=k,
            temperature=vector.config["temperature"],
        )
        np.testing.assert_array_equal(result.predictions, vector[key])
        rate = skel_eval.accuracy(result.predictions, vector["in.test_labels"])
        assert np.float32(rate) == vector[f"out.acc_k{k}"]
