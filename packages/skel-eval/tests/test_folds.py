import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_eval.protocols.holdout import fold_of_rows


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 8))
def test_law_groups_stay_whole_and_folds_are_used(seed, groups, folds):
    rng = np.random.default_rng(seed)
    group = torch.from_numpy(np.concatenate([np.arange(groups), rng.integers(0, groups, 60)]))
    fold = fold_of_rows(torch.zeros(len(group), dtype=torch.long), group, folds)
    assert all(len(torch.unique(fold[group == value])) == 1 for value in range(groups))
    assert len(torch.unique(fold)) == min(groups, folds)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 8))
def test_law_rows_without_groups_are_stratified(seed, folds):
    labels = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, 50))
    for groups in (None, torch.zeros(50, dtype=torch.long)):
        fold = fold_of_rows(labels, groups, folds)
        for label in range(4):
            shares = torch.bincount(fold[labels == label], minlength=folds)
            assert int(shares.max() - shares.min()) <= 1
