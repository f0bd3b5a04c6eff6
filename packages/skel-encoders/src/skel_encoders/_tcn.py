"""A small temporal convolution network: quick to train, and strong on small sets."""

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from skel_data import SkeletonLayout, stream


class TCN(nn.Module):
    """One-dimensional convolutions over time on the joint, bone and motion channels of a body.

    All joints of a frame are one vector, so there is no graph; what the encoder knows of the skeleton
    is the bones. Bodies are encoded one by one and averaged; a body that is zero throughout is absent
    and has no part in the feature.

    Args:
        layout: The skeleton; gives joints, bones and channels.
        widths: Channels of the layers.
        kernels: Kernel size of each layer, odd.
        strides: Stride in time of each layer.
        streams: What the input is made of, see `skel_data.stream`.

    Raises:
        ValueError: If the settings do not fit each other, or a clip batch does not fit the layout (on
            calling).
    """

    def __init__(
        self,
        layout: SkeletonLayout,
        *,
        widths: tuple[int, ...] = (128, 128, 192, 192, 256, 256),
        kernels: tuple[int, ...] = (5, 5, 3, 3, 3, 3),
        strides: tuple[int, ...] = (1, 2, 1, 2, 1, 1),
        streams: tuple[str, ...] = ("joint", "bone", "motion"),
    ) -> None:
        super().__init__()
        if not widths or not len(widths) == len(kernels) == len(strides):
            raise ValueError(
                f"widths, kernels and strides must be equally long, got {widths}, {kernels}, {strides}"
            )
        if any(kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f"kernels must be odd, got {kernels}")
        self.layout = layout
        self.streams = streams
        self.feature_dim = 2 * widths[-1]
        channels = len(streams) * layout.channels * layout.num_joints
        self.input_norm = nn.BatchNorm1d(channels)
        layers: list[nn.Module] = []
        for width, kernel, stride in zip(widths, kernels, strides, strict=True):
            layers += [
                nn.Conv1d(channels, width, kernel, stride=stride, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.layers = nn.Sequential(*layers)

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T', 1, D / 2); absent bodies are zero.
        """
        layout = self.layout
        if clips.ndim != 5 or clips.shape[1] != layout.channels or clips.shape[3] != layout.num_joints:
            raise ValueError(
                f"expected clips (N, {layout.channels}, T, {layout.num_joints}, M) "
                f"for layout {layout.name!r}, got {tuple(clips.shape)}"
            )
        bodies = clips.shape[4]
        x = torch.cat([stream(clips, name, layout) for name in self.streams], dim=1)
        x = rearrange(x, "n c t v m -> (n m) (c v) t")
        if bodies == 1:
            x = self.layers(self.input_norm(x))
        else:  # absent bodies cost nothing and do not reach the statistics of BatchNorm
            present = rearrange(clips != 0, "n c t v m -> (n m) (c t v)").any(1)
            y = self.layers(self.input_norm(x[present]))
            x = y.new_zeros(len(present), *y.shape[1:]).index_put((present,), y)
        features: Tensor = rearrange(x, "(n m) d t -> n m t 1 d", m=bodies)
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Mean and maximum over time, then the mean over present bodies: to (N, D)."""
        present = (features != 0).flatten(2).any(2)
        mean = reduce(features, "n m t v d -> n m d", "mean")
        peak = reduce(features, "n m t v d -> n m d", "max")
        pooled = torch.cat([mean, peak], dim=-1)
        return pooled.sum(1) / present.sum(1, keepdim=True).clamp(min=1)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        return self.pool(self.forward_features(clips))
