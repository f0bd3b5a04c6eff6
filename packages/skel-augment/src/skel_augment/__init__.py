"""Batched augmentation of skeleton clips on the device: sample parameters per clip, then apply.

Axis letters: n clips, c channels, t frames, v joints, m bodies; clips are (N, C, T, V, M).
"""

from skel_augment._augmentation import Augmentation
from skel_augment._build import AUGMENTATIONS, build_view, describe_view, preset, preset_names
from skel_augment._frame_masks import MotionAttentionMask, TemporalSegmentMask
from skel_augment._joint_masks import CentralSpatialMask, JointMask, StructuralSpatialMask
from skel_augment._joints import SpatialFlip
from skel_augment._mask_params import CalmFrames, FrameMask
from skel_augment._noise import GaussianNoise
from skel_augment._params import Chain, Params, fold
from skel_augment._point_params import Affine, JointMap, Noise
from skel_augment._shape import ClipShape
from skel_augment._space import (
    AxisMask,
    RandomAxisRotation,
    Scale,
    Shear,
    Tilt,
    Yaw,
    rotation_matrix,
    shear_matrix,
)
from skel_augment._time import GaussianBlur, TemporalCrop, TemporalCropResize, TimeFlip, TimeWarp
from skel_augment._time_params import TimeFilter, TimeIndex, TimePosition
from skel_augment._view import View, sample_views

__all__ = [
    "AUGMENTATIONS",
    "Affine",
    "Augmentation",
    "AxisMask",
    "CalmFrames",
    "CentralSpatialMask",
    "Chain",
    "ClipShape",
    "FrameMask",
    "GaussianBlur",
    "GaussianNoise",
    "JointMap",
    "JointMask",
    "MotionAttentionMask",
    "Noise",
    "Params",
    "RandomAxisRotation",
    "Scale",
    "Shear",
    "SpatialFlip",
    "StructuralSpatialMask",
    "TemporalCrop",
    "TemporalCropResize",
    "TemporalSegmentMask",
    "Tilt",
    "TimeFilter",
    "TimeFlip",
    "TimeIndex",
    "TimePosition",
    "TimeWarp",
    "View",
    "Yaw",
    "build_view",
    "describe_view",
    "fold",
    "preset",
    "preset_names",
    "rotation_matrix",
    "sample_views",
    "shear_matrix",
]
__version__ = "0.1.0"
