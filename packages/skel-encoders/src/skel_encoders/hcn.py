"""HCN (Li et al., IJCAI 2018) as ISC (2108.03656) and TS-Cubism (2207.08095) have it."""

import torch
from einops import rearrange
from einops.layers.torch import Rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import PublishedEncoder
from skel_encoders.layers import check_clips, encode_once


class HCN(PublishedEncoder):
    """Hierarchical co-occurrence network without a classifier: convolutions over a clip as an image.

    Positions and motion go through a branch each, in which joints become channels and a new axis of
    ``frames`` columns takes their place; then both are one. All is halved four times along frames and
    columns, and the feature is what is left, so frames are fixed. Published weights
    are those of ISC or TS-Cubism.

    Args:
        layout: The skeleton; gives joints and channels.
        frames: Frames of a clip, at least 16.
        in_channels: Channels of a clip; the layout's unless given.
        channels: Width of the first convolution, even; the last is four times as wide.
        hidden_dim: Width of a last linear layer, 512 in TS-Cubism (its ``fc7``); unless given there is
            none, as in ISC.
        learned_slopes: Whether negative values are scaled by a learned slope (PReLU), as in TS-Cubism,
            and not set to zero (ReLU), as in ISC.
        dropout: Dropout of whole channels, and of single entries behind the linear layer.

    Raises:
        ValueError: If frames or channels do not fit, or a clip batch does not (on calling).
    """

    program = "a published HCN"
    left_out = r"(fc|fc8|fc7_rl|fc8_rl)\..*"  # nothing reads TS-Cubism's ``fc7_rl``

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        frames: int = 64,
        in_channels: int | None = None,
        channels: int = 64,
        hidden_dim: int | None = None,
        learned_slopes: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        if frames < 16:
            raise ValueError(f"frames are halved four times, so there must be 16 or more, got {frames}")
        if channels % 2:
            raise ValueError(f"channels must be even, got {channels}")
        self.layout = layout
        self.frames = frames
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.channels = channels
        self.hidden_dim = hidden_dim
        self.learned_slopes = learned_slopes
        self.dropout = dropout
        activation = nn.PReLU if learned_slopes else nn.ReLU
        self.blocks = nn.Sequential(
            _Branches(self.in_channels, channels, layout.num_joints, frames, activation, dropout),
            _Block(2 * channels, 2 * channels, activation, dropout),
            _Block(2 * channels, 4 * channels, activation, dropout),
        )
        size = 4 * channels * (frames // 16) ** 2
        self.feature_dim = size if hidden_dim is None else hidden_dim
        self.hidden: nn.Module = nn.Identity()
        if hidden_dim is not None:
            self.hidden = nn.Sequential(nn.Linear(size, hidden_dim), activation(), nn.Dropout(dropout))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T', V', D), T' and V' being T // 16; V' counts columns, which are no joints.
        """
        check_clips(clips, self.layout, self.in_channels, frames=self.frames)
        bodies = rearrange(clips, "n c t v m -> (n m) c t v")
        # In training mode dropout draws for each body, so no two are alike.
        x = self.blocks(bodies) if self.training else encode_once(self.blocks, bodies)
        features: Tensor = rearrange(x, "(n m) d t v -> n m t v d", m=clips.shape[4])
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Maximum over bodies, and the linear layer if there is one: (N, M, T', V', D') to (N, D)."""
        pooled: Tensor = self.hidden(rearrange(features.amax(1), "n t v d -> n (d t v)"))
        return pooled

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight; nothing is joined."""
        module, _, leaf = name.rpartition(".")
        return (f"{_NAMES[module]}.{leaf}", 0) if module in _NAMES else None


class _Branches(nn.Module):
    """Positions and motion side by side: (N, C, T, V) to (N, 2 D, T / 4, T / 4)."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        joints: int,
        frames: int,
        activation: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        # The published order has dropout before the maximum. Channels drop out whole, so either is the same.
        self.positions, self.motion = (
            nn.Sequential(
                nn.Conv2d(in_channels, channels, 1),
                activation(),
                nn.Conv2d(channels, frames, (3, 1), padding=(1, 0)),
                Rearrange("n c t v -> n v t c"),
                nn.Conv2d(joints, channels // 2, 3, padding=1),
                nn.MaxPool2d(2),
                nn.Conv2d(channels // 2, channels, 3, padding=1),
                nn.MaxPool2d(2),
                nn.Dropout2d(dropout),
            )
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        motion = functional.interpolate(x.diff(dim=2), x.shape[2:], mode="bilinear")
        return torch.cat([self.positions(x), self.motion(motion)], dim=1)


class _Block(nn.Sequential):
    """A convolution that halves both axes."""

    def __init__(
        self, in_channels: int, out_channels: int, activation: type[nn.Module], dropout: float
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            activation(),
            nn.MaxPool2d(2),
            nn.Dropout2d(dropout),
        )


_BRANCH = {"conv1{}.0": 0, "conv1{}.1": 1, "conv2{}": 2, "conv3{}.0": 4, "conv4{}.0": 6}
_NAMES = {
    **{name.format(""): f"blocks.0.positions.{index}" for name, index in _BRANCH.items()},
    **{name.format("m"): f"blocks.0.motion.{index}" for name, index in _BRANCH.items()},
    **{f"conv{5 + block}.{index}": f"blocks.{1 + block}.{index}" for block in range(2) for index in range(2)},
    **{f"fc7.{index}": f"hidden.{index}" for index in range(2)},
}
