"""CTR-GCN (Chen et al., ICCV 2021) as an encoder."""

from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from skel_data import SkeletonLayout
from skel_encoders._ctrgcn import CTRBlock
from skel_encoders._graph import adjacency

_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class CTRGCN(nn.Module):
    """Graph convolutional network with a topology for each channel, without a classifier.

    The first BatchNorm tells bodies apart, so their number is fixed.

    Args:
        layout: The skeleton; gives joints, graph and channels.
        bodies: Bodies of a clip.
        in_channels: Channels of a clip; the layout's unless given.
        base_channels: Width of the first four blocks; it doubles twice, to the width of the feature.

    Raises:
        ValueError: If base_channels is not a multiple of 4, or a clip batch does not fit (on calling).
    """

    takes_joint_subsets: ClassVar[bool] = False

    def __init__(
        self,
        layout: SkeletonLayout,
        *,
        bodies: int = 2,
        in_channels: int | None = None,
        base_channels: int = 64,
    ) -> None:
        super().__init__()
        if base_channels % 4:
            raise ValueError(f"base_channels must be a multiple of 4, got {base_channels}")
        self.layout = layout
        self.bodies = bodies
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.base_channels = base = base_channels
        self.feature_dim = 4 * base
        graph = torch.from_numpy(adjacency(layout, "directed"))
        self.input_norm = nn.BatchNorm1d(bodies * layout.num_joints * self.in_channels)
        widths = (self.in_channels, *[base] * 4, *[2 * base] * 3, *[4 * base] * 3)
        self.blocks = nn.Sequential(
            *(
                CTRBlock(widths[i], widths[i + 1], graph, residual=i > 0, stride=stride)
                for i, stride in enumerate(_STRIDES)
            )
        )

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T', V, D), T' being T halved twice (rounded up).
        """
        channels, joints, bodies = self.in_channels, self.layout.num_joints, self.bodies
        expected = (channels, joints, bodies)
        if clips.ndim != 5 or (clips.shape[1], *clips.shape[3:]) != expected or clips.shape[2] == 0:
            raise ValueError(
                f"expected clips (N, {channels}, T, {joints}, {bodies}) "
                f"for layout {self.layout.name!r}, got {tuple(clips.shape)}"
            )
        x = self.input_norm(rearrange(clips, "n c t v m -> n (m v c) t"))
        x = self.blocks(rearrange(x, "n (m v c) t -> (n m) c v t", m=bodies, c=channels))
        features: Tensor = rearrange(x, "(n m) d v t -> n m t v d", m=bodies)
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Mean over frames, joints and bodies: (N, M, T', V, D) to (N, D)."""
        return features.mean((1, 2, 3))

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        return self.pool(self.forward_features(clips))
