import pytest
import torch
from torch import nn

from skel_ssl_objectives import mlp_head


@pytest.mark.parametrize(("layers", "linear"), [(1, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_shapes(layers, linear, batch_norm):
    head = mlp_head(8, 16, 4, layers=layers, batch_norm=batch_norm)
    assert head(torch.randn(3, 8)).shape == (3, 4)
    assert sum(isinstance(m, nn.Linear) for m in head) == linear
    assert sum(isinstance(m, nn.BatchNorm1d) for m in head) == (linear - 1) * batch_norm


def test_errors():
    with pytest.raises(ValueError, match="one layer or more"):
        mlp_head(8, 16, 4, layers=0)


def test_output_norm_takes_out_what_outputs_have_in_common():
    torch.manual_seed(0)
    x = torch.randn(16, 8)
    plain = mlp_head(8, 16, 4, batch_norm=True)
    normed = mlp_head(8, 16, 4, batch_norm=True, output_norm=True)
    normed.load_state_dict(plain.state_dict(), strict=False)
    expected = nn.functional.batch_norm(plain(x), None, None, training=True)
    torch.testing.assert_close(normed(x), expected)
    torch.testing.assert_close(normed(x).mean(0), torch.zeros(4), rtol=0, atol=1e-6)
