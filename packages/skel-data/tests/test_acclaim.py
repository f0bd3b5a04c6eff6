import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_data.readers.mocap._acclaim import parse_amc, pose
from skel_data.readers.mocap._asf import parse_asf
from skel_data.readers.mocap._kinematics import turn

# A pelvis, an upper bone that turns about axes of its own, and a lower one that turns about two axes, z first
ASF = b"""# made up
:version 1.10\r
:name some
:units
  mass 1.0
  length 0.5
  angle deg
:documentation
   length 7 of nothing
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name hip
     direction 1 0 0
     length 2
     axis 0 0 0 XYZ
  end
  begin
     id 2
     name upper
     direction 0 1 0
     length 3
     axis 0 0 90 XYZ
     dof rx ry rz
     limits (-20 45)
            (-30 30)
            (-30 30)
  end
  begin
     id 3
     name lower
     direction 0 0 1
     length 0.5
     axis 0 0 0 ZYX
     dof rz rx
  end
:hierarchy
  begin
    root hip
    hip upper
    upper lower
  end
"""
AMC = b"""#!made up
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
upper 0 0 0
lower 0 0
2
root 1 2 3 0 90 0
upper 90 0 0
lower 90 90
3
root 0 0 0 90 0 90
"""
SKELETON = parse_asf(ASF)


def motion(rows, units=b":DEGREES"):
    return parse_amc(b":FULLY-SPECIFIED\n" + units + b"\n" + rows, SKELETON)


def test_skeleton():
    assert SKELETON.bones == ("root", "hip", "upper", "lower")
    assert SKELETON.parents == (0, 0, 1, 2)
    assert SKELETON.offsets.tolist() == [[0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 0.5]]
    assert SKELETON.orders == ("xyz", "xyz", "xyz", "zyx")
    assert SKELETON.channels == (
        ("tx", "ty", "tz", "rx", "ry", "rz"),
        (),
        ("rx", "ry", "rz"),
        ("rz", "rx"),
    )
    assert (SKELETON.length, SKELETON.degrees) == (0.5, True)
    np.testing.assert_allclose(SKELETON.axes[2], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)


def test_motion():
    columns = parse_amc(AMC + b"upper 0 0 0\nlower 0 0\n", SKELETON)
    assert columns.shape == (3, 11)
    assert columns[1].tolist() == [1, 2, 3, 0, np.pi / 2, 0, np.pi / 2, 0, 0, np.pi / 2, np.pi / 2]


def test_numbers():
    places = pose(SKELETON, motion(AMC[AMC.index(b"\n1\n") :] + b"upper 0 0 0\nlower 0 0\n"))
    expected = [
        # at rest
        [[1, 2, 3], [3, 2, 3], [3, 5, 3], [3, 5, 3.5]],
        # The root takes x to -z and z to x. The upper bone turns about its own x, which is y: the same again.
        # The lower one turns about z first, which leaves its offset along z, then about x: z to -y.
        [[1, 2, 3], [1, 2, 1], [1, 5, 1], [1, 4.5, 1]],
        # first about x, then about z, both standing still: x to y, y to z, z to x
        [[0, 0, 0], [0, 2, 0], [0, 2, 3], [0.5, 2, 3]],
    ]
    np.testing.assert_allclose(places, expected, atol=1e-12)


def test_left_out_bones_are_not_turned():
    with_zero = motion(
        b"1\nroot 1 2 3 4 5 6\nlower 7 8\nupper 0 0 0\n2\nroot 0 0 0 0 0 0\nupper 1 2 3\nlower 0 0\n"
    )
    without = motion(b"1\nroot 1 2 3 4 5 6\nlower 7 8\n2\nroot 0 0 0 0 0 0\nupper 1 2 3\n")
    assert np.array_equal(with_zero, without)


def test_units_of_angles():
    degrees = motion(b"1\nroot 1 2 3 90 0 0\n")
    radians = motion(b"1\nroot 1 2 3 1.5707963267948966 0 0\n", b":RADIANS")
    np.testing.assert_allclose(degrees, radians, rtol=1e-15)
    in_radians = parse_asf(
        ASF.replace(b"angle deg", b"angle rad").replace(b"0 0 90", b"0 0 1.5707963267948966")
    )
    np.testing.assert_allclose(in_radians.axes, SKELETON.axes, atol=1e-15)
    rows = b"1\nroot 1 2 3 0.5 0 0\n"
    assert parse_amc(rows, in_radians)[0, 3] == 0.5  # the motion does not say, the skeleton does
    assert parse_amc(rows, SKELETON)[0, 3] == np.deg2rad(0.5)


def test_axes_of_a_turn():
    a, b = 0.3, -1.1
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    np.testing.assert_allclose(
        turn([np.array([a, 0]), np.array([b, 0])], "xy"), [x @ y, np.eye(3)], atol=1e-15
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (ASF, b"", "no :bonedata"),
        (ASF, b"\x89PNG\xff", "no :bonedata"),
        (b":hierarchy", b":later", "no :hierarchy"),
        (b"angle deg", b"angle turns", "line 7: the unit of angles is turns"),
        (b"length 0.5\n  angle", b"length 0\n  angle", "line 6: a unit of length of 0.0"),
        (b"position 0 0 0", b"position 0 1 0", "line 13: a root with another position"),
        (b"orientation 0 0 0", b"orientation 0 0", "line 14: orientation must have 3 numbers"),
        (b"order TX TY TZ", b"order TX TX TZ", "line 11: order may have tx ty tz rx ry rz once each"),
        (b"name hip", b"", "line 16: a bone must have a name"),
        (b"direction 1 0 0", b"", "line 16: bone hip has no direction"),
        (b"direction 1 0 0", b"direction 1 0 nan", "line 19: not a number, or one that is not finite.*nan"),
        (b"length 3", b"length 1_0", "line 27: not a number"),
        (b"0 0 90 XYZ", b"0 0 90", "line 28: axis must end with an order"),
        (b"0 0 90 XYZ", b"0 0 90 XYX", "line 28: axis must end with an order"),
        (b"dof rz rx", b"dof rz l", "line 40: dof may have rx ry rz once each, found rz l"),
        (b"name lower", b"name upper", "line 34: a second bone upper"),
        (b"hip upper\n", b"hip other\n", "line 45: bone other has no :bonedata"),
        (b"root hip\n", b"root hip upper\n", "line 45: bone upper has a second parent"),
        (b"root hip\n", b"lower hip\n", "line 44: lower has children before"),
        (b"    upper lower\n", b"", "not in the :hierarchy: lower"),
    ],
)  # fmt: skip
def test_reasons_of_skeletons(old, new, reason):
    assert old in ASF
    with pytest.raises(ValueError, match=reason):
        parse_asf(ASF.replace(old, new))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (b"", "no frame"),
        (b"root 1 2 3 4 5 6\n", "line 3: expected the number of a frame, found 'root"),
        (b"\x89PNG\xff", "line 3: expected the number of a frame"),
        (b"1\nroot 1 2 3 4 5\n", "line 4: 5 numbers for root, expected 6"),
        (b"1\nroot 1 2 3 4 5 6\nhead 1\n", "line 5: the skeleton has no bone 'head'"),
        (b"1\nroot 1 2 3 4 5 6\nlower 1 x\n", "line 5: not a number.*'x'"),
        (b"1\nroot 1 2 3 4 5 6\nlower 1 1_0\n", "line 5: not a number.*1_0"),
        (b"1\nroot 1 2 inf 4 5 6\n", "line 4: not a number.*inf"),
        (b"1\nroot 1 2 1e200 4 5 6\n", "line 4: .*far off.*1e200"),
        (b"1\nroot 1 2 3 4 5 6\nlower 1 2\nlower 1 2\n", "line 6: a bone for the second time"),
        (b"1\nroot 1 2 3 4 5 6\n2\nlower 1 2\n3\nroot 1 2 3 4 5 6\n", "frame 2 has no root"),
        (b"1\nroot 1 2 3 4 5 6\n3\nroot 1 2 3 4 5 6\n", "line 5: frame 3 follows frame 1"),
        (b"1\nroot 1 2 3 4 5 6\nlower 1 2\n2\nroot 1 2 3 4 5 6\n", "cut off in the last frame: 1 bone,"),
        (b"1\nroot 1 2 3 4 5 6\n2\n", "frame 2 has no root"),
    ],
)  # fmt: skip
def test_reasons_of_motions(rows, reason):
    with pytest.raises(ValueError, match=reason):
        motion(rows)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_bones_keep_their_length_and_a_turned_root_turns_all(seed):
    random = np.random.default_rng(seed)
    columns = random.uniform(-4, 4, (5, 11))
    places = pose(SKELETON, columns)
    lengths = np.linalg.norm(places - places[:, list(SKELETON.parents)], axis=-1)
    np.testing.assert_allclose(lengths, np.tile([0, 2, 3, 0.5], (5, 1)), rtol=1e-12)
    straight = columns.copy()
    straight[:, :6] = 0
    turned = turn([columns[:, 5], columns[:, 4], columns[:, 3]], "zyx")
    np.testing.assert_allclose(
        places, columns[:, None, :3] + np.einsum("tij,tvj->tvi", turned, pose(SKELETON, straight)), atol=1e-12
    )


PUT = st.one_of(
    st.binary(max_size=4),
    st.sampled_from([b"1e999", b"nan", b"\n", b"9", b" ", b":degrees", b"1e-9", b"begin"]),
)


@given(st.data())
@settings(max_examples=150)
def test_damage_gives_arrays_or_a_value_error(data):
    texts = [bytearray(ASF), bytearray(AMC + b"upper 0 0 0\nlower 0 0\n")]
    for _ in range(data.draw(st.integers(1, 3))):
        text = data.draw(st.sampled_from(texts))
        at = data.draw(st.integers(0, len(text)))
        stop = at + data.draw(st.sampled_from([0, 1, 5, 40, 400]))
        text[at:stop] = data.draw(PUT)
    try:
        skeleton = parse_asf(bytes(texts[0]))
        places = pose(skeleton, parse_amc(bytes(texts[1]), skeleton))
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert np.isfinite(places).all()
        assert places.shape[1:] == (len(skeleton.bones), 3)


@given(st.binary(max_size=200) | st.text("0123456789 \nroten.-:x", max_size=200).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_give_arrays_or_a_value_error(data):
    with pytest.raises(ValueError, match="."):
        parse_asf(data)
    try:
        columns = parse_amc(data, SKELETON)
    except ValueError as error:
        assert re.search("line|frame", str(error))  # noqa: PT017
    else:
        assert np.isfinite(columns).all()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"upper 90 0 0", b"upper 90 0", "line 10: 2 numbers for upper, expected 3"),
        (b"upper 90 0 0", b"upper 90 nan 0", "line 10: not a number"),
        (b"lower 90 90", b"lower 90 9x", "line 11: not a number"),
        (b"root 1 2 3 0 90 0\n", b"root 1 2 3 0 90\n", "line 9: 5 numbers for root, expected 6"),
    ],
)
def test_a_damaged_frame_costs_no_other(old, new, reason):
    whole = parse_amc(AMC + b"upper 0 0 0\nlower 0 0\n", SKELETON)
    data = AMC.replace(old, new) + b"upper 0 0 0\nlower 0 0\n"
    with pytest.raises(ValueError, match=reason):
        parse_amc(data, SKELETON)
    damaged = []
    motion = parse_amc(data, SKELETON, damaged)
    assert len(damaged) == 1
    assert damaged[0].startswith(reason)
    assert np.isnan(motion[1]).all()
    assert np.array_equal(motion[[0, 2]], whole[[0, 2]])
    places = pose(SKELETON, motion)
    assert np.isnan(places[1]).all()
    assert np.array_equal(places[[0, 2]], pose(SKELETON, whole)[[0, 2]])
