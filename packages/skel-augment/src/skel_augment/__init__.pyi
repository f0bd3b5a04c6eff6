# fmt: off
from .augmentation import Augmentation, Chain, Params, fold
from .choice import OneOf
from .joints import (
    CentralSpatialMask, JointAffine, JointDistortion, JointMap, JointMask, LimbMap, LimbSwap, PartMask,
    PointMask, SpatialFlip, StructuralSpatialMask, limb_swaps,
)
from .masks import (
    DropMotionFrames, FrameDrop, FrameMask, MotionAttentionMask, TemporalSegmentMask, TokenMask,
    token_mask, token_motion, token_uniforms,
)
from .mixing import Mix, PartMix
from .noise import GaussianBlur, GaussianNoise, JointDrift, JointJitter, Noise, TimeFilter
from .registry import AUGMENTATIONS, preset, preset_names, preset_steps
from .sampling import FrameSample, TemporalCropSample
from .space import (
    Affine, AxisMask, EulerRotation, LimbScale, LimbScaling, RandomAxisRotation, RandomRotation, Scale,
    Shear, Tilt, Yaw, rotation_matrix, shear_matrix,
)
from .time import (
    PaddedCrop, SegmentOrder, SegmentShuffle, SpeedChange, TemporalCrop, TemporalCropResize, TimeFlip,
    TimeIndex, TimePosition, TimeWarp, centre_crop, recorded_frames,
)
from .view import View, build_view, describe_view, sample_views

__all__ = [
    "AUGMENTATIONS", "Affine", "Augmentation", "AxisMask", "CentralSpatialMask", "Chain",
    "DropMotionFrames", "EulerRotation", "FrameDrop", "FrameMask", "FrameSample", "GaussianBlur",
    "GaussianNoise", "JointAffine", "JointDistortion", "JointDrift", "JointJitter", "JointMap",
    "JointMask", "LimbMap", "LimbScale", "LimbScaling", "LimbSwap", "Mix", "MotionAttentionMask", "Noise",
    "OneOf", "PaddedCrop", "Params", "PartMask", "PartMix", "PointMask", "RandomAxisRotation",
    "RandomRotation", "Scale", "SegmentOrder", "SegmentShuffle", "Shear", "SpatialFlip", "SpeedChange",
    "StructuralSpatialMask", "TemporalCrop", "TemporalCropResize", "TemporalCropSample",
    "TemporalSegmentMask", "Tilt", "TimeFilter", "TimeFlip", "TimeIndex", "TimePosition", "TimeWarp",
    "TokenMask", "View", "Yaw", "build_view", "centre_crop", "describe_view", "fold", "limb_swaps",
    "preset", "preset_names", "preset_steps", "recorded_frames", "rotation_matrix", "sample_views",
    "shear_matrix", "token_mask", "token_motion", "token_uniforms",
]
__version__: str
