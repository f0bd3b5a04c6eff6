import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_eval.protocols.holdout import choose_strength, fold_of_rows
from skel_eval.protocols.task import task_of


@pytest.mark.parametrize(("enough", "parts"), [(1, 1), (20, 1), (21, 2), (100, 5), (5000, 5)])
def test_folds_are_held_out_until_enough_rows_were(enough, parts):
    x, y = torch.randn(100, 3, dtype=torch.float64), torch.arange(100) % 2
    fits = []

    def fit(rows, strengths):
        fits.append(rows)
        right = x.new_zeros(2, 3), torch.tensor([0.0, 1.0], dtype=torch.float64)
        return [right for _ in strengths]

    best, rates = choose_strength(fit, task_of(x, y, x, y, None, None, None), (1.0, 10.0), enough=enough)
    assert len(fits) == parts
    assert best == 10.0
    assert rates == ((10.0, 0.5), (1.0, 0.5))


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 8))
def test_law_groups_stay_whole_and_folds_are_used(seed, groups, folds):
    rng = np.random.default_rng(seed)
    group = torch.from_numpy(np.concatenate([np.arange(groups), rng.integers(0, groups, 60)]))
    fold = fold_of_rows(torch.zeros(len(group), dtype=torch.long), group, folds)
    assert all(len(torch.unique(fold[group == value])) == 1 for value in range(groups))
    assert len(torch.unique(fold)) == min(groups, folds)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 8))
def test_law_rows_without_groups_are_stratified(seed, folds):
    labels = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, 50))
    for groups in (None, torch.zeros(50, dtype=torch.long)):
        fold = fold_of_rows(labels, groups, folds)
        for label in range(4):
            shares = torch.bincount(fold[labels == label], minlength=folds)
            assert int(shares.max() - shares.min()) <= 1
