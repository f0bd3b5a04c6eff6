# fmt: off
from .augmentation import Augmentation
from .build import build_view, describe_view
from .choice import OneOf
from .joints.distortion import JointAffine, JointDistortion
from .joints.flip import LimbMap, LimbSwap, SpatialFlip, limb_swaps
from .joints.joint_map import JointMap
from .masks.frames import FrameDrop, FrameMask, TemporalSegmentMask
from .masks.joints import CentralSpatialMask, JointMask, PartMask, PointMask, StructuralSpatialMask
from .masks.motion import DropMotionFrames, MotionAttentionMask
from .masks.tokens import TokenMask, token_mask, token_motion, token_uniforms
from .mixing import Mix, PartMix
from .params import Chain, Params, fold
from .presets import preset, preset_names, preset_steps
from .registry import AUGMENTATIONS
from .space.affine import Affine, AxisMask, Scale, Shear, shear_matrix
from .space.limbs import LimbScale, LimbScaling
from .space.noise import GaussianNoise, JointDrift, JointJitter, Noise
from .space.rotations import EulerRotation, RandomAxisRotation, RandomRotation, Tilt, Yaw, rotation_matrix
from .time.blur import GaussianBlur, TimeFilter
from .time.crop import PaddedCrop, TemporalCrop, TemporalCropResize, centre_crop, recorded_frames
from .time.order import SegmentOrder, SegmentShuffle, TimeFlip, TimeIndex
from .time.sample import FrameSample, TemporalCropSample
from .time.speed import SpeedChange, TimePosition, TimeWarp
from .view import View, sample_views

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
