"""What all protocols share: the arrays they take, and lengths of rows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skel_eval import clustering, feature_health, few_shot, knn, linear_probe, mlp_probe, retrieval, ridge
from skel_eval._arrays import as_count, as_features, as_groups, as_labels, as_tensor, unit_rows


@pytest.mark.parametrize("protocol", [linear_probe, ridge, mlp_probe])
def test_memory_of_any_order_is_taken(task, protocol):
    train_x, train_y, test_x, test_y, _ = task
    expected = protocol(train_x, train_y, test_x, test_y).predictions
    turned = [np.ascontiguousarray(one[::-1])[::-1] for one in (train_x, train_y, test_x, test_y)]
    foreign = [one.astype(one.dtype.newbyteorder(">")) for one in (train_x, train_y, test_x, test_y)]
    for arrays in (turned, foreign):
        np.testing.assert_array_equal(protocol(*arrays).predictions, expected)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.array(["a", "b"]), "real numbers of at most 64 bits, got <U1"),
        (np.array([None, 1]), "got object"),
        (np.zeros(2, np.complex64), "got complex64"),
        (np.zeros(2, np.longdouble), "got float128"),
        (torch.zeros(2, dtype=torch.complex64), "real numbers, got torch.complex64"),
        ([1, 2], "be a numpy array or a torch tensor, got list"),
    ],
)
def test_what_holds_no_numbers_is_refused(values, told):
    with pytest.raises(TypeError, match=f"train_x must .*{told}"):
        as_tensor(values, "train_x")


def test_labels_that_are_codes_are_refused():
    assert as_labels(np.array([65_535, -1]), 2, "y").tolist() == [65_535, -1]
    with pytest.raises(ValueError, match="y must number the classes from 0, below 65536, got 1000000000"):
        as_labels(np.array([1, 10**9]), 2, "y")


def test_groups_that_cannot_be_sorted_are_refused():
    with pytest.raises(TypeError, match="groups must be all numbers or all text"):
        as_groups(["a", None], 2)


@pytest.mark.parametrize("value", [1.0, True, "1", None, np.float64(2)])
def test_counts_are_integers(value):
    assert as_count(np.int32(3), "k") == 3
    with pytest.raises(TypeError, match="k must be an integer, got"):
        as_count(value, "k")


@given(exponent=st.integers(-140, 120), seed=st.integers(0, 99))
def test_law_unit_rows_do_not_depend_on_the_scale(exponent, seed):
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed))
    scaled = x.double() * 2.0**exponent
    torch.testing.assert_close(unit_rows(scaled), unit_rows(x.double()), rtol=0, atol=0)
    if exponent > -100:  # below, single precision itself rounds
        torch.testing.assert_close(unit_rows(scaled.float()), unit_rows(x), rtol=0, atol=0)
    torch.testing.assert_close(unit_rows(x).norm(dim=1), torch.ones(4))


def test_unit_rows_at_the_ends_of_the_range():
    for dtype in (torch.float32, torch.float64):
        info = torch.finfo(dtype)
        smallest = info.smallest_normal
        x = torch.tensor([[info.max, -info.max], [smallest, 0], [0, smallest / 4], [0, 0]], dtype=dtype)
        half = 0.5**0.5
        expected = torch.tensor([[half, -half], [1, 0], [0, 1], [0, 0]], dtype=dtype)
        torch.testing.assert_close(unit_rows(x), expected)


@pytest.mark.parametrize("scale", [2.0**64, 2.0**-60])
def test_protocols_by_cosine_do_not_depend_on_the_scale(task, scale):
    train_x, train_y, test_x, test_y, _ = task
    one, other = (
        (
            knn(train_x * factor, train_y, test_x * factor, k=5).votes,
            retrieval(train_x * factor, train_y, test_x * factor, test_y).average_precisions,
            few_shot(test_x * factor, test_y, ways=3, episodes=50).accuracies,
            clustering(test_x * factor, test_y, restarts=2).clusters,
            feature_health(test_x * factor)["std"],
        )
        for factor in (np.float32(1), np.float32(scale))
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_features_of_half_precision_are_raised():
    assert as_features(torch.ones(2, 3, dtype=torch.bfloat16), "x").dtype == torch.float32
