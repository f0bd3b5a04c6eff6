"""What holds for every method: any layout, bodies and length, and places that nobody takes change no loss."""

import pytest
import torch
from attrs import evolve, fields

from skel_augment import View
from skel_data import ClipShape, SkeletonLayout, get_layout
from skel_recipes import MethodContext, build_method, load_recipe, recipe_names
from skel_recipes.methods import METHODS

FRAMES = 13  # a multiple of no tubelet and no stride
OWN_TESTS = ["mamp", "mae", "after-amr", "crrl", "slim"]
"""Of which test_masked.py, test_crrl.py and test_slim.py ask the same."""
ALL_PLACES = ["scdnet", "usdrl", "umurl"]
"""Whose published encoders make tokens of all places, taken or not."""


def layout_of(joints):
    """A preset, or COCO's joints without eyes and ears."""
    if joints != 13:
        return get_layout({17: "coco-17", 20: "utd-20", 25: "ntu-25", 31: "hdm05-31"}[joints])
    data = get_layout("coco-17").to_dict() | {"name": "body-13"}
    gone = {f"{side} {part}" for side in ("left", "right") for part in ("eye", "ear")}
    for key in ("joints", "shoulders", "hips"):
        data[key] = [joint for joint in data.get(key, []) if joint not in gone]
    for key in ("bones", "mirror"):
        data[key] = [pair for pair in data[key] if not gone & set(pair)]
    data["parts"] = {part: [j for j in joints if j not in gone] for part, joints in data["parts"].items()}
    return SkeletonLayout.from_dict(data)


def make(recipe, layout, frames, bodies):
    return build_method(recipe, MethodContext(ClipShape(layout, frames, bodies), recipe.data.stream, 40))


def batch(layout, frames, bodies):
    return torch.randn(
        8, layout.channels, frames, layout.num_joints, bodies, generator=torch.Generator().manual_seed(1)
    )


def losses(method, clips, epoch=1):
    torch.manual_seed(0)  # for dropout
    return method(clips, epoch=epoch, generator=torch.Generator().manual_seed(0))


def test_all_are_tested(recipes):
    assert {METHODS.name_of(type(load_recipe(name).method)) for name in recipes} == set(METHODS)
    assert {name for name in recipe_names() if "/" not in name} == {*recipes, "compact-2s"}


@pytest.mark.parametrize("joints", [13, 17, 20, 25, 31])
def test_layouts_bodies_and_lengths(recipe_name, joints, tiny):
    recipe, layout = tiny(recipe_name, data__pipeline__frames=FRAMES), layout_of(joints)
    for bodies, epoch in ((1, 0), (2, 1)):  # the first stage and the second
        method = make(recipe, layout, FRAMES, bodies)
        found = losses(method, batch(layout, FRAMES, bodies), epoch)
        assert all(loss.shape == () and loss.isfinite() for loss in found.values())
        found["loss"].backward()
        grads = [weight.grad for name, weight in method.named_parameters() if "teacher" not in name]
        assert all(grad is not None and grad.isfinite().all() for grad in grads)


def test_views_leave_empty_places_empty(recipe_name, tiny, monkeypatch):
    method = make(tiny(recipe_name), layout_of(25), 16, 2)
    clips = batch(layout_of(25), 16, 2)
    clips[::2, ..., 1] = 0
    seen = []
    real = MethodContext.apply

    def apply(self, shown, view, params):
        views = real(self, shown, view, params)
        seen.extend((shown, drawn) for drawn in views.values())
        return views

    monkeypatch.setattr(MethodContext, "apply", apply)
    losses(method, clips)
    for shown, drawn in seen:
        absent = ~shown.flatten(1, 3).any(1)
        assert not drawn.movedim(4, 1)[absent].any()


def widen(wide, narrow):
    """Give a method of three places the weights of one of two; what only the third place has stays."""
    theirs = narrow.state_dict()
    for name, ours in wide.state_dict().items():
        for axis, size in enumerate(theirs[name].shape):
            if size != ours.shape[axis]:  # of joints, channels, bodies
                ours = ours.movedim(axis, -1).unflatten(-1, (-1, 3))[..., :2]
                ours.copy_(theirs[name].movedim(axis, -1).unflatten(-1, (-1, 2)))
                break
        else:
            ours.copy_(theirs[name])


def still(recipe, tiny):
    """The recipe with views that draw the same for any number of bodies, and an encoder without absent ones.

    The published ST-GCN normalises over absent bodies too, and attention drop counts them.
    """
    yaw, mask = (tiny("vicreg", method__view=[{"name": name}]).method.view for name in ("yaw", "joint_mask"))
    method = recipe.method
    views = [one.name for one in fields(type(method)) if isinstance(getattr(method, one.name), View)]
    settings = {name: mask if name == "masked" else yaw for name in views}
    tcn = tiny("compact").encoder
    if hasattr(method, "keep"):
        settings["keep"] = 1.0
    if hasattr(method, "partner"):
        settings |= {"partner": tcn.name, "partner_settings": tcn.settings}
    encoder = tcn if recipe.encoder.name == "stgcn" else recipe.encoder
    return evolve(recipe, method=evolve(method, **settings), encoder=encoder)


def test_empty_places_change_no_loss(recipe_name, tiny):
    if recipe_name in OWN_TESTS + ALL_PLACES:
        pytest.skip("tested elsewhere, or an encoder that takes all places as they are")
    recipe, layout = still(tiny(recipe_name), tiny), layout_of(25)
    clips = batch(layout, 16, 2).double()
    clips[::2, ..., 1] = clips[1, ..., 0] = 0
    narrow, wide = (make(recipe, layout, 16, bodies).double() for bodies in (2, 3))
    widen(wide, narrow)
    ours, theirs = losses(narrow, clips), losses(wide, torch.cat([clips, 0 * clips[..., :1]], 4))
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-9, atol=1e-12)
