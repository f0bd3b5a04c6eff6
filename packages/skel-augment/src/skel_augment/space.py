"""Matrices on the coordinates, one per clip: shear, scale, axis mask, rotations; and limbs of other lengths.

The matrices are made for three coordinates. Clips with two get the upper left 2 x 2 block: the flat figure is
moved or turned in space and looked at from the front again. So a rotation about the axis of view turns the
picture, and one about the x or y axis narrows it by the cosine of the angle.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from attrs import define, field
from attrs.validators import ge, gt, in_, instance_of
from torch import Tensor

from skel_augment.augmentation import Augmentation, Params, between, choice, finite, with_rest
from skel_data import ClipShape, SkeletonLayout


@dataclass(frozen=True, eq=False, slots=True)
class Affine(Params):
    """Linear map of the coordinates of every joint; a confidence channel is left alone.

    Attributes:
        matrix: (N, dims, dims); a point p becomes ``matrix @ p``.
    """

    axis: ClassVar[str] = "space"
    matrix: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        # Written out because a matrix product would be rounded to TF32 or bfloat16 where those are
        # allowed, which is too coarse for coordinates; for three terms it is also no slower.
        matrix = self.matrix.to(clips.dtype)[..., None, None, None]
        dims = matrix.shape[1]
        moved = matrix[:, :, 0] * clips[:, :1]
        for axis in range(1, dims):
            moved.addcmul_(matrix[:, :, axis], clips[:, axis : axis + 1])
        return with_rest(moved, clips)

    def where(self, gate: Tensor) -> "Affine":
        eye = torch.eye(self.matrix.shape[1], dtype=self.matrix.dtype, device=self.matrix.device)
        return Affine(torch.where(gate[:, None, None], self.matrix, eye))

    def then(self, later: Params) -> "Affine | None":
        if not isinstance(later, Affine):
            return None
        product = (later.matrix[..., None] * self.matrix[:, None]).sum(2)  # as in apply: no TF32
        return Affine(product)


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


@define(frozen=True)
class Shear(Augmentation):
    """Shear: each coordinate gets a share of the others (CrosSCLR, 2104.14466; AimCLR).

    Attributes:
        amplitude: The shares are uniform in -amplitude to amplitude.
    """

    param_uniforms: ClassVar[int] = 6
    amplitude: float = field(default=0.5, converter=float, validator=[ge(0), finite])

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        matrix = shear_matrix(between(uniforms, -self.amplitude, self.amplitude))
        return Affine(matrix[:, : shape.dims, : shape.dims])


@define(frozen=True)
class Scale(Augmentation):
    """Scaling: all coordinates times one factor per clip, a larger or smaller body.

    Attributes:
        low: Smallest factor.
        high: Largest factor.
    """

    param_uniforms: ClassVar[int] = 1
    low: float = field(default=0.8, converter=float, validator=gt(0))
    high: float = field(default=1.2, converter=float, validator=finite)

    def __attrs_post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError(f"high must not be below low = {self.low}, got {self.high}")

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        return Affine(between(uniforms, self.low, self.high)[:, :, None] * _eye(uniforms, shape))


@define(frozen=True)
class AxisMask(Augmentation):
    """Axis mask: one random coordinate set to zero, the clip pressed flat (AimCLR, 2112.03590)."""

    param_uniforms: ClassVar[int] = 1

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        axes = torch.arange(shape.dims, device=uniforms.device)
        kept = choice(uniforms, shape.dims) != axes
        return Affine(kept[:, :, None] * _eye(uniforms, shape))


def _eye(uniforms: Tensor, shape: ClipShape) -> Tensor:
    return torch.eye(shape.dims, dtype=uniforms.dtype, device=uniforms.device)


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
    main: float = field(default=30.0, converter=float, validator=finite)
    other: float = field(default=1.0, converter=float, validator=finite)

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
    degrees: float = field(default=math.degrees(0.3), converter=float, validator=[ge(0), finite])

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
    degrees: float = field(default=45.0, converter=float, validator=[ge(0), finite])
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
    degrees: float = field(default=10.0, converter=float, validator=[ge(0), finite])
    vertical: str = field(default="y", validator=in_(("x", "y", "z")))

    def _params(self, uniforms: Tensor, shape: ClipShape) -> Affine:
        is_level = torch.arange(3, device=uniforms.device) != "xyz".index(self.vertical)
        degrees = between(uniforms, -self.degrees, self.degrees) * is_level
        return _affine(rotation_matrix(degrees.deg2rad()), shape)


@dataclass(frozen=True, eq=False, slots=True)
class LimbScaling(Params):
    """Linear map of the joints of every body; joints that are zero in a frame stay zero.

    Attributes:
        offsets: (N, M, V, V); joint v is moved by ``offsets[v] @ joints``.
        dims: Number of channels that are coordinates.
    """

    offsets: Tensor
    dims: int

    def apply(self, clips: Tensor) -> Tensor:
        points = clips[:, : self.dims]
        with torch.autocast(clips.device.type, enabled=False):
            moved = torch.einsum("nctvm,nmuv->nctum", points, self.offsets.to(clips.dtype))
        present = points.ne(0).any(1, keepdim=True)
        return with_rest(points + moved * present, clips)

    def where(self, gate: Tensor) -> "LimbScaling":
        return LimbScaling(torch.where(gate[:, None, None, None], self.offsets, 0.0), self.dims)


@define(frozen=True)
class LimbScale(Augmentation):
    """Limb scaling: longer or shorter trunk, arms and legs (SLiM, 2603.10648); the root stays.

    The bones of each kind of part, left and right alike, are scaled by one factor for each body, and the
    skeleton is put together again from its root. Bones of no part keep their length.

    Attributes:
        low: Smallest factor.
        high: Largest factor.
        released: Put it together as SLiM's program does, from the first joint on by number: a joint whose
            parent on the trunk has a larger number hangs at the origin with all that follows it, which tears
            NTU's head and arms off.
    """

    low: float = field(default=0.85, converter=float, validator=gt(0))
    high: float = field(default=1.15, converter=float, validator=finite)
    released: bool = field(default=False, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError(f"high must not be below low = {self.low}, got {self.high}")

    def _param_uniforms(self, shape: ClipShape) -> int:
        return len(_kinds(shape.layout)) * shape.bodies

    def _params(self, uniforms: Tensor, shape: ClipShape) -> LimbScaling:
        layout = shape.layout

        def like(x: Tensor) -> Tensor:
            return x.to(uniforms.device, uniforms.dtype, non_blocking=True)

        count = len(_kinds(layout))
        members = torch.zeros(count, layout.num_joints)
        for row, joints in zip(members, _kinds(layout).values(), strict=True):
            row[list(joints)] = 1.0
        change = between(uniforms, self.low, self.high).view(len(uniforms), shape.bodies, count) - 1
        chains, bones, lost = map(like, _tree(layout, self.released))
        with torch.autocast(uniforms.device.type, enabled=False):
            change = change @ like(members)  # (N, M, V) of each joint's bone
            offsets = torch.einsum("uw,nmw,wv->nmuv", chains, change, bones) - lost
        return LimbScaling(offsets, shape.dims)


def _kinds(layout: SkeletonLayout) -> dict[str, tuple[int, ...]]:
    """Joints of the parts by name, left and right in one."""
    kinds: dict[str, tuple[int, ...]] = {}
    for name, joints in layout.parts:
        kind = name.removeprefix("left_").removeprefix("right_")
        kinds[kind] = (*kinds.get(kind, ()), *joints)
    return kinds


def _tree(layout: SkeletonLayout, released: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Which bones lead to each joint from the root (V, V), the bones (V, V), and what is lost (V, V)."""
    count = layout.num_joints
    hops = layout.hops_from(0 if released else layout.root)
    neighbours = [[b for b in range(count) if layout.hops[a][b] == 1] for a in range(count)]
    parents = [min(near, key=lambda b: hops[b], default=0) for near in neighbours]
    trunk = _kinds(layout).get("trunk", ())
    chains, bones, lost = (torch.zeros(count, count) for _ in range(3))
    for joint in range(count):
        here = joint
        while hops[here]:
            parent = parents[here]
            chains[joint, here] = bones[here, here] = 1.0
            bones[here, parent] = -1.0
            if released and parent > here and parent in trunk:
                lost[joint, parent] = 1.0
                break
            here = parent
    return chains, bones, lost
