import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import mmd


def features(n=5, m=7, dim=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, dim, generator=generator, dtype=torch.double) for rows in (n, m)]


def test_shapes():
    assert mmd(*features()).shape == ()


def test_errors():
    with pytest.raises(ValueError, match=r"got \(5, 3\) and \(7, 2\)"):
        mmd(features()[0], features(dim=2)[1])
    with pytest.raises(ValueError, match="one kernel or more, got 0"):
        mmd(*features(), kernels=0)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(0, 100))
def test_equals_means_of_kernels(n, m, kernels, seed):
    first, second = features(n, m, seed=seed)
    rows = torch.cat([first, second])
    squared = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    width = squared.sum() / (len(rows) * (len(rows) - 1))

    def mean(a, b):
        between = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        widths = [width * 2.0 ** (number - kernels // 2) for number in range(kernels)]
        return sum(torch.exp(-between / each) for each in widths).mean()

    expected = mean(first, first) + mean(second, second) - 2 * mean(first, second)
    torch.testing.assert_close(mmd(first, second, kernels=kernels), expected, rtol=1e-9, atol=1e-12)
    assert expected > -1e-12


def test_equal_sets_and_shifted_ones():
    first, second = features(200, 200)
    assert mmd(first, first).abs() < 1e-12
    assert mmd(first, first.flip(0)).abs() < 1e-12
    assert 0 < mmd(first, second) < mmd(first, second + 1) < mmd(first, second + 3)
    assert mmd(torch.ones(2, 3), torch.ones(4, 3)) == 0


@settings(max_examples=20)
@given(st.floats(-5, 5), st.floats(0.1, 10))
def test_offset_scale_and_order_do_not_matter(offset, scale):
    first, second = features()
    torch.testing.assert_close(mmd(scale * second + offset, scale * first + offset), mmd(first, second))


def test_gradients():
    first, second = (x.requires_grad_() for x in features(3, 4))
    # the width is a constant for the gradient: the sets are moved, not spread
    (moved,) = torch.autograd.grad(mmd(first, second + 1), second)
    assert (moved.sum(0) > 0).any()
    shift = torch.zeros(3, dtype=torch.double, requires_grad=True)
    slope = torch.autograd.grad(mmd(first + shift, second + shift), shift)[0]
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-12, rtol=0)


def test_precision_and_compile(same_under_autocast, compiles):
    first, second = features()
    same_under_autocast(mmd, first.float(), second.float())
    compiles(mmd, first, second)
