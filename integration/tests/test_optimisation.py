import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skel_recipes.train.optimisation import learning_rate

from skel_recipes.config.recipe import OptimSettings


@pytest.mark.parametrize(
    ("schedule", "epoch", "expected"),
    [
        ({"schedule": "constant"}, 99.9, 2.0),
        ({"schedule": "cosine"}, 0, 2.0),
        ({"schedule": "cosine"}, 50, 1.0),
        ({"schedule": "cosine"}, 100, 0.0),
        ({"schedule": "cosine", "warmup_epochs": 10}, 5, 1.0),
        ({"schedule": "cosine", "warmup_epochs": 10}, 10, 2.0),
        ({"schedule": "step", "milestones": (60, 80)}, 59.9, 2.0),
        ({"schedule": "step", "milestones": (60, 80)}, 60, 0.2),
        ({"schedule": "step", "milestones": (60, 80)}, 80, 0.02),
    ],
)
def test_numbers(schedule, epoch, expected):
    assert learning_rate(OptimSettings(lr=2.0, **schedule), epoch, 100) == pytest.approx(expected)


@settings(max_examples=30)
@given(st.floats(0, 100), st.integers(0, 100), st.sampled_from(["constant", "cosine", "step"]))
def test_stays_between_zero_and_the_largest(epoch, warmup, schedule):
    rate = learning_rate(
        OptimSettings(lr=2.0, schedule=schedule, milestones=(50,), warmup_epochs=warmup), epoch, 100
    )
    assert 0 <= rate <= 2.0
