"""Batched augmentation of skeleton clips on the device: sample parameters per clip, then apply.

Axis letters: n clips, c channels, t frames, v joints, m bodies; clips are (N, C, T, V, M).
"""

from skel_augment._augmentation import Augmentation
from skel_augment._build import AUGMENTATIONS, build_view, describe_view, preset, preset_names
from skel_augment._choice import OneOf
from skel_augment._frame_masks import FrameDrop, MotionAttentionMask, TemporalSegmentMask
from skel_augment._graph import add_edges, drop_edges
from skel_augment._joint_masks import CentralSpatialMask, JointMask, PartMask, StructuralSpatialMask
from skel_augment._joints import JointDistortion, SpatialFlip
from skel_augment._mask_params import CalmFrames, FrameMask, PointMask
from skel_augment._mix import Mix, PartMix
from skel_augment._noise import GaussianNoise, JointJitter
from skel_augment._params import Chain, Params, fold
from skel_augment._point_params import Affine, JointAffine, JointMap, Noise
from skel_augment._rotations import (
    EulerRotation,
    RandomAxisRotation,
    RandomRotation,
    Tilt,
    Yaw,
    quaternion_matrix,
    rotation_matrix,
)
from skel_augment._space import AxisMask, Scale, Shear, shear_matrix
from skel_augment._time import (
    GaussianBlur,
    SegmentShuffle,
    SpeedChange,
    TemporalCrop,
    TemporalCropResize,
    TimeFlip,
    TimeWarp,
)
from skel_augment._time_params import FilledWindow, TimeFilter, TimeIndex, TimePosition
from skel_augment._view import View, sample_views

__all__ = [
    "AUGMENTATIONS",
    "Affine",
    "Augmentation",
    "AxisMask",
    "CalmFrames",
    "CentralSpatialMask",
    "Chain",
    "EulerRotation",
    "FilledWindow",
    "FrameDrop",
    "FrameMask",
    "GaussianBlur",
    "GaussianNoise",
    "JointAffine",
    "JointDistortion",
    "JointJitter",
    "JointMap",
    "JointMask",
    "Mix",
    "MotionAttentionMask",
    "Noise",
    "OneOf",
    "Params",
    "PartMask",
    "PartMix",
    "PointMask",
    "RandomAxisRotation",
    "RandomRotation",
    "Scale",
    "SegmentShuffle",
    "Shear",
    "SpatialFlip",
    "SpeedChange",
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
    "add_edges",
    "build_view",
    "describe_view",
    "drop_edges",
    "fold",
    "preset",
    "preset_names",
    "quaternion_matrix",
    "rotation_matrix",
    "sample_views",
    "shear_matrix",
]
__version__ = "0.1.0"
