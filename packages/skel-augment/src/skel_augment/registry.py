"""Augmentations and preset views by name; importing this imports none of them."""

import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from skel_data import Registry

if TYPE_CHECKING:
    from skel_augment.augmentation import Augmentation
    from skel_augment.view import View


def _is_augmentation(part: Any) -> bool:
    from skel_augment.augmentation import Augmentation

    return isinstance(part, type) and issubclass(part, Augmentation)


AUGMENTATIONS: "Registry[type[Augmentation]]" = Registry(
    "augmentation",
    {
        "axis_mask": "skel_augment.space:AxisMask",
        "central_spatial_mask": "skel_augment.joints:CentralSpatialMask",
        "euler_rotation": "skel_augment.space:EulerRotation",
        "frame_drop": "skel_augment.masks:FrameDrop",
        "gaussian_blur": "skel_augment.noise:GaussianBlur",
        "gaussian_noise": "skel_augment.noise:GaussianNoise",
        "joint_distortion": "skel_augment.joints:JointDistortion",
        "joint_drift": "skel_augment.noise:JointDrift",
        "joint_jitter": "skel_augment.noise:JointJitter",
        "joint_mask": "skel_augment.joints:JointMask",
        "limb_scale": "skel_augment.space:LimbScale",
        "limb_swap": "skel_augment.joints:LimbSwap",
        "motion_attention_mask": "skel_augment.masks:MotionAttentionMask",
        "one_of": "skel_augment.choice:OneOf",
        "part_mask": "skel_augment.joints:PartMask",
        "part_mix": "skel_augment.mixing:PartMix",
        "random_axis_rotation": "skel_augment.space:RandomAxisRotation",
        "random_rotation": "skel_augment.space:RandomRotation",
        "scale": "skel_augment.space:Scale",
        "segment_shuffle": "skel_augment.time:SegmentShuffle",
        "shear": "skel_augment.space:Shear",
        "spatial_flip": "skel_augment.joints:SpatialFlip",
        "speed_change": "skel_augment.time:SpeedChange",
        "structural_spatial_mask": "skel_augment.joints:StructuralSpatialMask",
        "temporal_crop": "skel_augment.time:TemporalCrop",
        "temporal_crop_resize": "skel_augment.time:TemporalCropResize",
        "temporal_crop_sample": "skel_augment.sampling:TemporalCropSample",
        "temporal_segment_mask": "skel_augment.masks:TemporalSegmentMask",
        "tilt": "skel_augment.space:Tilt",
        "time_flip": "skel_augment.time:TimeFlip",
        "time_warp": "skel_augment.time:TimeWarp",
        "yaw": "skel_augment.space:Yaw",
    },
    fits=_is_augmentation,
    expected="a subclass of skel_augment.Augmentation",
)
"""Classes of augmentations by name; a class is imported when it is looked up."""


@cache
def _presets() -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Steps of the views by name, and other names of views."""
    methods = tomllib.loads((files("skel_augment") / "presets.toml").read_text(encoding="utf-8"))
    aliases: dict[str, str] = methods.pop("aliases")
    views = {f"{method}.{view}": steps for method, named in methods.items() for view, steps in named.items()}
    return views, aliases


def preset_steps() -> dict[str, list[str]]:
    """Names of the steps of each preset view, read without importing the augmentations.

    >>> preset_steps()["aimclr.normal"]
    ['temporal_crop', 'shear']
    """
    views, aliases = _presets()
    names = sorted([*views, *aliases])
    return {name: [step["name"] for step in views[aliases.get(name, name)]] for name in names}


def preset_names() -> tuple[str, ...]:
    """Names of the preset views."""
    return tuple(preset_steps())


@cache
def preset(name: str) -> "View":
    """The view of this name, such as ``aimclr.extreme``.

    Raises:
        ValueError: If there is no such preset.

    >>> len(preset("aimclr.normal").steps)
    2
    """
    from skel_augment.view import build_view

    views, aliases = _presets()
    if name in aliases:
        return preset(aliases[name])
    if name not in views:
        near = get_close_matches(name, preset_names(), 1)
        hint = f"did you mean {near[0]!r}? Presets" if near else "presets"
        raise ValueError(f"no view {name!r}; {hint} are {', '.join(preset_names())}")
    return build_view(views[name])
