import pytest
import torch
from torch import nn

from skel_recipes.common.device import World
from skel_recipes.train.sync_norm import SyncNorm, synchronise_norms

NORMS = {
    (6, 3): nn.BatchNorm1d(3),
    (6, 3, 4): nn.BatchNorm1d(3, affine=False),
    (6, 3, 4, 5): nn.BatchNorm2d(3, momentum=None),
    (5, 3, 2): nn.BatchNorm1d(3, track_running_stats=False),
}


def pair(shape, gather=lambda x: x):
    """BatchNorm and what stands for it, each with weights of its own."""
    torch.manual_seed(0)
    norm = NORMS[shape]
    plain, other = (
        type(norm)(
            3, momentum=norm.momentum, affine=norm.affine, track_running_stats=norm.track_running_stats
        )
        for _ in range(2)
    )
    for module in (plain.double(), other.double()):
        if module.affine:
            nn.init.uniform_(module.weight, generator=torch.Generator().manual_seed(1))
    return plain, SyncNorm.of(other, gather)


@pytest.mark.parametrize("shape", NORMS)
def test_one_process_is_batch_norm(shape):
    plain, sync = pair(shape)
    x = (3 + 2 * torch.randn(shape, dtype=torch.double)).requires_grad_()
    y = x.detach().clone().requires_grad_()
    for _ in range(2):
        ours, theirs = sync(y), plain(x)
        torch.testing.assert_close(ours, theirs)
        for out in (ours, theirs):
            (out * torch.linspace(0, 1, out.numel(), dtype=torch.double).view(shape)).sum().backward()
    torch.testing.assert_close(y.grad, x.grad)
    for (name, a), b in zip(plain.named_parameters(), sync.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=name)
    for (name, a), b in zip(plain.named_buffers(), sync.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)
    assert plain.state_dict().keys() == sync.state_dict().keys()
    torch.testing.assert_close(sync.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("split", [0, 2, 3])
def test_rows_may_be_spread_unevenly(split):
    """Statistics of two processes, the second of which computes what the first gathers."""
    rows = 3 + torch.randn(6, 3, 4, dtype=torch.double)
    theirs = []
    _, second = pair((6, 3), lambda x: theirs.append(x) or x)
    second(rows[split:])
    plain, first = pair((6, 3), lambda x: torch.cat([x, theirs[0]]))
    torch.testing.assert_close(first(rows[:split]), plain(rows)[:split])
    torch.testing.assert_close(first.running_var, plain.running_var)


def test_every_norm_is_replaced_and_weights_stay():
    module = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4), nn.ReLU()))
    weights = [id(weight) for weight in module.parameters()]
    assert synchronise_norms(module, World(), torch.device("cpu")) is module
    assert type(module[1][0]) is nn.BatchNorm1d
    synchronise_norms(module, World(0, 2), torch.device("cpu"))
    assert type(module[1][0]) is SyncNorm
    assert [id(weight) for weight in module.parameters()] == weights


def test_half_precision_keeps_its_type_and_full_statistics():
    _, sync = pair((6, 3))
    x = 100 + torch.randn(6, 3)
    assert sync.float()(x.bfloat16()).dtype == torch.bfloat16
    assert sync.running_mean.dtype == torch.float32
