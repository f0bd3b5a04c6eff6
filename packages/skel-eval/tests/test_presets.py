import attrs
import numpy as np
import pytest

import skel_eval
from skel_eval import PUBLISHED_PROTOCOLS, published_protocol

NAMES = sorted(PUBLISHED_PROTOCOLS)


def test_names():
    expected = "aimclr cmcs cmd crossclr crrl hico isc mamp pstl scdnet umurl usdrl"
    assert " ".join(NAMES) == expected
    assert all(published_protocol(name).name == name for name in NAMES)
    with pytest.raises(ValueError, match="called 'moco'; known are aimclr, cmcs, .*usdrl"):
        published_protocol("moco")


@pytest.mark.parametrize("name", NAMES)
def test_all_can_be_run(task, name):
    train, labels, test, truth, _ = task
    protocol = published_protocol(name)
    short = attrs.evolve(protocol.linear.solver, epochs=2)
    result = skel_eval.linear_probe(train / 100, labels, test / 100, truth, solver=short)
    assert np.isfinite(result.logits).all()
    assert protocol.source.startswith("github.com/")


# epochs, batch, learning rate, milestones, as the programs have them
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("aimclr", (100, 128, 3.0, (80,))),
        ("cmcs", (100, 128, 3.0, (80,))),
        ("cmd", (80, 64, 0.1, (50, 70))),
        ("scdnet", (80, 1024, 2.0, (50, 70))),
        ("umurl", (150, 512, 0.03, (120, 140))),
        ("usdrl", (160, 512, 0.006, (120, 140))),
        ("crrl", (85, 16, 0.1, (17, 37, 52, 68, 77))),
    ],
)
def test_numbers(name, numbers):
    linear = published_protocol(name).linear.solver
    assert (linear.epochs, linear.batch_size, linear.learning_rate, linear.milestones) == numbers


def test_heads_of_several_streams():
    """CrosSCLR trains the mean of the logits, CMCS their sum, AimCLR a probe for each stream."""
    found = {name: published_protocol(name).linear for name in ("crossclr", "cmcs", "aimclr")}
    assert {name: (one.fusion, one.solver.mean_logits) for name, one in found.items()} == {
        "crossclr": ("joint", True),
        "cmcs": ("joint", False),
        "aimclr": ("late", False),
    }


def test_crrl_learning_rates():
    # the rate of an epoch is set at the end of the one before it, by "epoch > milestone"
    solver = published_protocol("crrl").linear.solver
    rate, rates = 0.1, []
    for epoch in range(85):
        rates.append(rate)
        rate = 0.1 * 0.5 ** sum(epoch > milestone for milestone in (15, 35, 50, 66, 75))
    np.testing.assert_allclose([solver.learning_rate_at(epoch, 0, 1) for epoch in range(85)], rates)
