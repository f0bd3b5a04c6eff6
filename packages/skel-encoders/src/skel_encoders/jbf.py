"""Joint-bone fusion, after CD-JBF-GCN (Tu et al., TMM 2022, arXiv 2202.04075).

The paper's abstract names two streams between which a correlation-driven graph convolution passes motion. Its
program is not public, so layers, widths and the form of the correlation are this project's own.
"""

from typing import ClassVar, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout, stream
from skel_encoders.graph import adjacency
from skel_encoders.layers import check_clips, encode_present
from skel_encoders.stgcn import STGCNBlock

_TINY = 1e-6


class JBF(nn.Module):
    """Graph convolution on joints and bones, two streams that exchange features where they correlate.

    Bones are computed from the clips. Each stream is a stack of the blocks of ST-GCN. Between two blocks
    every joint gets the features of all bones, each weighted by its correlation with the joint over time,
    through a learned linear map; and every bone those of all joints. These maps start at zero, so at first
    the streams are apart. The feature is that of both streams, side by side.

    Bodies are encoded one by one and averaged; a body that is zero throughout is absent and has no part in
    the feature, nor, where clips have places for several, in the statistics of BatchNorm.

    Args:
        layout: The skeleton; gives joints, bones, graph and channels.
        in_channels: Channels of a clip; the layout's unless given. A bone of clips with others, such as the
            stream ``distance``, is the difference of the joint and its parent in each channel.
        fusion: correlation: as described; concatenation: two streams that exchange nothing; none: one stream,
            of the clips as they are.
        widths: Channels of the blocks, in each stream.
        strides: Stride in time of each block.
        dropout: Dropout of every block but the first.

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
        fusion: Literal["correlation", "concatenation", "none"] = "correlation",
        widths: tuple[int, ...] = (16, 16, 32, 64),
        strides: tuple[int, ...] = (1, 2, 2, 1),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        if not widths or len(widths) != len(strides):
            raise ValueError(f"widths and strides must be equally long, got {widths} and {strides}")
        if fusion not in ("correlation", "concatenation", "none"):
            raise ValueError(f"fusion must be correlation, concatenation or none, got {fusion!r}")
        self.layout = layout
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.fusion = fusion
        self.widths = widths
        self.strides = strides
        self.dropout = dropout
        streams = 1 if fusion == "none" else 2
        self.feature_dim = streams * widths[-1]
        self.input_norms = nn.ModuleList(
            nn.BatchNorm1d(layout.num_joints * self.in_channels) for _ in range(streams)
        )
        graph = torch.from_numpy(adjacency(layout, "spatial"))
        sizes = zip((self.in_channels, *widths), widths, strides, strict=False)
        self.blocks = nn.ModuleList(
            _Layer(
                [
                    STGCNBlock(
                        before,
                        width,
                        graph,
                        stride=stride,
                        dropout=dropout if i else 0.0,
                        residual=i > 0,
                        edge_weights=True,
                    )
                    for _ in range(streams)
                ],
                _Exchange(width) if fusion == "correlation" and i < len(widths) - 1 else None,
            )
            for i, (before, width, stride) in enumerate(sizes)
        )

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T', V, D), T' being T divided by the strides (rounded up); absent bodies are zero.
        """
        check_clips(clips, self.layout, self.in_channels)
        inputs = [clips] if self.fusion == "none" else [clips, self._bones(clips)]
        streams = [rearrange(x, "n c t v m -> (n m) (v c) t") for x in inputs]
        x = encode_present(self._encode, streams, clips, training=self.training)
        features: Tensor = rearrange(x, "(n m) v t d -> n m t v d", m=clips.shape[4])
        return features

    def _bones(self, clips: Tensor) -> Tensor:
        if self.in_channels == self.layout.channels:
            return stream(clips, "bone", self.layout)
        return clips - clips[:, :, :, list(self.layout.parents)]

    def _encode(self, *inputs: Tensor) -> Tensor:
        """Streams of bodies (B, V * C, T) to (B, V, T', D)."""
        streams = [
            rearrange(norm(x), "b (v c) t -> b v t c", c=self.in_channels)
            for norm, x in zip(self.input_norms, inputs, strict=True)
        ]
        for block in self.blocks:
            streams = block(*streams)
        return torch.cat(streams, 3)

    def pool(self, features: Tensor) -> Tensor:
        """Mean over frames and joints, then over present bodies: (N, M, T', V, D) to (N, D)."""
        present = features.ne(0).flatten(2).any(2).sum(1, keepdim=True)
        # Joints before frames, as in memory, so that the gradient is laid out as the features are.
        return features.transpose(2, 3).mean((2, 3)).sum(1) / present.clamp(min=1)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        return self.pool(self.forward_features(clips))


class _Layer(nn.Module):
    """A block of each stream, and what they exchange behind it."""

    def __init__(self, streams: list[nn.Module], exchange: nn.Module | None) -> None:
        super().__init__()
        self.streams = nn.ModuleList(streams)
        self.exchange = exchange

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        outputs = [block(x, None) for block, x in zip(self.streams, inputs, strict=True)]
        return outputs if self.exchange is None else list(self.exchange(*outputs))


class _Exchange(nn.Module):
    """Features that joints and bones give each other, by their correlation over time: (B, V, T, C), twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        embedded = max(channels // 4, 1)
        self.joint_embedding = nn.Linear(channels, embedded)
        self.bone_embedding = nn.Linear(channels, embedded)
        self.norm = nn.LayerNorm(channels, elementwise_affine=False)
        self.to_joints = nn.Linear(channels, channels)
        self.to_bones = nn.Linear(channels, channels)
        for linear in (self.to_joints, self.to_bones):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, joints: Tensor, bones: Tensor) -> tuple[Tensor, Tensor]:
        shares = correlation(self.joint_embedding(joints), self.bone_embedding(bones)) / joints.shape[1]
        received = (shares @ bones.flatten(2)).view(joints.shape)
        given = (shares.mT @ joints.flatten(2)).view(bones.shape)
        return joints + self.to_joints(self.norm(received)), bones + self.to_bones(self.norm(given))


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation over time and channels of joints (B, V, T, C) and bones (B, W, T, C): (B, V, W).

    What does not vary correlates with nothing.
    """
    first, second = (x - x.mean((2, 3), keepdim=True) for x in (first, second))
    first, second = (functional.normalize(x.flatten(2), dim=2, eps=_TINY) for x in (first, second))
    return first @ second.mT
