"""What can be done to the points of a frame: moved by a matrix, exchanged, masked, given noise."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from skel_augment._params import Params, with_rest


@dataclass(frozen=True, eq=False, slots=True)
class Affine(Params):
    """A matrix on the coordinates of every joint; a confidence channel is left alone.

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


@dataclass(frozen=True, eq=False, slots=True)
class JointAffine(Params):
    """A matrix on the coordinates of some joints, the same for all frames and bodies.

    Attributes:
        matrix: (N, dims, dims); a point p becomes ``matrix @ p``.
        moved: (N, V) true where joint v is moved.
    """

    matrix: Tensor
    moved: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        return torch.where(self.moved[:, None, None, :, None], Affine(self.matrix).apply(clips), clips)

    def where(self, gate: Tensor) -> "JointAffine":
        return replace(self, moved=self.moved & gate[:, None])


@dataclass(frozen=True, eq=False, slots=True)
class JointMap(Params):
    """Joints exchanged, then joints zeroed in all channels, the same for all frames and bodies.

    Attributes:
        index: (N, V) integers or None: joint v of the result is joint ``index[:, v]`` of the clip.
        keep: (N, V) ones and zeros or None: zero where joint v of the result is zeroed.
    """

    axis: ClassVar[str] = "joints"
    index: Tensor | None = None
    keep: Tensor | None = None

    def apply(self, clips: Tensor) -> Tensor:
        count, channels, frames, joints, bodies = clips.shape
        rows = clips.reshape(count, channels * frames, joints * bodies)
        if self.index is not None:
            column = self.index[:, :, None] * bodies + torch.arange(bodies, device=clips.device)
            rows = rows.gather(2, column.flatten(1)[:, None].expand_as(rows))
        if self.keep is not None:
            rows = rows * self.keep.to(clips.dtype).repeat_interleave(bodies, 1)[:, None]
        return rows.view(clips.shape)

    def kept(self, count: int) -> Tensor:
        """(N, count) joints that are not zeroed, in ascending order, where each clip has so many of them.

        The count must be known from the settings: a look at the numbers would wait for the device.

        Raises:
            ValueError: If no joints are zeroed, or the clips do not have as many joints.

        >>> JointMap(keep=torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])).kept(2)
        tensor([[0, 2],
                [1, 2]])
        """
        if self.keep is None:
            raise ValueError("these parameters zero no joints")
        if not 0 <= count <= self.keep.shape[1]:
            raise ValueError(f"cannot keep {count} of {self.keep.shape[1]} joints")
        return self.keep.argsort(stable=True, dim=1, descending=True)[:, :count]

    def where(self, gate: Tensor) -> "JointMap":
        index, keep = self.index, self.keep
        if index is not None:
            index = torch.where(gate[:, None], index, torch.arange(index.shape[1], device=index.device))
        if keep is not None:
            keep = torch.where(gate[:, None], keep, 1.0)
        return JointMap(index, keep)

    def then(self, later: Params) -> "JointMap | None":
        if not isinstance(later, JointMap):
            return None
        index, keep = self.index, self.keep
        if later.index is not None:
            index = later.index if index is None else index.gather(1, later.index)
            keep = None if keep is None else keep.gather(1, later.index)
        if later.keep is not None:
            keep = later.keep if keep is None else keep * later.keep
        return JointMap(index, keep)


@dataclass(frozen=True, eq=False, slots=True)
class Noise(Params):
    """Numbers added to the coordinates.

    Attributes:
        values: (N, dims, T, V, M), or (N, dims, 1, V, M) for the same numbers in all frames.
        scale: (N,) factor of the values.
        spare: What stays exactly zero: "bodies" that are zero in the whole clip, in "frames" where all their
            joints are zero (and so absent bodies too), "joints" that are zero in a frame (and so all of the
            former), or "nothing".
    """

    values: Tensor
    scale: Tensor
    spare: str = "frames"

    def apply(self, clips: Tensor) -> Tensor:
        count, channels, frames, joints, bodies = clips.shape
        points = clips[:, : self.values.shape[1]].flatten(3)
        scale = self.scale.to(clips.dtype)[:, None, None, None]
        # A sum of magnitudes is zero only where all of them are, and quicker than to ask each.
        if self.spare == "bodies":
            size = clips.abs().reshape(count, channels * frames, joints * bodies).sum(1)
            size = size.view(count, joints, bodies).sum(1)
            scale = scale * (size != 0).repeat(1, joints)[:, None, None]
        elif self.spare == "frames":
            size = clips.abs().sum(1).sum(2, keepdim=True)
            scale = scale * (size != 0).expand(-1, -1, joints, -1).flatten(2)[:, None]
        elif self.spare == "joints":
            scale = scale * (clips.abs().sum(1, keepdim=True) != 0).flatten(3)
        moved = torch.addcmul(points, self.values.to(clips.dtype).flatten(3), scale)
        return with_rest(moved.view(*moved.shape[:3], joints, bodies), clips)

    def where(self, gate: Tensor) -> "Noise":
        return replace(self, scale=torch.where(gate, self.scale, 0.0))
