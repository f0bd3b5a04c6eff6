import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import byol, cosine_distance


def test_errors():
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(2, 4\)"):
        cosine_distance(torch.zeros(3, 4), torch.zeros(2, 4))


@pytest.mark.vectors("cmal")
def test_published_numbers(vector, agree):
    agree(
        [(byol(*(torch.from_numpy(vector[f"in.{x}"]) for x in ("p1", "p2", "t1", "t2"))), vector["out.byol"])]
    )


@settings(max_examples=20)
@given(st.integers(0, 100), st.floats(0.1, 10))
def test_distance_of_unit_vectors(seed, scale):
    torch.manual_seed(seed)
    a, b = torch.randn(5, 7).double(), torch.randn(5, 7).double()
    unit = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    expected = (unit[0] - unit[1]).square().sum(1).mean()
    torch.testing.assert_close(cosine_distance(scale * a, b), expected)


def test_least_when_predictions_meet_the_other_target():
    torch.manual_seed(0)
    t1, t2 = torch.randn(4, 8), torch.randn(4, 8)
    torch.testing.assert_close(byol(2 * t2, 3 * t1, t1, t2), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert byol(t1, t2, t1, t2) > 0


def test_gradient_reaches_predictions_only():
    p1, p2, t1, t2 = (torch.randn(4, 8, requires_grad=True) for _ in range(4))
    byol(p1, p2, t1, t2).backward()
    assert p1.grad.abs().sum() > 0
    assert p2.grad.abs().sum() > 0
    assert t1.grad is None
    assert t2.grad is None


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    tensors = [torch.randn(4, 8) for _ in range(4)]
    compiles(byol, *tensors)
    same_under_autocast(byol, *tensors)
