"""The dense spatio-temporal encoder of USDRL (Weng et al., AAAI 2025, arXiv 2412.09220)."""

import re
from typing import Any

import torch
from einops import rearrange
from timm.layers.drop import DropPath
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import TwoSequenceEncoder
from skel_encoders.layers import check_clips, sinusoids, token_embedding


class DSTE(TwoSequenceEncoder):
    """Dense spatio-temporal encoder: frames and joints as two sequences of tokens, of one width.

    A frame token is all joints of a frame, a joint token all frames of a joint of one body. Each layer is a
    convolutional attention and a dense shift attention side by side, which share their attention weights. The
    feature is the temporal half (maximum over frames), then the spatial one (maximum over joints):
    ``encoder(clips).chunk(2, 1)`` gives both. Layers that mix tokens fix frames and bodies.

    Args:
        layout: The skeleton; gives joints and channels.
        frames: Frames of a clip.
        bodies: Bodies of a clip.
        in_channels: Channels of a clip; the layout's unless given.
        hidden_dim: Width of the tokens and of each half of the feature.
        heads: Attention heads.
        layers: Layers of each sequence.
        convolution: Share of the convolutional attention in a layer; the rest is dense shift attention.
        gap: Dense shift attention mixes tokens along the sequence, but leaves one in this many unchanged.
        drop_path: Probability to skip a residual branch in training.

    Raises:
        ValueError: If a setting is out of range, or a clip batch does not fit (on calling).
    """

    program = "USDRL's published encoder"
    left_out = r"[ist]_proj\..*|fc\..*|backbone\.tpe\.pe"

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        frames: int = 64,
        bodies: int = 2,
        in_channels: int | None = None,
        hidden_dim: int = 1024,
        heads: int = 1,
        layers: int = 2,
        convolution: float = 0.5,
        gap: int = 4,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        if hidden_dim % 2 or hidden_dim % heads:
            raise ValueError(
                f"hidden_dim must be even and a multiple of heads, got {hidden_dim} and {heads} heads"
            )
        if gap < 1:
            raise ValueError(f"gap must be at least 1, got {gap}")
        if not 0 <= convolution <= 1:
            raise ValueError(f"convolution must lie in [0, 1], got {convolution}")
        if not 0 <= drop_path < 1:
            raise ValueError(f"drop_path must lie in [0, 1), got {drop_path}")
        layout = get_layout(layout)
        self.layout = layout
        self.frames = frames
        self.bodies = bodies
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.hidden_dim = hidden_dim
        self.heads = heads
        self.layers = layers
        self.convolution = convolution
        self.gap = gap
        self.drop_path = drop_path
        self.feature_dim = 2 * hidden_dim
        joints = bodies * layout.num_joints
        self.temporal_embedding = token_embedding(joints * self.in_channels, hidden_dim)
        self.spatial_embedding = token_embedding(frames * self.in_channels, hidden_dim)
        self.joint_position = nn.Parameter(torch.empty(joints, hidden_dim))
        self.register_buffer("time_position", sinusoids(frames, hidden_dim), persistent=False)
        settings = (hidden_dim, heads, convolution, gap, drop_path)
        self.temporal_layers = nn.ModuleList(_Layer(frames, *settings) for _ in range(layers))
        self.spatial_layers = nn.ModuleList(_Layer(joints, *settings) for _ in range(layers))
        nn.init.trunc_normal_(self.joint_position, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, 1, T + M V, 1, D): the frame tokens, then the joint tokens, body by body.
        """
        check_clips(clips, self.layout, self.in_channels, frames=self.frames, bodies=self.bodies)
        frames = self.temporal_embedding(rearrange(clips, "n c t v m -> n t (m v c)"))
        for layer in self.temporal_layers:
            frames = layer(frames + self.time_position)
        joints = self.spatial_embedding(rearrange(clips, "n c t v m -> n (m v) (t c)"))
        for layer in self.spatial_layers:
            joints = layer(joints + self.joint_position)
        return torch.cat([frames, joints], dim=1)[:, None, :, None]

    def layers_in_order(self) -> list[list[nn.Module]]:
        """Layers for `layer_groups`; those of the two sequences are equally deep."""
        pairs = zip(self.temporal_layers, self.spatial_layers, strict=True)
        return [[self.temporal_embedding, self.spatial_embedding], *map(list, pairs)]

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight; nothing is joined."""
        name = name.removeprefix("backbone.")
        if name == "spe":
            return "joint_position", 0
        if match := re.fullmatch(r"ske_emb\.([ts])_embedding\.([013]\.\w+)", name):
            return f"{_HALVES[match[1]]}_embedding.{match[2]}", 0
        match = re.fullmatch(r"([ts])_tr(1?)\.(CA|DSA)\.(\w+)\.(.+)", name)
        if match is None or (match[3], match[4]) not in _PARTS:
            return None
        layer = f"{_HALVES[match[1]]}_layers.{match[2] or 0}"
        rest = match[5].replace("fc1.", "0.").replace("fc2.", "2.")
        return f"{layer}.{_PARTS[match[3], match[4]]}.{rest}", 0

    @staticmethod
    def _join(ours: str, parts: list[Tensor]) -> Tensor:
        """A weight in our shape; the attention that both branches share stands there twice."""
        value = parts[0]
        if ours == "joint_position":
            return value[0]
        return value[:, :, 0] if ours.endswith("convolve.weight") else value


_HALVES = {"t": "temporal", "s": "spatial"}
_PARTS = {
    ("CA", "attn"): "attention",
    ("CA", "conv1"): "convolve",
    ("CA", "norm1"): "convolved_norms.0",
    ("CA", "norm2"): "convolved_norms.1",
    ("CA", "mlp"): "convolved_mlp",
    ("DSA", "attn"): "attention",
    ("DSA", "wt1"): "mix.0",
    ("DSA", "wt2"): "mix.2",
    ("DSA", "norm1"): "shifted_norms.0",
    ("DSA", "norm2"): "shifted_norms.1",
    ("DSA", "mlp"): "shifted_mlp",
}


class _Layer(nn.Module):
    """Convolutional and dense shift attention of tokens (N, L, D), which share their attention."""

    def __init__(
        self, length: int, dim: int, heads: int, convolution: float, gap: int, drop_path: float
    ) -> None:
        super().__init__()
        self.share, self.gap = convolution, gap
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.convolve = nn.Linear(dim, dim)  # a convolution of kernel 1
        self.convolved_norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.convolved_mlp = _mlp(dim)
        self.mix = nn.Sequential(nn.Linear(length, length), nn.ReLU(), nn.Linear(length, length))
        self.shifted_norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.shifted_mlp = _mlp(dim)
        self.drop = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        mixed = x + self.mix(x.transpose(1, 2)).transpose(1, 2)
        still = torch.arange(x.shape[1], device=x.device) % self.gap == 0
        both = torch.stack([torch.where(still[:, None], x, mixed), x])
        convolved = self.convolved_norms[0](x + self.convolve(x).relu())
        # one attention for all three: it has the same weights in both branches
        attended = self._attend(torch.cat([convolved[None], self.shifted_norms[0](both)]))
        seen, seen_shifted = torch.split(self._drop(attended), [1, 2])
        convolved = x + seen[0]
        convolved = self.drop(self.convolved_mlp(self.convolved_norms[1](convolved)))
        both = both + seen_shifted
        hidden = self.shifted_mlp[:2](self.shifted_norms[1](both))
        kept = self._drop(hidden.new_ones(2, x.shape[0], 1, 1))
        last: Any = self.shifted_mlp[2]  # linear, so it is taken once, of the mean
        shifted = functional.linear((kept * hidden).mean(0), last.weight) + kept.mean(0) * last.bias
        features: Tensor = self.share * convolved + (1 - self.share) * (both.mean(0) + shifted)
        return features

    def _attend(self, x: Tensor) -> Tensor:
        """Self-attention of sequences (K, N, L, D).

        As `torch.nn.MultiheadAttention`, which writes gradients of queries, keys and values into tensors of
        zeros; with it a training step of a small network takes an eighth longer. With one head, the published
        number, the weights of queries and keys are multiplied first in training, as are those of values and
        output. This pays where a batch has more tokens than the width.
        """
        a = self.attention
        if self.training and a.num_heads == 1:
            w_q, w_k, w_v = a.in_proj_weight.chunk(3)
            b_q, _, b_v = a.in_proj_bias.chunk(3)  # softmax does not see the bias of keys
            q = functional.linear(x, w_k.T @ w_q, b_q @ w_k)
            mixed = functional.scaled_dot_product_attention(q, x, x)
            out = a.out_proj
            return functional.linear(mixed, out.weight @ w_v, out.weight @ b_v + out.bias)
        parts = functional.linear(x, a.in_proj_weight, a.in_proj_bias).chunk(3, -1)
        q, k, v = (rearrange(part, "k n l (h d) -> (k n) h l d", h=a.num_heads) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        result: Tensor = a.out_proj(rearrange(mixed, "(k n) h l d -> k n l (h d)", k=len(x)))
        return result

    def _drop(self, x: Tensor) -> Tensor:
        """Drop paths of each sequence (K, N, L, D)."""
        dropped: Tensor = self.drop(x.flatten(0, 1)).view_as(x)
        return dropped


def _mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
