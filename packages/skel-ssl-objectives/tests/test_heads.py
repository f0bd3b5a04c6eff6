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
