"""Registry of augmentations, which imports none of them."""

from typing import TYPE_CHECKING, Any

from skel_data import Registry

if TYPE_CHECKING:
    from skel_augment.augmentation import Augmentation


def _is_augmentation(part: Any) -> bool:
    from skel_augment.augmentation import Augmentation

    return isinstance(part, type) and issubclass(part, Augmentation)


AUGMENTATIONS: "Registry[type[Augmentation]]" = Registry(
    "augmentation",
    {
        "axis_mask": "skel_augment.space.affine:AxisMask",
        "central_spatial_mask": "skel_augment.masks.joints:CentralSpatialMask",
        "euler_rotation": "skel_augment.space.rotations:EulerRotation",
        "frame_drop": "skel_augment.masks.frames:FrameDrop",
        "gaussian_blur": "skel_augment.time.blur:GaussianBlur",
        "gaussian_noise": "skel_augment.space.noise:GaussianNoise",
        "joint_distortion": "skel_augment.joints.distortion:JointDistortion",
        "joint_drift": "skel_augment.space.noise:JointDrift",
        "joint_jitter": "skel_augment.space.noise:JointJitter",
        "joint_mask": "skel_augment.masks.joints:JointMask",
        "limb_scale": "skel_augment.space.limbs:LimbScale",
        "limb_swap": "skel_augment.joints.flip:LimbSwap",
        "motion_attention_mask": "skel_augment.masks.motion:MotionAttentionMask",
        "one_of": "skel_augment.choice:OneOf",
        "part_mask": "skel_augment.masks.joints:PartMask",
        "part_mix": "skel_augment.mixing:PartMix",
        "random_axis_rotation": "skel_augment.space.rotations:RandomAxisRotation",
        "random_rotation": "skel_augment.space.rotations:RandomRotation",
        "scale": "skel_augment.space.affine:Scale",
        "segment_shuffle": "skel_augment.time.order:SegmentShuffle",
        "shear": "skel_augment.space.affine:Shear",
        "spatial_flip": "skel_augment.joints.flip:SpatialFlip",
        "speed_change": "skel_augment.time.speed:SpeedChange",
        "structural_spatial_mask": "skel_augment.masks.joints:StructuralSpatialMask",
        "temporal_crop": "skel_augment.time.crop:TemporalCrop",
        "temporal_crop_resize": "skel_augment.time.crop:TemporalCropResize",
        "temporal_crop_sample": "skel_augment.time.sample:TemporalCropSample",
        "temporal_segment_mask": "skel_augment.masks.frames:TemporalSegmentMask",
        "tilt": "skel_augment.space.rotations:Tilt",
        "time_flip": "skel_augment.time.order:TimeFlip",
        "time_warp": "skel_augment.time.speed:TimeWarp",
        "yaw": "skel_augment.space.rotations:Yaw",
    },
    fits=_is_augmentation,
    expected="a subclass of skel_augment.Augmentation",
)
"""Classes of augmentations by name; a class is imported when it is looked up."""
