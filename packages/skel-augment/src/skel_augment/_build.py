"""Views from plain data, so that a view can stand in a TOML file, and the views of published methods."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from attrs import asdict, fields

from skel_augment._augmentation import Augmentation
from skel_augment._choice import OneOf
from skel_augment._frame_masks import FrameDrop, MotionAttentionMask, TemporalSegmentMask
from skel_augment._joint_masks import CentralSpatialMask, JointMask, PartMask, StructuralSpatialMask
from skel_augment._joints import JointDistortion, SpatialFlip
from skel_augment._mix import PartMix
from skel_augment._noise import GaussianNoise, JointJitter
from skel_augment._rotations import EulerRotation, RandomAxisRotation, RandomRotation, Tilt, Yaw
from skel_augment._space import AxisMask, Scale, Shear
from skel_augment._time import (
    GaussianBlur,
    SegmentShuffle,
    SpeedChange,
    TemporalCrop,
    TemporalCropResize,
    TimeFlip,
    TimeWarp,
)
from skel_augment._view import View

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "axis_mask": AxisMask,
    "central_spatial_mask": CentralSpatialMask,
    "euler_rotation": EulerRotation,
    "frame_drop": FrameDrop,
    "gaussian_blur": GaussianBlur,
    "gaussian_noise": GaussianNoise,
    "joint_distortion": JointDistortion,
    "joint_jitter": JointJitter,
    "joint_mask": JointMask,
    "motion_attention_mask": MotionAttentionMask,
    "one_of": OneOf,
    "part_mask": PartMask,
    "part_mix": PartMix,
    "random_axis_rotation": RandomAxisRotation,
    "random_rotation": RandomRotation,
    "scale": Scale,
    "segment_shuffle": SegmentShuffle,
    "shear": Shear,
    "spatial_flip": SpatialFlip,
    "speed_change": SpeedChange,
    "structural_spatial_mask": StructuralSpatialMask,
    "temporal_crop": TemporalCrop,
    "temporal_crop_resize": TemporalCropResize,
    "temporal_segment_mask": TemporalSegmentMask,
    "tilt": Tilt,
    "time_flip": TimeFlip,
    "time_warp": TimeWarp,
    "yaw": Yaw,
}


def build_view(steps: Iterable[Mapping[str, Any] | Augmentation]) -> View:
    """A view from plain data, such as a list of tables in a TOML file.

    Args:
        steps: Augmentations, or for each a mapping with its ``name`` (a key of `AUGMENTATIONS`) and settings.
            The ``steps`` of "one_of" are such a list again.

    Raises:
        ValueError: If there is no augmentation of that name, or a setting is unknown or out of range.
        TypeError: If a setting is of the wrong type.

    >>> build_view([{"name": "shear", "amplitude": 0.5, "p": 0.5}]).steps
    (Shear(p=0.5, amplitude=0.5),)
    """
    built: list[Augmentation] = []
    if isinstance(steps, str | Mapping):
        raise TypeError(f"a view is a list of steps, got {steps!r}")
    for place, step in enumerate(steps):
        if not isinstance(step, Mapping | Augmentation):
            raise TypeError(f"step {place} must be a table with its name and settings, got {step!r}")
        built.append(step if isinstance(step, Augmentation) else _build(place, step))
    return View(tuple(built))


def _build(place: int, step: Mapping[str, Any]) -> Augmentation:
    settings = dict(step)
    name = settings.pop("name", None)
    if name not in AUGMENTATIONS:
        raise ValueError(f"step {place}: no augmentation {name!r}; known are {', '.join(AUGMENTATIONS)}")
    kind = AUGMENTATIONS[name]
    known = [attribute.name for attribute in fields(kind)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f"step {place}, {name!r}: unknown settings {unknown}; known are {known}")
    try:
        if kind is OneOf and "steps" in settings:
            settings["steps"] = build_view(settings["steps"]).steps
        return kind(**settings)
    except (TypeError, ValueError) as error:
        # attrs puts the attribute and its definition behind the message; the message is all a reader needs.
        raise type(error)(f"step {place}, {name!r}: {error.args[0] if error.args else error}") from error


def describe_view(view: View) -> list[dict[str, Any]]:
    """The view as plain data that `build_view` and a TOML file can take.

    Raises:
        ValueError: If a step is not one of `AUGMENTATIONS`.
    """
    names = {kind: name for name, kind in AUGMENTATIONS.items()}
    steps = []
    for step in view.steps:
        if type(step) not in names:
            raise ValueError(f"{type(step).__name__} has no name in AUGMENTATIONS")
        settings = asdict(step, recurse=False)
        if isinstance(step, OneOf):
            settings["steps"] = describe_view(View(step.steps))
        steps.append({"name": names[type(step)], **settings})
    return steps


@cache
def _presets() -> dict[str, View]:
    methods = tomllib.loads((files("skel_augment") / "presets.toml").read_text(encoding="utf-8"))
    aliases = methods.pop("aliases")
    views = {
        f"{method}.{view}": build_view(methods[method][view])
        for method in methods
        for view in methods[method]
    }
    return views | {alias: views[name] for alias, name in aliases.items()}


def preset_names() -> tuple[str, ...]:
    """Names of the preset views."""
    return tuple(sorted(_presets()))


def preset(name: str) -> View:
    """The view of this name, such as ``aimclr.extreme``.

    Raises:
        ValueError: If there is no such preset.

    >>> len(preset("aimclr.normal").steps)
    2
    """
    if name not in _presets():
        raise ValueError(f"no view {name!r}; presets are {', '.join(preset_names())}")
    return _presets()[name]
