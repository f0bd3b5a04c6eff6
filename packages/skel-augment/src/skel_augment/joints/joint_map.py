"""Permutation and mask of joints."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from skel_augment.params import Params


@dataclass(frozen=True, eq=False, slots=True)
class JointMap(Params):
    """Joints permuted, then joints zeroed in all channels, the same for all frames and bodies.

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
        """(N, count) joints that are not zeroed, in ascending order, if each clip has `count` of them.

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
