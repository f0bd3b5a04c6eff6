import pytest
import torch

from skel_data import get_layout
from skel_recipes import Sight, build_method, load_recipe

METHODS = ["compact", "skeletonclr", "aimclr"]


def make(recipe, layout="utd-20", clips=40):
    return build_method(recipe, Sight(get_layout(layout), recipe.data.stream, clips))


def batch(layout="utd-20", bodies=1):
    torch.manual_seed(1)
    layout = get_layout(layout)
    return torch.randn(8, layout.channels, 16, layout.num_joints, bodies)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("layout", ["utd-20", "ntu-25", "coco-17"])
@pytest.mark.parametrize("bodies", [1, 2])
def test_losses_on_any_layout(name, layout, bodies, tiny):
    method = make(tiny(name), layout)
    losses = method(batch(layout, bodies), epoch=1, generator=torch.Generator().manual_seed(0))
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stream", ["joint", "motion", "bone"])
def test_gradient_reaches_encoder_and_projector(name, stream, tiny):
    method = make(tiny(name, data__stream=stream))
    method(batch(), epoch=1, generator=torch.Generator().manual_seed(0))["loss"].backward()
    for part in (method.encoder, method.projector):
        assert all(weight.grad is not None for weight in part.parameters())
    if name != "compact":
        assert all(weight.grad is None for weight in method.teacher.parameters())


@pytest.mark.parametrize("name", ["skeletonclr", "aimclr"])
def test_key_encoder_is_the_moving_average_of_the_query_encoder(name, tiny):
    method = make(tiny(name, method__momentum=0.9))
    expected = [p.detach().clone() for p in method.teacher.parameters()]
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        students = [*method.encoder.parameters(), *method.projector.parameters()]
        expected = [0.9 * e + 0.1 * p.detach() for e, p in zip(expected, students, strict=True)]
        optimizer.zero_grad()
        method(batch(), epoch=0, generator=generator)["loss"].backward()
        optimizer.step()
        for ours, theirs in zip(method.teacher.parameters(), expected, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", ["skeletonclr", "aimclr"])
def test_queue_holds_the_keys_of_past_clips(name, tiny):
    method = make(tiny(name, method__queue_size=0), clips=20)
    assert method.queue.keys.shape == (16, 128)  # four fifths of the set
    before = method.queue.keys.clone()
    method(batch(), epoch=0, generator=torch.Generator().manual_seed(0))
    assert (method.queue.keys[:8] != before[:8]).any(1).all()
    assert torch.equal(method.queue.keys[8:], before[8:])


def test_mining_begins_at_its_epoch(tiny):
    recipe = tiny("aimclr", method__mining_epoch=5, encoder__dropout=0.0)
    losses = [
        make(recipe)(batch(), epoch=epoch, generator=torch.Generator().manual_seed(0))["nce"]
        for epoch in (3, 4, 5)
    ]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("name", METHODS)
def test_weights_follow_from_the_seed(name, tiny):
    first, again, other = (make(tiny(name, train__seed=seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_papers_settings_are_the_defaults():
    settings = type(load_recipe("aimclr").method)()
    assert (settings.queue_size, settings.temperature, settings.momentum) == (32768, 0.07, 0.999)
    assert (settings.mining_epoch, settings.keep, settings.neighbors) == (150, 0.7, 1)
