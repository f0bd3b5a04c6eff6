"""A small temporal convolution network: quick to train, and strong on small sets."""

from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout, stream
from skel_encoders.layers import check_clips, encode_present


class TCN(nn.Module):
    """Temporal convolutional network on joints, bones, motion and the path of a body.

    All joints of a frame are one vector, so there is no graph: what the encoder knows of the skeleton is
    the bones and the centre joint. Bodies are encoded one by one and averaged; a body that is zero
    throughout is absent and has no part in the feature, nor, where clips have places for several, in the
    statistics of BatchNorm.

    The feature is the mean over time, the maximum, and the maxima of the first and the second half,
    which tell what came first.

    Args:
        layout: The skeleton; gives joints, bones, centre and channels.
        in_channels: Channels of a clip; the layout's unless given. Of clips with others, such as the stream
            ``distance``, the input is the clips and their motion.
        widths: Channels of the layers.
        kernels: Kernel size of each layer, odd.
        strides: Stride in time of each layer.

    Raises:
        ValueError: If the settings do not fit each other, or a clip batch does not fit the layout (on
            calling).
    """

    takes_joint_subsets: ClassVar[bool] = False

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        in_channels: int | None = None,
        widths: tuple[int, ...] = (128, 128, 192, 192, 256, 256),
        kernels: tuple[int, ...] = (5, 5, 3, 3, 3, 3),
        strides: tuple[int, ...] = (2, 1, 2, 1, 1, 1),
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        if not widths or not len(widths) == len(kernels) == len(strides):
            raise ValueError(
                f"widths, kernels and strides must be equally long, got {widths}, {kernels}, {strides}"
            )
        if any(kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f"kernels must be odd, got {kernels}")
        self.layout = layout
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.widths = widths
        self.kernels = kernels
        self.strides = strides
        self.feature_dim = 4 * widths[-1]
        channels = layout.dims * (3 * layout.num_joints + 1) + layout.confidence * layout.num_joints
        if self.in_channels != layout.channels:
            channels = 2 * self.in_channels * layout.num_joints
        # Without affine weights: they would let training undo the balance between the kinds of channels.
        self.input_norm = nn.BatchNorm1d(channels, affine=False)
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
            (N, M, T', 1, D / 4); absent bodies are zero.
        """
        check_clips(clips, self.layout, self.in_channels)
        x = encode_present(
            lambda x: self.layers(self.input_norm(x)), [self._input(clips)], clips, training=self.training
        )
        features: Tensor = rearrange(x, "(n m) d t -> n m t 1 d", m=clips.shape[4])
        return features

    def _input(self, clips: Tensor) -> Tensor:
        """Input of the first layer for each body, (N M, channels, T)."""
        layout = self.layout
        if self.in_channels != layout.channels:
            motion = functional.pad(clips[:, :, 1:] - clips[:, :, :-1], (0, 0, 0, 0, 0, 1))
            parts = [clips, motion]
        else:
            joints = clips[:, : layout.dims]
            path = joints[:, :, :, layout.center, None]
            parts = [joints - path, path]
            parts += [stream(clips, name, layout)[:, : layout.dims] for name in ("bone", "motion")]
            if layout.confidence:
                parts.append(clips[:, layout.dims :])
        return torch.cat([rearrange(part, "n c t v m -> (n m) (c v) t") for part in parts], dim=1)

    def pool(self, features: Tensor) -> Tensor:
        """Mean and maxima over time, then the mean over present bodies: to (N, D)."""
        x = features.squeeze(3)
        frames = x.shape[2]
        first, second = x[:, :, : (frames + 1) // 2], x[:, :, frames // 2 :]
        pooled = torch.cat([x.mean(2), x.amax(2), first.amax(2), second.amax(2)], dim=-1)
        present = (pooled != 0).any(2).sum(1, keepdim=True)
        return pooled.sum(1) / present.clamp(min=1)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        return self.pool(self.forward_features(clips))

    def layers_in_order(self) -> list[list[nn.Module]]:
        """Layers for `layer_groups`: convolution, BatchNorm and ReLU are one."""
        return [list(self.layers[i : i + 3]) for i in range(0, len(self.layers), 3)]
