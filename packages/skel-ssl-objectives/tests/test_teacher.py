import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skel_ssl_objectives import Teacher


def student():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_starts_equal_and_apart():
    net = student()
    teacher = Teacher(net)
    x = torch.randn(5, 3)
    torch.testing.assert_close(teacher(x), net(x).detach())
    assert not any(p.requires_grad for p in teacher.parameters())
    net[0].weight.data.zero_()
    assert teacher.module[0].weight.abs().sum() > 0


def test_errors():
    with pytest.raises(ValueError, match="momentum must lie in"):
        Teacher(student()).follow(student(), 1.1)
    with pytest.raises(ValueError, match="different parameters"):
        Teacher(student()).follow(nn.Linear(3, 4), 0.5)


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_is_the_moving_average_after_n_steps(momenta):
    net = student().double()
    teacher = Teacher(net)
    expected = [p.detach().clone() for p in net.parameters()]
    generator = torch.Generator().manual_seed(1)
    for momentum in momenta:
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(torch.randn(p.shape, generator=generator))
        teacher.follow(net, momentum)
        expected = [
            momentum * e + (1 - momentum) * p.detach()
            for e, p in zip(expected, net.parameters(), strict=True)
        ]
    for ours, theirs in zip(teacher.parameters(), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_statistics_are_its_own():
    net = student()
    teacher = Teacher(net)
    net(torch.randn(8, 3) + 5)
    teacher.follow(net, 0.0)
    assert teacher.module[1].running_mean.abs().sum() == 0
    teacher(torch.randn(8, 3))
    assert teacher.module[1].running_mean.abs().sum() > 0


def test_no_gradient():
    teacher = Teacher(student())
    assert not teacher(torch.randn(4, 3, requires_grad=True)).requires_grad
