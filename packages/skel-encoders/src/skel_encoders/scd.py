"""The dual-path encoder of SCD-Net (Wu et al., AAAI 2024, arXiv 2309.05834)."""

import re
from collections.abc import Mapping
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import PublishedEncoder
from skel_encoders.ctrgcn import CTRBlock, find_weight, join_parts
from skel_encoders.graph import adjacency
from skel_encoders.layers import check_clips, token_embedding

_HALVES = {"t": "temporal", "s": "spatial"}


class SCDEncoder(PublishedEncoder):
    """Dual-path encoder of SCD-Net: two graph convolutional networks, then attention over frames and joints.

    The feature is the temporal half (what the frames say), then the spatial one (what the joints of
    all bodies say): ``encoder(clips).chunk(2, 1)`` gives both. The linear layers that make tokens see a
    whole frame or a whole joint, so frames and bodies are fixed.

    Args:
        layout: The skeleton; gives joints, graph and channels.
        frames: Frames of a clip.
        bodies: Bodies of a clip.
        in_channels: Channels of a clip; the layout's unless given.
        channels: Width of the first and last graph convolution; the one between is four times as wide.
        hidden_dim: Width of the tokens and of each half of the feature.
        heads: Attention heads.
        layers: Transformer layers of each half.
        dropout: Dropout of the Transformer layers.

    Raises:
        ValueError: If the widths cannot be divided, or a clip batch does not fit (on calling).
    """

    program = "SCD-Net's published encoder"
    left_out = ""
    stacks: ClassVar[dict[str, int]] = {"temporal_graph.blocks": 1, "spatial_graph.blocks": 1}
    """Layers for `IntermediateFeatures`: the graph convolutions, as attention belongs to pooling."""

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        frames: int = 64,
        bodies: int = 2,
        in_channels: int | None = None,
        channels: int = 64,
        hidden_dim: int = 2048,
        heads: int = 8,
        layers: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        if channels % 4:
            raise ValueError(f"channels must be a multiple of 4, got {channels}")
        if hidden_dim % heads:
            raise ValueError(f"hidden_dim must be a multiple of heads, got {hidden_dim} and {heads} heads")
        self.layout = layout
        self.frames = frames
        self.bodies = bodies
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.channels = channels
        self.hidden_dim = hidden_dim
        self.heads = heads
        self.layers = layers
        self.dropout = dropout
        self.feature_dim = 2 * hidden_dim
        graph = torch.from_numpy(adjacency(layout, "directed"))
        self.temporal_graph = _Graph(self.in_channels, channels, graph, bodies)
        self.spatial_graph = _Graph(self.in_channels, channels, graph, bodies)
        frame_size, joint_size = bodies * layout.num_joints * channels, frames * channels
        self.temporal_tokens = _tokens(frame_size, hidden_dim, heads, layers, dropout)
        self.spatial_tokens = _tokens(joint_size, hidden_dim, heads, layers, dropout)

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T, V, 2 channels): the temporal half's, then the spatial half's.
        """
        check_clips(clips, self.layout, self.in_channels, frames=self.frames, bodies=self.bodies)
        x = torch.cat([self.temporal_graph(clips), self.spatial_graph(clips)], dim=1)
        features: Tensor = rearrange(x, "(n m) d v t -> n m t v d", m=self.bodies)
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Attention and maximum over frames and over joints: (N, M, T, V, 2 channels) to (N, D)."""
        temporal, spatial = features.chunk(2, -1)
        frames = self.temporal_tokens(rearrange(temporal, "n m t v c -> n t (m v c)"))
        joints = self.spatial_tokens(rearrange(spatial, "n m t v c -> n (m v) (t c)"))
        return torch.cat([frames.amax(1), joints.amax(1)], dim=1)

    def layers_in_order(self) -> list[list[nn.Module]]:
        """Layers for `layer_groups`; those of the two halves are equally deep."""
        graphs = (self.temporal_graph, self.spatial_graph)
        tokens = (self.temporal_tokens, self.spatial_tokens)
        return [
            [graph.input_norm for graph in graphs],
            *([graph.blocks[i] for graph in graphs] for i in range(len(graphs[0].blocks))),
            [module for part in tokens for module in part[:4]],
            *([part[i] for part in tokens] for i in range(4, len(tokens[0]))),
        ]

    @classmethod
    def rename_published(cls, state: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
        """As of `PublishedEncoder`, of what is under ``encoder.``; projection heads are beside it."""
        return super().rename_published(state, prefix=f"{prefix}encoder.")

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight, and which part of it this is."""
        if match := re.fullmatch(r"channel_([ts])\.([013]\.\w+)", name):
            return f"{_HALVES[match[1]]}_tokens.{match[2]}", 0
        if match := re.fullmatch(r"([ts])_encoder\.layers\.(\d+)\.(.+)", name):
            return f"{_HALVES[match[1]]}_tokens.{4 + int(match[2])}.{match[3]}", 0
        match = re.fullmatch(r"gcn_([ts])\.((?:data_bn|l[123])\..+)", name)
        found = find_weight(match[2]) if match else None
        return (f"{_HALVES[match[1]]}_graph.{found[0]}", found[1]) if match and found else None

    _join = staticmethod(join_parts)


class _Graph(nn.Module):
    """Three blocks of CTR-GCN: clips (N, C, T, V, M) to (N M, D, V, T)."""

    def __init__(self, in_channels: int, channels: int, graph: Tensor, bodies: int) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm1d(bodies * graph.shape[1] * in_channels)
        self.blocks = nn.Sequential(
            CTRBlock(in_channels, channels, graph, residual=False),
            CTRBlock(channels, 4 * channels, graph, residual=True),
            CTRBlock(4 * channels, channels, graph, residual=True),
        )

    def forward(self, clips: Tensor) -> Tensor:
        _, channels, _, _, bodies = clips.shape
        x = self.input_norm(rearrange(clips, "n c t v m -> n (m v c) t"))
        features: Tensor = self.blocks(rearrange(x, "n (m v c) t -> (n m) c v t", m=bodies, c=channels))
        return features


def _tokens(size: int, hidden_dim: int, heads: int, layers: int, dropout: float) -> nn.Sequential:
    """Make tokens (N, L, hidden_dim) of parts (N, L, size), and let them attend to each other."""
    tokens = nn.Sequential(
        *token_embedding(size, hidden_dim),
        *(
            nn.TransformerEncoderLayer(hidden_dim, heads, hidden_dim, dropout, batch_first=True)
            for _ in range(layers)
        ),
    )
    for parameter in tokens.parameters():
        if parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter)
    return tokens
