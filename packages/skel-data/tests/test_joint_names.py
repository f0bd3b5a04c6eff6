"""Joint names as tools write them, and what conversion makes of them."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from skel_data import SkeletonLayout, conversion, explain_conversion, get_layout

ARM = ("shoulder", "elbow", "wrist")
LEG = ("hip", "knee", "ankle")

KINECT_1 = """HIP_CENTER SPINE SHOULDER_CENTER HEAD SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT HAND_LEFT
        SHOULDER_RIGHT ELBOW_RIGHT WRIST_RIGHT HAND_RIGHT HIP_LEFT KNEE_LEFT ANKLE_LEFT
        FOOT_LEFT HIP_RIGHT KNEE_RIGHT ANKLE_RIGHT FOOT_RIGHT"""
KINECT_2 = """SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight
        ElbowRight WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight
        KneeRight AnkleRight FootRight SpineShoulder HandTipLeft ThumbLeft HandTipRight
        ThumbRight"""
AZURE = """PELVIS SPINE_NAVEL SPINE_CHEST NECK CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT
        HAND_LEFT HANDTIP_LEFT THUMB_LEFT CLAVICLE_RIGHT SHOULDER_RIGHT ELBOW_RIGHT
        WRIST_RIGHT HAND_RIGHT HANDTIP_RIGHT THUMB_RIGHT HIP_LEFT KNEE_LEFT ANKLE_LEFT
        FOOT_LEFT HIP_RIGHT KNEE_RIGHT ANKLE_RIGHT FOOT_RIGHT HEAD NOSE EYE_LEFT EAR_LEFT
        EYE_RIGHT EAR_RIGHT"""
RIGS = {
    "mixamo": """mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck
        mixamorig:Head mixamorig:LeftShoulder mixamorig:LeftArm mixamorig:LeftForeArm
        mixamorig:LeftHand mixamorig:RightShoulder mixamorig:RightArm mixamorig:RightForeArm
        mixamorig:RightHand mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot
        mixamorig:RightUpLeg mixamorig:RightLeg mixamorig:RightFoot""",
    "cmu": """Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg
        RightFoot RightToeBase LowerBack Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm
        LeftForeArm LeftHand LThumb RightShoulder RightArm RightForeArm RightHand RThumb""",
    "xsens": """Pelvis L5 L3 T12 T8 Neck Head RightShoulder RightUpperArm RightForeArm RightHand
        LeftShoulder LeftUpperArm LeftForeArm LeftHand RightUpperLeg RightLowerLeg RightFoot
        RightToe LeftUpperLeg LeftLowerLeg LeftFoot LeftToe""",
    "unreal": """root pelvis spine_01 spine_02 spine_03 clavicle_l upperarm_l lowerarm_l hand_l clavicle_r
        upperarm_r lowerarm_r hand_r neck_01 head thigh_l calf_l foot_l ball_l thigh_r
        calf_r foot_r ball_r""",
    "vrm": """J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head
        J_Bip_L_Shoulder J_Bip_L_UpperArm J_Bip_L_LowerArm J_Bip_L_Hand J_Bip_R_Shoulder
        J_Bip_R_UpperArm J_Bip_R_LowerArm J_Bip_R_Hand J_Bip_L_UpperLeg J_Bip_L_LowerLeg
        J_Bip_L_Foot J_Bip_R_UpperLeg J_Bip_R_LowerLeg J_Bip_R_Foot""",
    "blender": """spine spine.001 spine.002 spine.003 spine.004 spine.005 spine.006 shoulder.L upper_arm.L
        forearm.L hand.L shoulder.R upper_arm.R forearm.R hand.R thigh.L shin.L foot.L
        thigh.R shin.R foot.R""",
    "biped": """Bip01 Bip01_Pelvis Bip01_Spine Bip01_Spine1 Bip01_Neck Bip01_Head Bip01_L_Clavicle
        Bip01_L_UpperArm Bip01_L_Forearm Bip01_L_Hand Bip01_R_Clavicle Bip01_R_UpperArm
        Bip01_R_Forearm Bip01_R_Hand Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot Bip01_R_Thigh
        Bip01_R_Calf Bip01_R_Foot""",
}
ARMS_OF = {
    "mixamo": ("LeftArm", "LeftForeArm", "LeftHand"),
    "cmu": ("LeftArm", "LeftForeArm", "LeftHand"),
    "xsens": ("LeftUpperArm", "LeftForeArm", "LeftHand"),
    "unreal": ("upperarm_l", "lowerarm_l", "hand_l"),
    "vrm": ("L_UpperArm", "L_LowerArm", "L_Hand"),
    "blender": ("upper_arm.L", "forearm.L", "hand.L"),
    "biped": ("L_UpperArm", "L_Forearm", "L_Hand"),
}
LEGS_OF = {
    "mixamo": ("LeftUpLeg", "LeftLeg", "LeftFoot"),
    "cmu": ("LeftUpLeg", "LeftLeg", "LeftFoot"),
    "xsens": ("LeftUpperLeg", "LeftLowerLeg", "LeftFoot"),
    "unreal": ("thigh_l", "calf_l", "foot_l"),
    "vrm": ("L_UpperLeg", "L_LowerLeg", "L_Foot"),
    "blender": ("thigh.L", "shin.L", "foot.L"),
    "biped": ("L_Thigh", "L_Calf", "L_Foot"),
}


def layout(names):
    """A star: the first joint is the root."""
    names = names.split() if isinstance(names, str) else names
    return SkeletonLayout.from_dict({"joints": names, "bones": [[i, 0] for i in range(1, len(names))]})


@pytest.mark.parametrize(
    ("names", "target"), [(KINECT_1, "kinect-20"), (KINECT_2, "ntu-25"), (AZURE, "azure-32")]
)
def test_the_names_of_the_kinect_sdks_are_those_of_the_layouts(names, target):
    source, target = layout(names), get_layout(target)
    rules = explain_conversion(source, target)
    assert {rule for rule, _ in rules.values()} == {"same name"}
    assert [sources for _, sources in rules.values()] == [(name,) for name in source.joints]
    assert (conversion(source, target, strict=True).sum(0) == 1).all()


@pytest.mark.parametrize("rig", RIGS)
def test_the_joints_of_a_rig_begin_its_bones(rig):
    rules = explain_conversion(layout(RIGS[rig]), get_layout("ntu-25"))
    for place, name in zip((*ARM, *LEG), (*ARMS_OF[rig], *LEGS_OF[rig]), strict=True):
        for side, other in (("left", str), ("right", _right)):
            (source,) = rules[f"{side} {place}"][1]
            assert source.endswith(other(name)), (place, source)
    assert sum(rule == "parent" for rule, _ in rules.values()) <= 2  # the thumbs


def _right(name):
    for left, right in (("Left", "Right"), ("L_", "R_"), ("_l", "_r"), (".L", ".R")):
        name = name.replace(left, right)
    return name


def test_what_a_word_means_depends_on_the_others():
    mixamo = explain_conversion(layout(RIGS["mixamo"]), get_layout("smpl-24"))
    assert mixamo["left collar"][1] == ("mixamorig:LeftShoulder",)
    assert [mixamo[f"spine {i}"][1][0] for i in (1, 2, 3)] == [f"mixamorig:Spine{i}" for i in ("", 1, 2)]
    cmu = explain_conversion(layout(RIGS["cmu"]), get_layout("smpl-24"))
    assert [cmu[f"spine {i}"][1][0] for i in (1, 2, 3)] == ["LowerBack", "Spine", "Spine1"]
    assert explain_conversion(layout(RIGS["cmu"]), get_layout("ntu-25"))["left thumb"][1] == ("LThumb",)
    blender = explain_conversion(layout(RIGS["blender"]), get_layout("ntu-25"))
    assert [blender[j][1][0] for j in ("spine base", "neck", "head")] == ["spine", "spine.004", "spine.006"]
    sides = "hip.L knee.L ankle.L hip.R knee.R ankle.R shoulder.L elbow.L wrist.L shoulder.R elbow.R wrist.R"
    joints = explain_conversion(layout(f"pelvis spine neck head {sides}"), get_layout("ntu-25"))
    assert joints["left shoulder"] == ("same name", ("shoulder.L",))  # not the collar bone: no upper arm


@pytest.mark.parametrize(
    "preset", ["ntu-25", "coco-17", "halpe-26", "h36m-17", "mediapipe-33", "coco-wholebody-133"]
)
@given(style=st.sampled_from(["LeftName", "NAME_LEFT", "name.L", "LName", "l_name", "ns:name_l", "NameLeft"]))
def test_every_way_to_tell_a_side_converts(preset, style):
    there = get_layout(preset)
    names = tuple(_styled(joint, style) for joint in there.joints)
    rules = explain_conversion(evolve(there, joints=names), there)
    assert [sources for _, sources in rules.values()] == [(name,) for name in names]
    assert {rule for rule, _ in rules.values()} == {"same name"}


def _styled(joint, style):
    side, _, rest = joint.partition(" ")
    if side not in ("left", "right"):
        return joint.upper() if style.isupper() else joint.replace(" ", "_")
    camel = "".join(word.capitalize() for word in rest.split())
    snake = rest.replace(" ", "_")
    return {
        "LeftName": side.capitalize() + camel,
        "NAME_LEFT": f"{snake}_{side}".upper(),
        "name.L": f"{snake}.{side[0].upper()}",
        "LName": side[0].upper() + camel,
        "l_name": f"{side[0]}_{snake}",
        "ns:name_l": f"ns:{snake}_{side[0]}",
        "NameLeft": camel + side.capitalize(),
    }[style]


def test_a_conversion_that_loses_a_quarter_of_the_joints_is_refused():
    source, target = layout("pelvis neck head a b c d"), get_layout("ntu-25")
    with pytest.raises(
        ValueError, match=r"20 of the 25 joints of ntu-25 would fall onto their parents.*left"
    ):
        conversion(source, target)
    assert conversion(source, target, most_parents=1).shape == (25, 7)
    assert explain_conversion(source, target)["left knee"] == ("parent", ("pelvis",))


@pytest.mark.parametrize(
    ("name", "joints", "channels"),
    [
        ("azure-32", 32, 3),
        ("halpe-26", 26, 3),
        ("halpe-136", 136, 3),
        ("coco-wholebody-133", 133, 3),
        ("openpose-15", 15, 3),
    ],
)
def test_presets_are_symmetric(name, joints, channels):
    preset = get_layout(name)
    assert (preset.num_joints, preset.channels) == (joints, channels)
    mirrored = {(preset.mirror[child], preset.mirror[parent]) for child, parent in preset.bones}
    assert mirrored == set(preset.bones)
    assert preset.sides.count(1) == preset.sides.count(2) > 0
    assert all(
        (side == 0) == (twin == j)
        for j, (side, twin) in enumerate(zip(preset.sides, preset.mirror, strict=True))
    )
