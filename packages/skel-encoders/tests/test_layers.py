import pytest
import torch

from skel_encoders.layers import Dropout


def test_errors():
    with pytest.raises(ValueError, match="dropout must lie in"):
        Dropout(1.0)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_rate_and_scale(p):
    torch.manual_seed(0)
    x = torch.ones(200_003)
    y = Dropout(p)(x)
    kept = y > 0
    # Five standard deviations of a binomial share.
    assert abs(kept.double().mean() - (1 - p)) < 5 * (p * (1 - p) / len(x)) ** 0.5
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / (1 - p)), rtol=1e-4, atol=0)


def test_neighbours_are_independent():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(400_000)) > 0).double()
    for lag in (1, 2, 3, 4):
        both = (kept[lag:] * kept[:-lag]).mean()
        assert abs(both - 0.25) < 5 * (0.25 * 0.75 / len(kept)) ** 0.5


def test_off_when_evaluating_or_zero():
    x = torch.randn(5, 7)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_gradient_is_the_mask():
    x = torch.ones(1000, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())


@pytest.mark.parametrize(
    "lay", [lambda x: x.contiguous(memory_format=torch.channels_last), lambda x: x[:, ::2]]
)
def test_any_memory_layout(lay):
    torch.manual_seed(0)
    x = lay(torch.randn(8, 6, 9, 11))
    y = Dropout(0.5)(x)
    kept = y != 0
    assert abs(kept.double().mean() - 0.5) < 5 * (0.25 / x.numel()) ** 0.5
    torch.testing.assert_close(y[kept], 2 * x[kept])
