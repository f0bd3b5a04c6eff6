import pytest
import torch
from torch import nn

from skel_eval import state_digest, unchanged


class Updating(nn.BatchNorm1d):
    """The fault: statistics that are updated in eval mode, too."""

    def forward(self, x):
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, training=True)


class Counting(nn.Linear):
    """The fault: a buffer outside of the state dict that counts calls."""

    def __init__(self):
        super().__init__(4, 4)
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


def encoder(last=None):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), last or nn.Identity())


X = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))


def test_smoke():
    module = encoder()
    module[2].eval()
    before = state_digest(module.state_dict())
    with unchanged(module) as used:
        assert used is module
        assert not any(part.training for part in module.modules())
        features = used(X)
    assert not features.requires_grad
    assert state_digest(module.state_dict()) == before
    assert [part.training for part in module] == [True, True, False, True]
    torch.testing.assert_close(module.eval()(X), features)


@pytest.mark.parametrize(
    ("last", "name"), [(Updating(4), "3.running_mean, 3.running_var"), (Counting(), "3.calls")]
)
def test_a_module_that_changes_itself_is_caught(last, name):
    module = encoder(last)
    with pytest.raises(RuntimeError, match=f"changed while it was evaluated: {name}$"), unchanged(module):
        module(X)
    assert module.training


FAULTS = {
    "train mode": lambda module: module.train()(X),
    "new buffer": lambda module: module.register_buffer("more", torch.zeros(1)),
    "lost buffer": lambda module: delattr(module[1], "running_mean"),
    "sign of zero": lambda module: module[0].bias.neg_(),
    "dtype": lambda module: module.double(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_caller_does_is_caught(fault):
    module = encoder()
    nn.init.zeros_(module[0].bias)
    with pytest.raises(RuntimeError, match="tensors? of the module changed"), unchanged(module):
        FAULTS[fault](module)


def test_not_a_number_is_equal_to_itself():
    module = encoder()
    module[1].running_mean.fill_(torch.nan)
    with unchanged(module):
        module(X)


def test_an_error_inside_is_not_hidden():
    module = encoder()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), unchanged(module):
        module(module[0].weight.zero_().T)
    assert module.training


def test_state_digest_of_any_tensor():
    state = {"a": torch.zeros(()), "b": torch.ones(2, 3).T, "c": torch.tensor([True]), "d": torch.zeros(0)}
    digest = state_digest(state)
    assert digest == state_digest({name: value.clone() for name, value in state.items()})
    assert digest != state_digest({**state, "a": -torch.zeros(())})
    assert digest != state_digest({**state, "b": torch.ones(2, 3)[:, :2]})
    assert len(digest) == 16
