"""Rotations: one matrix per clip.

Clips with two coordinates get the upper left 2 x 2 block of the matrix: the flat figure is turned in space
and looked at from the front again. So a rotation about the axis of view turns the picture, and one about the
x or y axis narrows it by the cosine of the angle.
"""

import math
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, in_
from torch import Tensor

from skel_augment.augmentation import Augmentation
from skel_augment.space.affine import Affine
from skel_augment.uniforms import between, choice
from skel_data import ClipShape


def rotation_matrix(angles: Tensor) -> Tensor:
    """Rotation matrix about x, then y, then z, in the convention of the field's published programs.

    A positive angle about z turns the y axis towards x (clockwise seen from +z), and so on cyclically.

    Args:
        angles: (N, 3) in radians.

    Returns:
        (N, 3, 3); a point p becomes ``matrix @ p``.
    """
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = (
        (cy * cz, cx * sz + sx * sy * cz, sx * sz - cx * sy * cz),
        (-cy * sz, cx * cz - sx * sy * sz, sx * cz + cx * sy * sz),
        (sy, -sx * cy, cx * cy),
    )
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _quaternion_matrix(quaternions: Tensor) -> Tensor:
    """Rotation matrix of a unit quaternion.

    Args:
        quaternions: (N, 4): the axis times the sine of half the angle, then the cosine of half the angle.

    Returns:
        (N, 3, 3); a point p becomes ``matrix @ p``.
    """
    x, y, z, w = quaternions.unbind(1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _affine(matrix: Tensor, shape: ClipShape) -> Affine:
    return Affine(matrix[:, : shape.dims, : shape.dims])


@define(frozen=True)
class RandomAxisRotation(Augmentation):
    """Rotation about one random axis, with a little about the two others (AimCLR, 2112.03590).

    Attributes:
        main: Angle about the random axis, uniform in 0 to main, in degrees.
        other: Angles about the other two, uniform in 0 to other, in degrees.
    """

    param_uniforms: ClassVar[int] = 4
    main: float = field(default=30.0, converter=float)
    other: float = field(default=1.0, converter=float)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        axes = torch.arange(3, device=uniforms.device)
        is_main = choice(uniforms[:, :1], 3) == axes
        degrees = torch.where(is_main, self.main * uniforms[:, 1:], self.other * uniforms[:, 1:])
        return _affine(rotation_matrix(degrees.deg2rad()), shape)


@define(frozen=True)
class EulerRotation(Augmentation):
    """Euler rotation: about x, then y, then z, by as much at most about each (MAMP, 2308.07092).

    Attributes:
        degrees: All three angles are uniform in -degrees to degrees; 0.3 radians in MAMP's program.
    """

    param_uniforms: ClassVar[int] = 3
    degrees: float = field(default=math.degrees(0.3), converter=float, validator=ge(0))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        return _affine(rotation_matrix(between(uniforms, -self.degrees, self.degrees).deg2rad()), shape)


@define(frozen=True)
class RandomRotation(Augmentation):
    """Uniform random rotation: all are equally likely (Shoemake, Graphics Gems III, 1992).

    About the vertical alone that is ``Yaw(180)``.
    """

    param_uniforms: ClassVar[int] = 3

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        share, turns = uniforms[:, :1], 2 * math.pi * uniforms[:, 1:]
        circles = torch.stack((turns.sin(), turns.cos()), 2)
        radii = torch.cat((1 - share, share), 1).sqrt()
        return _affine(_quaternion_matrix((radii[:, :, None] * circles).flatten(1)), shape)


@define(frozen=True)
class Yaw(Augmentation):
    """Yaw: rotation about the vertical axis, the same action seen by another camera.

    Attributes:
        degrees: The angle is uniform in -degrees to degrees; with 180 every heading is equally likely.
        vertical: The axis that points up: "x", "y" or "z".
    """

    param_uniforms: ClassVar[int] = 1
    degrees: float = field(default=45.0, converter=float, validator=ge(0))
    vertical: str = field(default="y", validator=in_(("x", "y", "z")))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        is_vertical = torch.arange(3, device=uniforms.device) == "xyz".index(self.vertical)
        degrees = between(uniforms, -self.degrees, self.degrees) * is_vertical
        return _affine(rotation_matrix(degrees.deg2rad()), shape)


@define(frozen=True)
class Tilt(Augmentation):
    """Tilt: small rotations about the two axes that are not vertical, a camera that is not level.

    Attributes:
        degrees: Both angles are uniform in -degrees to degrees.
        vertical: The axis that points up: "x", "y" or "z".
    """

    param_uniforms: ClassVar[int] = 3
    degrees: float = field(default=10.0, converter=float, validator=ge(0))
    vertical: str = field(default="y", validator=in_(("x", "y", "z")))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        is_level = torch.arange(3, device=uniforms.device) != "xyz".index(self.vertical)
        degrees = between(uniforms, -self.degrees, self.degrees) * is_level
        return _affine(rotation_matrix(degrees.deg2rad()), shape)
