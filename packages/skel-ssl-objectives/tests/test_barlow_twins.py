import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import barlow_twins


def by_hand(first, second, weight):
    """Equation 1 of the paper, from the correlation matrix itself."""
    norm = torch.nn.BatchNorm1d(first.shape[1], affine=False, dtype=first.dtype)
    correlation = norm(first).T @ norm(second) / len(first)
    diagonal = torch.diagonal(correlation)
    beside = correlation - torch.diag(diagonal)
    return (1 - diagonal).square().sum() + weight * beside.square().sum()


def test_errors():
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(2, 4\)"):
        barlow_twins(torch.zeros(3, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="two clips or more"):
        barlow_twins(torch.zeros(1, 4), torch.zeros(1, 4))


@pytest.mark.vectors("barlow")
def test_published_numbers(vector, agree):
    first, second = (torch.from_numpy(vector[f"in.{name}"]).requires_grad_() for name in ("f1", "f2"))
    loss = barlow_twins(first, second, off_diagonal=vector.config["off_diagonal_weight"])
    loss.backward()
    gradients = vector.group("grad.")
    agree([(loss, vector["out.loss"]), (first.grad, gradients["f1"]), (second.grad, gradients["f2"])])
    on_diagonal = barlow_twins(first, second, off_diagonal=0.0)
    agree([(on_diagonal, vector["out.on_diagonal"])])
    agree([(barlow_twins(first, second, off_diagonal=1.0) - on_diagonal, vector["out.off_diagonal"])])


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(1, 12), st.floats(0, 1), st.integers(0, 100))
def test_equation(n, dim, weight, seed):
    torch.manual_seed(seed)
    first, second = torch.randn(n, dim).double(), torch.randn(n, dim).double()
    expected = by_hand(first, second, weight)
    torch.testing.assert_close(barlow_twins(first, second, off_diagonal=weight), expected)


@settings(max_examples=20)
@given(st.floats(0.5, 20), st.floats(-5, 5))
def test_scale_and_offset_do_not_matter(scale, offset):
    torch.manual_seed(0)
    first, second = torch.randn(8, 4).double(), torch.randn(8, 4).double()
    loss = barlow_twins(scale * first + offset, second)
    torch.testing.assert_close(loss, barlow_twins(first, second), rtol=1e-3, atol=0)


def test_two_processes_agree_with_one():
    torch.manual_seed(0)
    first, second = torch.randn(6, 5).double(), torch.randn(6, 5).double()
    everyone = iter((first, second))
    loss = barlow_twins(first[:3], second[:3], gather=lambda _: next(everyone))
    torch.testing.assert_close(loss, barlow_twins(first, second))


def test_gradient():
    torch.manual_seed(0)
    pair = [torch.randn(5, 3, dtype=torch.double, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: barlow_twins(a, b, off_diagonal=0.1), pair)


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    pair = torch.randn(6, 8), torch.randn(6, 8)
    compiles(barlow_twins, *pair)
    same_under_autocast(barlow_twins, *pair)
