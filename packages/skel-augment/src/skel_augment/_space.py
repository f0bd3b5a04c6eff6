"""Augmentations of the coordinates: shear, rotations, scale, axis mask.

Each ends in one matrix per clip. The matrices are made for three coordinates. Clips with two get the upper
left 2 x 2 block: the flat figure is moved in space and looked at from the front again. So a rotation about
the axis of view turns the picture, and one about the x or y axis narrows it by the cosine of the angle.
"""

from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, gt, in_
from torch import Tensor

from skel_augment._augmentation import Augmentation, between, choice
from skel_augment._point_params import Affine
from skel_augment._shape import ClipShape


def rotation_matrix(angles: Tensor) -> Tensor:
    """Rotation about x, then y, then z, in the convention of the field's published programs.

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


def shear_matrix(factors: Tensor) -> Tensor:
    """Shear matrix with the factors off its diagonal.

    Args:
        factors: (N, 6): the middle column of the first row and the first column of the other rows, then
            the last column of the first two rows and the middle column of the last, as AimCLR draws them.

    Returns:
        (N, 3, 3); a point p becomes ``matrix @ p``.
    """
    a, b, c, d, e, f = factors.unbind(1)
    one = torch.ones_like(a)
    rows = ((one, a, d), (b, one, e), (c, f, one))
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _affine(matrix: Tensor, shape: ClipShape) -> Affine:
    return Affine(matrix[:, : shape.dims, : shape.dims])


@define(frozen=True)
class Shear(Augmentation):
    """Each coordinate gets a share of the others (CrosSCLR, 2104.14466; AimCLR).

    Attributes:
        amplitude: The shares are uniform in -amplitude to amplitude.
    """

    numbers: ClassVar[int] = 6
    amplitude: float = field(default=0.5, converter=float, validator=ge(0))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        return _affine(shear_matrix(between(uniforms, -self.amplitude, self.amplitude)), shape)


@define(frozen=True)
class RandomAxisRotation(Augmentation):
    """A rotation about one random axis, with a little about the two others (AimCLR, 2112.03590).

    Attributes:
        main: Angle about the random axis, uniform in 0 to main, in degrees.
        other: Angles about the other two, uniform in 0 to other, in degrees.
    """

    numbers: ClassVar[int] = 4
    main: float = field(default=30.0, converter=float)
    other: float = field(default=1.0, converter=float)

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        axes = torch.arange(3, device=uniforms.device)
        is_main = choice(uniforms[:, :1], 3) == axes
        degrees = torch.where(is_main, self.main * uniforms[:, 1:], self.other * uniforms[:, 1:])
        return _affine(rotation_matrix(degrees.deg2rad()), shape)


@define(frozen=True)
class Yaw(Augmentation):
    """A turn about the vertical axis: the same action seen by another camera.

    Attributes:
        degrees: The angle is uniform in -degrees to degrees.
        vertical: The axis that points up: "x", "y" or "z".
    """

    numbers: ClassVar[int] = 1
    degrees: float = field(default=45.0, converter=float, validator=ge(0))
    vertical: str = field(default="y", validator=in_(("x", "y", "z")))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        is_vertical = torch.arange(3, device=uniforms.device) == "xyz".index(self.vertical)
        degrees = between(uniforms, -self.degrees, self.degrees) * is_vertical
        return _affine(rotation_matrix(degrees.deg2rad()), shape)


@define(frozen=True)
class Tilt(Augmentation):
    """Small rotations about the two axes that are not vertical: a camera that is not level.

    Attributes:
        degrees: Both angles are uniform in -degrees to degrees.
        vertical: The axis that points up: "x", "y" or "z".
    """

    numbers: ClassVar[int] = 3
    degrees: float = field(default=10.0, converter=float, validator=ge(0))
    vertical: str = field(default="y", validator=in_(("x", "y", "z")))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        is_level = torch.arange(3, device=uniforms.device) != "xyz".index(self.vertical)
        degrees = between(uniforms, -self.degrees, self.degrees) * is_level
        return _affine(rotation_matrix(degrees.deg2rad()), shape)


@define(frozen=True)
class Scale(Augmentation):
    """All coordinates times one factor per clip: a larger or smaller body.

    Attributes:
        low: Smallest factor.
        high: Largest factor.
    """

    numbers: ClassVar[int] = 1
    low: float = field(default=0.8, converter=float, validator=gt(0))
    high: float = field(default=1.2, converter=float)

    def __attrs_post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError(f"high must not be below low = {self.low}, got {self.high}")

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        return Affine(between(uniforms, self.low, self.high)[:, :, None] * _eye(uniforms, shape))


@define(frozen=True)
class AxisMask(Augmentation):
    """One random coordinate set to zero: the clip pressed flat (AimCLR, 2112.03590)."""

    numbers: ClassVar[int] = 1

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        axes = torch.arange(shape.dims, device=uniforms.device)
        kept = choice(uniforms, shape.dims) != axes
        return Affine(kept[:, :, None] * _eye(uniforms, shape))


def _eye(uniforms: Tensor, shape: ClipShape) -> Tensor:
    return torch.eye(shape.dims, dtype=uniforms.dtype, device=uniforms.device)
