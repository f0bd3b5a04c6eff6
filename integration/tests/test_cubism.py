"""The pretext of TS-Cubism as a method."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from skel_augment import View
from skel_data import ClipShape, get_layout
from skel_recipes import MethodContext, load_recipe
from skel_recipes.methods.cubism import CubismSettings, permutation, permuted

STILL = View(())


class Flat(nn.Module):
    """The clip itself as a feature."""

    def __init__(self, shape):
        super().__init__()
        self.feature_dim = shape.layout.channels * shape.frames * shape.joints * shape.bodies

    def forward(self, clips):
        return clips.flatten(1)


def context(layout="utd-20", frames=9, stream="joint"):
    return MethodContext(ClipShape(get_layout(layout), frames, 1), stream, 40)


def clips(n=12, frames=9, layout="utd-20"):
    layout = get_layout(layout)
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, layout.channels, frames, layout.num_joints, 1, generator=generator)


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("settings", "classes"),
    [
        ({}, {"temporal": 6, "spatial": 3}),
        ({"pretext": "temporal", "segments": 4}, {"temporal": 24}),
        ({"pretext": "spatial"}, {"spatial": 3}),
    ],
)
def test_classes_of_the_heads(settings, classes):
    method = CubismSettings(**settings).build(Flat(context().shape), context())
    assert {name: head.out_features for name, head in method.heads.items()} == classes
    losses = method(clips(), epoch=0, generator=generator())
    assert set(losses) == {"loss", *classes}
    torch.testing.assert_close(losses["loss"], sum(losses[name] for name in classes))


def test_settings_out_of_range():
    for wrong in ({"segments": 1}, {"segments": 7}, {"unchanged": 1.0}):
        with pytest.raises(ValueError, match="segments|unchanged"):
            CubismSettings(**wrong)
    with pytest.raises(ValueError, match=r"method.pretext|pretext"):
        load_recipe("cubism", {"method.pretext": "order"})


def test_layout_without_limbs_can_learn_orders():
    given = context("hand-21")
    assert CubismSettings(pretext="temporal").build(Flat(given.shape), given)
    with pytest.raises(ValueError, match="layout 'hand-21' has no two parts that are mirror images"):
        CubismSettings().build(Flat(given.shape), given)


def test_loss_is_that_of_the_permuted_clips():
    given = context()
    method = CubismSettings(view=STILL, pretext="spatial").build(Flat(given.shape), given)
    loss = method(clips(), epoch=0, generator=generator())["spatial"]
    seen, labels = permuted(given, clips(), STILL, permutation("spatial"), generator())
    torch.testing.assert_close(
        loss, functional.cross_entropy(method.heads["spatial"](seen.flatten(1)), labels)
    )


@pytest.mark.parametrize("stream", ["joint", "motion", "bone"])
def test_permuted_before_the_stream_is_taken(stream):
    """Bones of exchanged limbs begin where the limb now is: they are not the bones, exchanged."""
    given = context(stream=stream)
    seen, labels = permuted(given, clips(), STILL, permutation("spatial"), generator())
    joints, same = permuted(context(), clips(), STILL, permutation("spatial"), generator())
    assert torch.equal(labels, same)
    torch.testing.assert_close(seen, given.apply(joints, STILL, ())[stream])


def test_permuted_before_joints_are_hidden(tiny):
    view = tiny("cubism", method__view="compact.view").method.view
    assert view.before_hiding == len(view.steps) - 1
    still = clips().abs() + 1  # no coordinate is zero
    seen, _ = permuted(context(), still, view, permutation("temporal"), generator())
    hidden = seen.eq(0).all(1).all(1).squeeze(2)  # in all frames, whatever their order
    assert (hidden.sum(1) == 2).all()


def test_learns_to_tell_orders():
    """Clips that move one way: a linear classifier of their coordinates tells the orders."""
    given = context(frames=12)
    torch.manual_seed(0)
    method = CubismSettings(view=STILL, pretext="temporal").build(Flat(given.shape), given)
    path = torch.linspace(0, 1, 12)[:, None, None].expand(12, 20, 1)
    moving = torch.stack([path + 0.01 * noise for noise in clips(16, 12)[:, 0]])
    moving = torch.stack([moving] * 3, 1)
    optimizer, draws = torch.optim.SGD(method.parameters(), 0.5), generator()
    losses = []
    for _ in range(60):
        loss = method(moving, epoch=0, generator=draws)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 < 1.5 < losses[0]
