import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import nt_xent


def by_hand(first, second, temperature):
    """Equation 1 of SimCLR, anchor by anchor."""
    z = torch.cat([first, second])
    z = z / z.norm(dim=1, keepdim=True)
    count = len(first)
    losses = []
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        scores = torch.exp(z @ z[i] / temperature)
        losses.append(-torch.log(scores[partner] / (scores.sum() - scores[i])))
    return torch.stack(losses).mean()


def test_errors():
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(2, 4\)"):
        nt_xent(torch.zeros(3, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="at least two clips"):
        nt_xent(torch.ones(1, 4), torch.ones(1, 4))
    with pytest.raises(ValueError, match="temperature"):
        nt_xent(torch.ones(2, 4), torch.ones(2, 4), temperature=-1)


@settings(max_examples=20)
@given(st.integers(2, 9), st.floats(0.05, 1.0), st.integers(0, 1000))
def test_equation(count, temperature, seed):
    torch.manual_seed(seed)
    first, second = torch.randn(count, 5).double(), torch.randn(count, 5).double()
    expected = by_hand(first, second, temperature)
    torch.testing.assert_close(nt_xent(first, second, temperature=temperature), expected)
    torch.testing.assert_close(nt_xent(second, first, temperature=temperature), expected)


def test_two_processes_agree_with_one():
    torch.manual_seed(0)
    first, second = torch.randn(6, 5).double(), torch.randn(6, 5).double()
    halves = []
    for rank in (0, 1):
        mine = slice(3 * rank, 3 * rank + 3)
        everyone = iter((first, second))

        def gather(_, everyone=everyone):
            return torch.nn.functional.normalize(next(everyone), dim=1)

        halves.append(nt_xent(first[mine], second[mine], gather=gather, rank=rank))
    torch.testing.assert_close(torch.stack(halves).mean(), nt_xent(first, second))


def test_gradient():
    torch.manual_seed(0)
    pair = [torch.randn(4, 3, dtype=torch.double, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, temperature=0.5), pair)


def test_compiles_without_graph_breaks():
    pair = torch.randn(4, 8), torch.randn(4, 8)
    compiled = torch.compile(nt_xent, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*pair), nt_xent(*pair))


def test_full_precision_under_autocast():
    pair = torch.randn(4, 8), torch.randn(4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        loss = nt_xent(*pair)
    assert torch.equal(loss, nt_xent(*pair))
