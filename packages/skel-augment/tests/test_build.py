import math
import tomllib

import pytest
from attrs import asdict

from skel_augment import (
    AUGMENTATIONS,
    EulerRotation,
    GaussianBlur,
    JointDistortion,
    JointMask,
    MotionAttentionMask,
    OneOf,
    PartMask,
    PartMix,
    RandomAxisRotation,
    Shear,
    SpatialFlip,
    StructuralSpatialMask,
    TemporalCrop,
    TemporalCropResize,
    TemporalSegmentMask,
    TimeFlip,
    View,
    build_view,
    describe_view,
    preset,
    preset_names,
    preset_steps,
)
from skel_data import ClipShape, get_layout


def test_view_from_toml():
    text = """
    [[views.extreme]]
    name = "shear"
    amplitude = 1
    [[views.extreme]]
    name = "gaussian_blur"
    sigma = [0.5, 1]
    p = 0.5
    """
    view = build_view(tomllib.loads(text)["views"]["extreme"])
    assert view == View((Shear(1.0), GaussianBlur(sigma=(0.5, 1.0), p=0.5)))


def test_steps_may_be_settings_already():
    assert build_view([Shear(), {"name": "time_flip"}]).steps[0] == Shear()


@pytest.mark.parametrize("name", preset_names())
def test_description_builds_the_same_view(name):
    assert build_view(describe_view(preset(name))) == preset(name)


def test_a_choice_from_toml():
    text = """
    [[view]]
    name = "one_of"
    weights = [3, 1]
    steps = [{ name = "shear" }, { name = "one_of", steps = [{ name = "time_flip", p = 0.5 }] }]
    """
    view = build_view(tomllib.loads(text)["view"])
    assert view == View((OneOf((Shear(), OneOf((TimeFlip(p=0.5),))), (3, 1)),))
    assert build_view(describe_view(view)) == view


def test_a_mistake_in_a_choice_is_named():
    with pytest.raises(ValueError, match=r"step 0, 'one_of': step 1, 'shear': unknown settings \['size'\]"):
        build_view([{"name": "one_of", "steps": [{"name": "yaw"}, {"name": "shear", "size": 1}]}])


def test_settings_are_plain():
    for kind in set(AUGMENTATIONS.values()) - {OneOf}:
        values = list(asdict(kind()).values())
        assert all(isinstance(value, (int, float, str, bool, tuple)) for value in values)
        assert hash(kind()) == hash(kind())


def test_published_views():
    assert preset("aimclr.normal") == View((TemporalCrop(6), Shear(0.5)))
    extreme, released = preset("aimclr.extreme").steps, preset("aimclr.extreme-released").steps
    assert [type(step) for step in extreme] == [type(step) for step in released]
    assert [step.p for step in extreme] == [1, 1, 0.5, 1, 0.5, 0.5, 0.5]
    assert extreme[2] == SpatialFlip(p=0.5)
    assert (extreme[5].normalised, released[5].normalised) == (True, False)
    assert "compact.view" in preset_names()


def test_published_views_that_hide():
    masks = (StructuralSpatialMask(p=0.5), TemporalSegmentMask(p=0.5))
    moved = (RandomAxisRotation(30, 1, p=0.5), SpatialFlip(p=0.5), Shear(1, p=0.5))
    assert preset("scd.view") == View((TemporalCropResize(0.5, 1), *moved, *masks))
    assert preset("scd.view-released") == View(
        (TemporalCropResize(0.1, 1, 64, 64, padded=True), *moved, *masks)
    )
    plain = (TemporalCrop(6), Shear(1), RandomAxisRotation(30, 1), SpatialFlip(p=0.5))
    assert preset("pstl.view") == View(plain)
    assert preset("pstl.temporal") == View((*plain, MotionAttentionMask()))


def test_published_views_that_choose():
    spoilt = OneOf((Shear(1), JointMask(ratio=0.6), JointDistortion(0.6)), (2, 1, 1))
    assert preset("isc.view") == View((TemporalCropResize(0.5, 1), spoilt))
    assert preset("isc.view-released") == View((TemporalCropResize(0.1, 1, 64, 64), spoilt))
    for name in ("cmd", "pcm3", "umurl", "usdrl"):
        assert preset(f"{name}.view-released") is preset("isc.view-released")
    assert preset("pcm3.mixed") == View((*preset("isc.view").steps, PartMix()))
    assert preset("pcm3.masked").steps[1:] == (Shear(1), PartMask(3, 8))


def test_published_views_that_grow():
    basic, normal, masked = (preset(f"hiclr.{name}").steps for name in ("basic", "normal", "masked"))
    assert basic == preset("crossclr.view").steps == normal[:2]
    assert normal == masked[:-1] == preset("aimclr.extreme").steps
    assert masked[-1] == JointMask(ratio=0.1, segments=0)
    assert masked[-1].num_masked(ClipShape(get_layout("ntu-25"), 50)) == 2


def test_other_published_views():
    assert preset("skelemix.mixed") == View((*preset("skelemix.view").steps, PartMix((2, 3), 16, (7, 11))))
    crop, turn = preset("mamp.view").steps
    assert crop == TemporalCropResize(0.5, 1, 64, 120, padded=True)
    assert turn == EulerRotation()
    assert math.radians(turn.degrees) == pytest.approx(0.3, rel=1e-15)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"name": "sheer"}, r"step 1: no augmentation 'sheer'; did you mean 'shear'\? There are axis_mask, "),
        ({"amplitude": 1}, r"step 1 must have the name of an augmentation, got {'amplitude': 1}"),
        (
            {"name": "shear", "amount": 1},
            r"step 1, 'shear': unknown settings \['amount'\]; known are \['p', 'amplitude'\]",
        ),
        ({"name": "shear", "amplitude": -1}, r"step 1, 'shear': 'amplitude' must be >= 0: -1"),
        ({"name": "shear", "amplitude": "a lot"}, r"step 1, 'shear': .*'a lot'"),
    ],
)
def test_mistakes_are_named(step, message):
    with pytest.raises(ValueError, match=message):
        build_view([{"name": "time_flip"}, step])


def test_wrong_types_are_named():
    with pytest.raises(TypeError, match="step 0, 'joint_mask': 'joints' must be"):
        build_view([{"name": "joint_mask", "joints": 1.5}])


@pytest.mark.parametrize("name", ["gaussian_noise", "joint_jitter"])
def test_settings_under_their_old_names(name):
    (step,) = build_view([{"name": name, "spare": "bodies", "std": 0.5}]).steps
    assert (step.keep_zero, step.std) == ("bodies", 0.5)
    with pytest.raises(ValueError, match=r"unknown settings \['spare'\]"):
        build_view([{"name": "shear", "spare": "bodies"}])


def test_unknown_preset():
    with pytest.raises(
        ValueError, match=r"no view 'aimclr.extrem'; did you mean 'aimclr.extreme'\? Presets are "
    ):
        preset("aimclr.extrem")


def test_presets_are_listed_with_their_steps():
    steps = preset_steps()
    assert tuple(steps) == preset_names()
    for name, names in steps.items():
        assert [AUGMENTATIONS[step] for step in names] == [type(step) for step in preset(name).steps]
