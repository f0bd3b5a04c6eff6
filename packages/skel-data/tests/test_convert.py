import itertools

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from skel_data import SkeletonLayout, get_layout, layout_names
from skel_data._convert import conversion, convert, explain_conversion

BODIES = ("ntu-25", "kinect-20", "utd-20", "coco-17", "openpose-18", "openpose-25", "h36m-17", "smpl-24")
BODIES += ("mediapipe-33", "jhmdb-15", "sbu-15", "hdm05-31")
PAIRS = list(itertools.permutations(BODIES, 2))


def positions(layout, seed=0, shape=(4, 2)):
    """Positions (T, M, V, C), nowhere zero."""
    shape = (*shape, layout.num_joints, layout.channels)
    return np.random.default_rng(seed).uniform(0.1, 1, shape).astype(np.float32)


def named(source, target, x, **settings):
    """Converted positions by joint name."""
    y = convert(x, source, target, **settings)
    return {joint: y[..., place, :] for place, joint in enumerate(target.joints)}


def two_dims(name):
    return evolve(get_layout(name), dims=2, confidence=False)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_any_layout_of_a_body_gives_any_other(first, second):
    source, target = get_layout(first), two_dims(second)
    matrix = conversion(source, target, most_parents=1)
    assert (matrix.shape, matrix.dtype) == ((target.num_joints, source.num_joints), np.float32)
    assert (matrix.sum(1) == 1).all()
    assert (matrix >= 0).all()
    y = convert(positions(source), source, target, drop_depth=True, most_parents=1)
    assert y.shape == (4, 2, target.num_joints, 2)
    assert (y > 0).all()


def test_shape_must_fit(ntu):
    with pytest.raises(
        ValueError, match=r"\(4, 2, 20, 3\) do not fit layout ntu-25: expected \(..., 25, 3\)"
    ):
        convert(positions(get_layout("utd-20")), ntu, ntu)
    with pytest.raises(ValueError, match="do not fit"):
        convert(np.ones(3), ntu, ntu)


def test_dimensions_are_never_changed_unasked(ntu):
    coco = get_layout("coco-17")
    with pytest.raises(ValueError, match="drop_depth"):
        convert(positions(ntu), ntu, coco)
    with pytest.raises(ValueError, match="no depth"):
        convert(positions(coco), coco, ntu, drop_depth=True)


def test_a_joint_that_cannot_be_had(ntu):
    hand = get_layout("hand-21")
    with pytest.raises(
        ValueError, match="no joint of layout ntu-25 gives 'wrist' of hand-21; it has spine base"
    ):
        conversion(ntu, hand)
    with pytest.raises(ValueError, match="ntu-25"):
        explain_conversion(hand, ntu)


def test_strict_refuses_what_only_the_tree_gives(ntu):
    coco = two_dims("coco-17")
    assert explain_conversion(ntu, coco)["left eye"] == ("parent", ("head",))
    with pytest.raises(ValueError, match="'left eye' of coco-17"):
        conversion(ntu, coco, strict=True)
    assert conversion(get_layout("openpose-25"), coco, strict=True).shape == (17, 25)


def test_kinect_2_to_kinect_1(ntu):
    kinect = get_layout("kinect-20")
    x = positions(ntu)
    y = named(ntu, kinect, x, strict=True)
    for joint, origin in {
        "hip center": "spine base",
        "spine": "spine middle",
        "shoulder center": "spine shoulder",
        "head": "head",
        "left hand": "left hand",
        "right foot": "right foot",
    }.items():
        assert np.array_equal(y[joint], x[:, :, ntu.joints.index(origin)])
    rules = explain_conversion(ntu, kinect)
    assert rules["hip center"] == ("synonym", ("spine base",))
    assert rules["head"] == ("same name", ("head",))


def test_kinect_1_to_kinect_2(ntu):
    kinect = get_layout("kinect-20")
    rules = explain_conversion(kinect, ntu)
    assert rules["spine base"] == ("synonym", ("hip center",))
    assert rules["neck"] == rules["spine shoulder"] == ("synonym", ("shoulder center",))
    assert rules["left hand tip"] == rules["left thumb"] == ("synonym", ("left hand",))
    back = conversion(ntu, kinect) @ conversion(kinect, ntu)
    assert np.array_equal(back, np.eye(20))


def test_ntu_to_coco_drops_depth(ntu):
    coco = get_layout("coco-17")
    x = positions(ntu)
    y = named(ntu, coco, x, drop_depth=True)
    assert np.array_equal(y["left knee"][..., :2], x[:, :, ntu.joints.index("left knee"), :2])
    assert np.array_equal(y["nose"][..., :2], x[:, :, ntu.joints.index("head"), :2])
    assert all((joint[..., 2] == 1).all() for joint in y.values())


def test_coco_to_the_joints_of_ntu():
    coco, ntu = get_layout("coco-17"), two_dims("ntu-25")
    x = positions(coco)
    y = named(coco, ntu, x)

    def mean(*joints):
        return sum(x[:, :, coco.joints.index(joint), :2] for joint in joints) / len(joints)

    hips, shoulders = ("left hip", "right hip"), ("left shoulder", "right shoulder")
    for joint, origins in {
        "spine base": hips,
        "neck": shoulders,
        "spine shoulder": shoulders,
        "spine middle": (*hips, *shoulders),
        "head": ("left ear", "right ear"),
        "left hand": ("left wrist",),
        "left hand tip": ("left wrist",),
        "right foot": ("right ankle",),
    }.items():
        assert np.allclose(y[joint], mean(*origins), atol=1e-6), joint
    rules = explain_conversion(coco, ntu)
    assert rules["spine middle"] == ("midpoint", (*hips, *shoulders))
    assert rules["right thumb"] == ("parent", ("right wrist",))


def test_ntu_to_h36m(ntu):
    rules = explain_conversion(ntu, get_layout("h36m-17"))
    assert rules["pelvis"] == ("synonym", ("spine base",))
    assert rules["thorax"] == ("synonym", ("spine shoulder",))
    assert rules["spine"] == ("synonym", ("spine middle",))
    assert rules["neck"] == ("same name", ("neck",))
    assert {rule for rule, _ in rules.values()} == {"same name", "synonym"}


def test_utd_and_kinect_are_the_same_joints():
    utd, kinect = get_layout("utd-20"), get_layout("kinect-20")
    assert {rule for rule, _ in explain_conversion(utd, kinect).values()} == {"same name"}
    x = positions(utd)
    assert np.array_equal(convert(convert(x, utd, kinect), kinect, utd), x)
    assert not np.array_equal(convert(x, utd, kinect), x)


def test_a_middle_near_the_place_comes_before_a_neighbour():
    rules = explain_conversion(get_layout("mediapipe-33"), get_layout("smpl-24"))
    assert rules["left hand"] == ("midpoint", ("left index", "left pinky"))
    assert rules["left foot"] == ("synonym", ("left foot index",))
    assert rules["right collar"][0] == "midpoint"
    openpose = explain_conversion(get_layout("openpose-25"), get_layout("kinect-20"))
    assert openpose["left foot"] == ("midpoint", ("left big toe", "left small toe"))
    assert openpose["hip center"] == ("synonym", ("mid hip",))


def test_joints_named_by_the_bones_that_end_there(ntu):
    rules = explain_conversion(get_layout("hdm05-31"), ntu)
    for joint, bone in {
        "left hip": "lhipjoint",
        "right knee": "rfemur",
        "left ankle": "ltibia",
        "right shoulder": "rclavicle",
        "left elbow": "lhumerus",
        "neck": "lowerneck",
        "spine middle": "upperback",
    }.items():
        assert rules[joint] == ("synonym", (bone,))
    assert "parent" not in {rule for rule, _ in rules.values()}
    back = explain_conversion(ntu, get_layout("hdm05-31"))
    assert back["lfemur"] == ("synonym", ("left knee",))
    assert "parent" not in {rule for rule, _ in back.values()}


@pytest.mark.parametrize("names", [("MidHip", "LHip", "RBigToe"), ("mid_hip", "l_hip", "r-big-toe")])
def test_spellings(names):
    mine = SkeletonLayout.from_dict({"joints": names, "bones": [[1, 0], [2, 0]]})
    theirs = SkeletonLayout.from_dict(
        {"joints": ["mid hip", "left hip", "right big toe"], "bones": [[1, 0], [2, 0]]}
    )
    assert {rule for rule, _ in explain_conversion(mine, theirs).values()} == {"same name"}


@pytest.mark.parametrize("missing", [0, np.nan])
def test_a_missing_joint_is_in_no_middle(missing):
    coco, ntu = get_layout("coco-17"), two_dims("ntu-25")
    x = positions(coco)
    x[1, 0, coco.joints.index("left hip")] = missing
    y = named(coco, ntu, x)
    assert (y["spine base"][1, 0] == 0).all()
    assert (y["left hip"][1, 0] == 0).all()
    assert (y["spine base"][0] != 0).all()
    assert (y["spine base"][1, 1] != 0).all()
    assert (y["right hip"] != 0).all()
    assert all(np.isfinite(joint).all() for joint in y.values())


def test_confidence():
    coco, openpose = get_layout("coco-17"), get_layout("openpose-18")
    x = positions(coco)
    left, right = coco.joints.index("left shoulder"), coco.joints.index("right shoulder")
    x[..., left, 2], x[..., right, 2] = 0.9, 0.25
    y = named(coco, openpose, x)
    assert (y["neck"][..., 2] == np.float32(0.25)).all()  # the lowest, not the mean
    assert np.array_equal(y["nose"], x[:, :, 0])
    x[0, 0, right, 2] = 0  # means that it is missing
    assert (named(coco, openpose, x)["neck"][0, 0] == 0).all()
    y = convert(x, coco, two_dims("coco-17"))
    assert np.array_equal(np.delete(y, right, 2), np.delete(x, right, 2)[..., :2])
    assert (y[0, 0, right] == 0).all()
    plain = x[..., :2].copy()
    plain[1, 1] = 0
    y = convert(plain, two_dims("coco-17"), coco)
    assert np.array_equal(y[..., :2], plain)
    assert (y[1, 1, :, 2] == 0).all()
    assert (y[0, :, :, 2] == 1).all()


@pytest.mark.parametrize("name", layout_names())
def test_the_same_layout_changes_nothing(name):
    layout = get_layout(name)
    assert np.array_equal(conversion(layout, layout), np.eye(layout.num_joints))
    x = positions(layout)
    assert convert(x, layout, layout) is x
    assert np.array_equal(convert(x, layout, evolve(layout, name="other")), x)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_mirror_commutes(first, second):
    source, target = get_layout(first), two_dims(second)
    matrix = conversion(source, target, most_parents=1)
    assert np.array_equal(matrix[list(target.mirror)][:, list(source.mirror)], matrix)


@given(st.sampled_from(BODIES), st.sampled_from(BODIES), st.integers(0, 99))
def test_a_shift_is_kept(first, second, seed):
    source, target = evolve(get_layout(first), dims=2), two_dims(second)
    x = positions(source, seed, (1, 1))
    shift = np.zeros(source.channels, np.float32)
    shift[:2] = 3, 5
    moved = convert(x + shift, source, target, most_parents=1)
    assert np.allclose(moved, convert(x, source, target, most_parents=1) + shift[:2], atol=1e-5)


@pytest.mark.parametrize("target", ["coco-17", "kinect-20", "mediapipe-33"])
def test_torch_gives_the_same(ntu, target):
    torch = pytest.importorskip("torch")
    for source in (ntu, get_layout("mediapipe-33")):
        x = positions(source)
        x[0, 0, 3] = np.nan
        x[1, 0] = 0
        expected = convert(x, source, get_layout(target), drop_depth=True, most_parents=1)
        found = convert(torch.from_numpy(x), source, get_layout(target), drop_depth=True, most_parents=1)
        assert isinstance(found, torch.Tensor)
        assert found.dtype == torch.float32
        assert np.allclose(found.numpy(), expected, atol=1e-6, equal_nan=True)
