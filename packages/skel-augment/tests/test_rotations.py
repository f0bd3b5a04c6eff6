import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import (
    EulerRotation,
    RandomAxisRotation,
    RandomRotation,
    Tilt,
    Yaw,
    rotation_matrix,
)
from skel_augment.space import _quaternion_matrix
from skel_data import ClipShape, get_layout

COUNT = 20_000
ROTATIONS = [EulerRotation(), RandomAxisRotation(), RandomRotation(), Tilt(60), Yaw(180), Yaw(vertical="z")]


@settings(max_examples=40)
@given(st.sampled_from(ROTATIONS), st.integers(0, 2**32 - 1))
def test_rotations_keep_bone_lengths(step, seed):
    generator = torch.Generator().manual_seed(seed)
    layout = get_layout("ntu-25")
    clips = torch.randn(3, 3, 4, 25, 2, generator=generator, dtype=torch.float64)
    uniforms = torch.rand(
        3, step.num_uniforms(ClipShape(layout, 4, 2)), generator=generator, dtype=torch.float64
    )
    params = step.params(uniforms, ClipShape(layout, 4, 2))
    assert (params.matrix.det() - 1).abs().max() < 1e-13
    child, parent = (list(side) for side in zip(*layout.bones, strict=True))
    before, after = (
        (each[:, :, :, child] - each[:, :, :, parent]).norm(dim=1) for each in (clips, params.apply(clips))
    )
    torch.testing.assert_close(after, before, rtol=1e-13, atol=1e-13)


def test_quaternion_of_an_axis_and_an_angle():
    angle = torch.tensor(0.7, dtype=torch.float64)
    for axis in range(3):
        quaternion = torch.zeros(1, 4, dtype=torch.float64)
        quaternion[0, axis], quaternion[0, 3] = (angle / 2).sin(), (angle / 2).cos()
        # the other convention of signs: positive angles turn x towards y
        expected = rotation_matrix(-angle * torch.eye(3, dtype=torch.float64)[axis : axis + 1])
        torch.testing.assert_close(_quaternion_matrix(quaternion), expected)


def test_all_rotations_are_equally_likely(ntu, make_clips, sample, assert_uniform):
    matrix = sample(RandomRotation(), make_clips(ntu)[1], COUNT).matrix
    # a point of a sphere that is uniform on it has uniform coordinates (Archimedes)
    for row in range(3):
        for column in range(3):
            assert_uniform(matrix[:, row, column], -1 - 1e-12, 1 + 1e-12)
    # and the angle of the rotation has the density (1 - cos) / pi
    angle = ((matrix.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).arccos()
    assert_uniform((angle - angle.sin()) / math.pi, 0, 1)


def test_random_rotation_twice_is_a_random_rotation(ntu, make_clips, sample, assert_uniform):
    first, second = (sample(RandomRotation(), make_clips(ntu)[1], COUNT, seed=seed).matrix for seed in (1, 2))
    angle = (((first @ second).diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).arccos()
    assert_uniform((angle - angle.sin()) / math.pi, 0, 1)


def test_extreme_uniforms_give_rotations(ntu, make_clips):
    shape = make_clips(ntu)[1]
    for value in (0.0, 1 - 2**-24):
        matrix = RandomRotation().params(torch.full((1, 4), value), shape).matrix[0]
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(3), rtol=0, atol=1e-6)


def test_euler_angles(ntu, make_clips, sample, assert_uniform):
    step = EulerRotation(40)
    matrix = sample(step, make_clips(ntu)[1], COUNT).matrix
    # the last row holds y alone and, over its cosine, x; the first column holds z
    assert_uniform(matrix[:, 2, 0].arcsin().rad2deg(), -40, 40)
    assert_uniform(torch.atan2(-matrix[:, 2, 1], matrix[:, 2, 2]).rad2deg(), -40, 40)
    assert_uniform(torch.atan2(-matrix[:, 1, 0], matrix[:, 0, 0]).rad2deg(), -40, 40)


def test_a_full_yaw_is_uniform_about_the_vertical(ntu, make_clips, sample, assert_uniform):
    matrix = sample(Yaw(180), make_clips(ntu)[1], COUNT).matrix
    assert_uniform(torch.atan2(matrix[:, 2, 0], matrix[:, 0, 0]), -math.pi, math.pi)


@settings(max_examples=30)
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
    result = params.apply(clips)
    assert torch.equal(result[:, 1:], clips[:, 1:])
    assert (params.matrix[:, 0, 0] >= 0.5).all()
    torch.testing.assert_close(result[:, 0], clips[:, 0] * params.matrix[:, 0, 0].view(-1, 1, 1, 1))


@pytest.mark.parametrize("make", [lambda: EulerRotation(-1), lambda: Yaw(-1), lambda: Tilt(5, "up")])
def test_settings_out_of_range(make):
    with pytest.raises(ValueError, match=r"degrees|vertical"):
        make()
