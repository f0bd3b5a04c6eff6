import pytest
import torch

from skel_ssl_objectives import cmal


@pytest.mark.vectors("cmal")
def test_published_numbers(vector, agree):
    p1, p2 = (torch.from_numpy(vector[f"in.{name}"]).requires_grad_() for name in ("p1", "p2"))
    loss = cmal(p1, p2, torch.from_numpy(vector["in.t1"]), torch.from_numpy(vector["in.t2"]))
    loss.backward()
    gradients = vector.group("grad.")
    agree([(loss, vector["out.cmal"]), (p1.grad, gradients["p1"]), (p2.grad, gradients["p2"])])


def test_attracts_the_other_view_and_repels_the_own_target():
    torch.manual_seed(0)
    p, other, t = torch.randn(4, 8), torch.randn(4, 8), torch.randn(4, 8)
    assert cmal(p, p, t, t) < cmal(p, other, t, t)
    torch.testing.assert_close(cmal(p, p, -p, -p), torch.tensor(-4.0))
    torch.testing.assert_close(cmal(p, p, p, p), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_gradient_reaches_predictions_only():
    p1, p2, t1, t2 = (torch.randn(4, 8, requires_grad=True) for _ in range(4))
    cmal(p1, p2, t1, t2).backward()
    assert all(p.grad.abs().sum() > 0 for p in (p1, p2))
    assert t1.grad is None
    assert t2.grad is None


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    tensors = [torch.randn(4, 8) for _ in range(4)]
    compiles(cmal, *tensors)
    same_under_autocast(cmal, *tensors)
