import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import AxisMask, RandomAxisRotation, Scale, Shear, Tilt, Yaw, rotation_matrix, shear_matrix

COUNT = 20_000


def bone_lengths(clips, layout):
    child, parent = (list(side) for side in zip(*layout.bones, strict=True))
    return (clips[:, :, :, child] - clips[:, :, :, parent]).norm(dim=1)


@pytest.mark.parametrize("step", [RandomAxisRotation(), Yaw(180), Tilt(60), Yaw(vertical="z")])
def test_rotations_keep_bone_lengths(step, ntu, make_clips, sample):
    clips, shape = make_clips(ntu)
    result = step.apply(clips, sample(step, shape, len(clips)))
    torch.testing.assert_close(bone_lengths(result, ntu), bone_lengths(clips, ntu), rtol=1e-13, atol=1e-13)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_rotation_matrix_is_a_rotation(angles):
    matrix = rotation_matrix(torch.tensor([angles], dtype=torch.float64))[0]
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-14)
    assert matrix.det().item() == pytest.approx(1, abs=1e-14)


def test_rotation_is_about_x_then_y_then_z():
    angles = torch.tensor([[0.3, -0.7, 1.1]], dtype=torch.float64)
    about_x, about_y, about_z = (
        rotation_matrix(angles * torch.eye(3, dtype=torch.float64)[i])[0] for i in range(3)
    )
    torch.testing.assert_close(rotation_matrix(angles)[0], about_z @ about_y @ about_x)


def test_positive_angle_turns_y_towards_x():
    quarter = torch.tensor([[0, 0, math.pi / 2]], dtype=torch.float64)
    point = rotation_matrix(quarter)[0] @ torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(point, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))


def test_shear_factors(ntu, make_clips, sample, assert_uniform):
    matrix = sample(Shear(0.3), make_clips(ntu)[1], COUNT).matrix
    assert torch.equal(matrix.diagonal(dim1=1, dim2=2), torch.ones(COUNT, 3, dtype=matrix.dtype))
    for row, column in ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)):
        assert_uniform(matrix[:, row, column], -0.3, 0.3)


def test_shear_matrix_places():
    matrix = shear_matrix(torch.tensor([[1.0, 2, 3, 4, 5, 6]]))[0]
    assert matrix.tolist() == [[1, 1, 4], [2, 1, 5], [3, 6, 1]]


def test_random_axis_rotation(ntu, make_clips, sample, assert_uniform, assert_share):
    matrix = sample(RandomAxisRotation(main=30, other=0), make_clips(ntu)[1], COUNT).matrix
    angle = ((matrix.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).arccos().rad2deg()
    assert_uniform(angle, 0, 30)
    for axis in range(3):
        assert_share(matrix[:, axis, axis] == 1, 1 / 3)  # the axis of a rotation stays


def test_random_axis_rotation_others_are_small(ntu, make_clips, sample, assert_uniform):
    matrix = sample(RandomAxisRotation(main=0, other=5), make_clips(ntu)[1], COUNT).matrix
    angle = torch.atan2(-matrix[:, 1, 0], matrix[:, 0, 0]).rad2deg()
    turned = angle != 0
    assert_uniform(angle[turned], 0, 5)
    assert turned.double().mean().item() == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize(("vertical", "axis"), [("x", 0), ("y", 1), ("z", 2)])
def test_yaw_turns_about_the_vertical(vertical, axis, ntu, make_clips, sample, assert_uniform):
    matrix = sample(Yaw(40, vertical), make_clips(ntu)[1], COUNT).matrix
    assert torch.equal(matrix[:, axis], torch.eye(3, dtype=matrix.dtype)[axis].expand(COUNT, -1))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    assert_uniform(torch.atan2(matrix[:, first, second], matrix[:, first, first]).rad2deg(), -40, 40)


def test_tilt_leaves_the_heading(ntu, make_clips, sample, assert_uniform):
    matrix = sample(Tilt(20), make_clips(ntu)[1], COUNT).matrix
    # about x, then z: the last column holds x alone, the first row holds z alone
    assert_uniform(torch.atan2(matrix[:, 1, 2] / matrix[:, 0, 0], matrix[:, 2, 2]).rad2deg(), -20, 20)
    assert_uniform(torch.atan2(-matrix[:, 1, 0], matrix[:, 0, 0]).rad2deg(), -20, 20)


def test_yaw_narrows_a_picture(coco, make_clips, sample):
    clips, shape = make_clips(coco)
    params = sample(Yaw(60), shape, len(clips))
    result = Yaw(60).apply(clips, params)
    assert torch.equal(result[:, 1:], clips[:, 1:])
    assert (params.matrix[:, 0, 0] >= 0.5).all()
    torch.testing.assert_close(result[:, 0], clips[:, 0] * params.matrix[:, 0, 0].view(-1, 1, 1, 1))


def test_scale(ntu, make_clips, sample, assert_uniform):
    clips, shape = make_clips(ntu)
    step = Scale(0.5, 2)
    assert_uniform(sample(step, shape, COUNT).matrix[:, 0, 0], 0.5, 2)
    result = step.apply(clips, sample(step, shape, len(clips)))
    ratio = bone_lengths(result, ntu)[..., 0] / bone_lengths(clips, ntu)[..., 0]
    torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio))


def test_axis_mask(ntu, make_clips, sample, assert_share):
    clips, shape = make_clips(ntu)
    matrix = sample(AxisMask(), shape, COUNT).matrix
    for axis in range(3):
        assert_share(matrix[:, axis, axis] == 0, 1 / 3)
    result = AxisMask().apply(clips, sample(AxisMask(), shape, len(clips)))[..., 0]
    assert ((result == 0).flatten(2).all(2).sum(1) == 1).all()
    assert ((result == clips[..., 0]) | (result == 0)).all()


@pytest.mark.parametrize(
    "make",
    [lambda: Shear(-1), lambda: Yaw(-1), lambda: Tilt(5, "up"), lambda: Scale(0, 1), lambda: Scale(2, 1)],
)
def test_settings_out_of_range(make):
    with pytest.raises(ValueError, match=r"amplitude|degrees|vertical|low|high"):
        make()
