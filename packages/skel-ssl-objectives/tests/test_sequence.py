import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import sequence_mse


def pair(n=4, frames=6, dim=3, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, frames, dim, dtype=torch.double, generator=draws)


def test_shapes():
    assert sequence_mse(*pair()).shape == ()
    assert sequence_mse(*pair(), torch.tensor([1, 2, 3, 6])).shape == ()


def test_errors():
    prediction, target = pair()
    for arguments, shapes in [
        ((prediction, target[1:]), r"\(4, 6, 3\), \(3, 6, 3\)"),
        ((prediction[0], target[0]), r"\(6, 3\), \(6, 3\)"),
        ((prediction, target, torch.ones(3)), r"\(4, 6, 3\), \(4, 6, 3\), \(3,\)"),
    ]:
        with pytest.raises(ValueError, match=rf"expected \(N, T, D\), .* got {shapes}"):
            sequence_mse(*arguments)


@pytest.mark.vectors("crrl.reconstruction")
def test_published_numbers(vector, agree):
    prediction = torch.from_numpy(vector["in.prediction"]).requires_grad_()
    target, lengths = (torch.from_numpy(vector[f"in.{name}"]) for name in ("target", "lengths"))
    loss = sequence_mse(prediction, target, lengths)
    loss.backward()
    agree([(loss, vector["out.loss"]), (prediction.grad, vector["grad.prediction"])])


@settings(max_examples=20)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_a_sequence_counts_as_if_it_were_alone(lengths):
    prediction, target = pair(len(lengths))
    alone = [sequence_mse(prediction[i : i + 1, :n], target[i : i + 1, :n]) for i, n in enumerate(lengths)]
    torch.testing.assert_close(
        sequence_mse(prediction, target, torch.tensor(lengths)), torch.stack(alone).mean()
    )


def test_target_is_a_constant():
    prediction, target = (x.requires_grad_() for x in pair().unbind())
    sequence_mse(prediction, target).backward()
    torch.testing.assert_close(prediction.grad, 2 * (prediction - target).detach() / 24)
    assert target.grad is None


def test_half_precision_by_autocast(same_under_autocast):
    prediction, target = pair().float()
    same_under_autocast(sequence_mse, prediction, target, torch.tensor([1, 2, 3, 6]))


def test_compiles(compiles):
    compiles(sequence_mse, *pair(), torch.tensor([1, 2, 3, 6]))
