"""The recurrent encoder of ISC (Thoker et al., ACM MM 2021, arXiv 2108.03656) and CMD (arXiv 2208.12448)."""

import re
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import PublishedEncoder
from skel_encoders.layers import check_clips

Direction = Literal["forward-twice", "bidirectional"]


class GRU(PublishedEncoder):
    """Recurrent encoder: layers of two GRUs each, on all joints and bodies of a frame as one vector.

    The published programs build a bidirectional GRU but feed it one frame at a time with the state carried
    on, so that both units of a layer run forward in time: ``forward-twice``. The feature is what the last
    layer has read in the end: both units at the last frame, or, where the second unit really runs backward
    (``bidirectional``), that one at the first frame.

    The vector of a frame has the joints outermost, then the channels, then the bodies, as published: the
    index of a body in the clip matters, and the number of bodies is fixed. Published weights are those of ISC
    or CMD.

    Args:
        layout: The skeleton; gives joints and channels.
        bodies: Bodies of a clip.
        in_channels: Channels of a clip; the layout's unless given.
        hidden_dim: Width of a unit, half that of the feature.
        layers: Layers, each on the outputs of both units of the one before.
        direction: How the second unit of each layer runs through time.
        input_norm: Whether BatchNorm comes first, as in CMD; ISC has none.

    Raises:
        ValueError: If a setting is out of range, or a clip batch does not fit (on calling).
    """

    program = "a published GRU encoder"
    left_out = r"fc\..*"

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        bodies: int = 2,
        in_channels: int | None = None,
        hidden_dim: int = 1024,
        layers: int = 3,
        direction: Direction = "forward-twice",
        input_norm: bool = True,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        if layers < 1:
            raise ValueError(f"layers must be at least 1, got {layers}")
        if direction not in ("forward-twice", "bidirectional"):
            raise ValueError(f"direction must be 'forward-twice' or 'bidirectional', got {direction!r}")
        self.layout = layout
        self.bodies = bodies
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.hidden_dim = hidden_dim
        self.layers = layers
        self.direction = direction
        self.input_norm = input_norm
        self.feature_dim = 2 * hidden_dim
        size = layout.num_joints * self.in_channels * bodies
        self.norm = nn.BatchNorm1d(size) if input_norm else nn.Identity()
        self.blocks = nn.ModuleList(
            _Layer(2 * hidden_dim if i else size, hidden_dim, direction == "bidirectional")
            for i in range(layers)
        )

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, 1, T, 1, D): what both units of the last layer say at each frame.
        """
        check_clips(clips, self.layout, self.in_channels, bodies=self.bodies)
        x = rearrange(self.norm(rearrange(clips, "n c t v m -> n (v c m) t")), "n d t -> t n d")
        for block in self.blocks:
            x = block(x)
        features: Tensor = rearrange(x, "t n d -> n 1 t 1 d")
        return features

    def pool(self, features: Tensor) -> Tensor:
        """What each unit says when it has read all frames: (N, 1, T, 1, D) to (N, D)."""
        first, second = features[:, 0, :, 0].chunk(2, -1)
        end = 0 if self.direction == "bidirectional" else -1
        return torch.cat([first[:, -1], second[:, end]], dim=1)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        return self.pool(self.forward_features(clips))

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight; nothing is joined."""
        if name.startswith("input_norm."):
            return name.removeprefix("input_"), 0
        if match := re.fullmatch(r"encoder\.gru\.((?:weight|bias)_[ih]h)_l(\d+)(_reverse)?", name):
            return f"blocks.{match[2]}.units.{1 if match[3] else 0}.{match[1]}", 0
        return None


class _Layer(nn.Module):
    """Two units side by side: (T, N, I) to (T, N, 2 H)."""

    def __init__(self, in_dim: int, hidden_dim: int, bidirectional: bool) -> None:
        super().__init__()
        self.units = nn.ModuleList(_Unit(in_dim, hidden_dim) for _ in range(2))
        self.bidirectional = bidirectional

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.units
        if self.bidirectional:
            return torch.cat([first(x), second(x.flip(0)).flip(0)], dim=-1)
        return torch.cat([first(x), second(x)], dim=-1)


class _Unit(nn.Module):
    """One GRU through time with the initial weights of the published programs.

    The parameters are not those of an `nn.GRU`, which `torch.compile` refuses to trace.
    """

    def __init__(self, in_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_dim, in_dim))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_dim, hidden_dim))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_dim))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_dim))
        for weight in (self.weight_ih, self.weight_hh):
            nn.init.xavier_uniform_(weight)
        for bias in (self.bias_ih, self.bias_hh):
            nn.init.uniform_(bias, -(hidden_dim**-0.5), hidden_dim**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        start = x.new_zeros(1, x.shape[1], self.weight_hh.shape[1])
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        # cuDNN has a gradient in training mode only; without dropout nothing else depends on the mode.
        train = torch.is_grad_enabled()
        outputs: Tensor = torch.gru(x, start, weights, True, 1, 0.0, train, False, False)[0]
        return outputs
