import pytest
import torch


@pytest.fixture
def agree():
    """Results agree with golden ones to 1e-5 of the largest entry."""

    def check(pairs):
        for ours, theirs in pairs:
            expected = torch.as_tensor(theirs)
            atol = 1e-5 * float(expected.abs().max())
            torch.testing.assert_close(ours.detach(), expected, rtol=0, atol=atol)

    return check


@pytest.fixture
def compiles():
    """A function compiles without graph breaks and gives the same."""

    def check(function, *args):
        compiled = torch.compile(function, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(*args), function(*args))

    return check


@pytest.fixture
def same_under_autocast():
    """A loss is computed in full precision also under autocast."""

    def check(function, *args):
        with torch.autocast("cpu", torch.bfloat16):
            result = function(*args)
        torch.testing.assert_close(result, function(*args), rtol=0, atol=0)

    return check
