"""The joint-frame token transformer of MAMP (Mao et al., ICCV 2023, arXiv 2308.07092)."""

import re

import torch
from einops import rearrange
from timm.layers.drop import DropPath
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import PublishedEncoder
from skel_encoders.layers import check_clips, encode_once


class Transformer(PublishedEncoder):
    """Transformer of joint-frame tokens; bodies are encoded one by one.

    A token is ``tubelet`` frames of one joint plus a learned position of the joint and of the time.
    Where the frames of a clip are no multiple of ``tubelet``, its last frame is repeated to fill the last
    token. A clip may be shorter than ``frames``: it has the first positions.

    A method that masks tokens calls `embed` and `encode` itself. Published weights are those of MAMP.

    Args:
        layout: The skeleton; gives joints and channels.
        frames: Frames of the longest clip.
        in_channels: Channels of a clip; the layout's unless given.
        tubelet: Frames of a token.
        feature_dim: Width of the tokens and of the feature.
        heads: Attention heads.
        layers: Transformer blocks.
        mlp_ratio: Width of the hidden layer of a block, relative to ``feature_dim``.
        drop_path: Probability to skip the last block in training; it grows linearly from 0 at the first.
        skip_absent: Whether one body that is zero throughout is computed for all that are. Features and
            gradients stay the same, and clips of one body in two places take half the time. Looking for
            them waits for the device. All are computed in training with ``drop_path``, where each has its
            own paths, where clips want a gradient, and in programs compiled or exported.

    Raises:
        ValueError: If a setting is out of range, or a clip batch does not fit (on calling).
    """

    program = "MAMP's published network"
    left_out = r"mask_token|decoder_.*|head\..*"

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        frames: int,
        in_channels: int | None = None,
        tubelet: int = 4,
        feature_dim: int = 256,
        heads: int = 8,
        layers: int = 8,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        skip_absent: bool = True,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        for name, value in (("frames", frames), ("tubelet", tubelet)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if feature_dim % heads:
            raise ValueError(f"feature_dim must be a multiple of heads, got {feature_dim} and {heads} heads")
        if not 0 <= drop_path < 1:
            raise ValueError(f"drop_path must lie in [0, 1), got {drop_path}")
        self.layout = layout
        self.frames = frames
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.tubelet = tubelet
        self.feature_dim = feature_dim
        self.heads = heads
        self.layers = layers
        self.mlp_ratio = mlp_ratio
        self.drop_path = drop_path
        self.skip_absent = skip_absent
        self.embedding = nn.Linear(self.in_channels * tubelet, feature_dim)
        self.joint_position = nn.Parameter(torch.empty(layout.num_joints, feature_dim))
        self.time_position = nn.Parameter(torch.empty(-(-frames // tubelet), feature_dim))
        self.blocks = nn.ModuleList(
            Block(feature_dim, heads, mlp_ratio, qkv_bias=True, drop_path=rate, norm_layer=nn.LayerNorm)
            for rate in _drop_paths(drop_path, layers)
        )
        self.norm = nn.LayerNorm(feature_dim)
        for position in (self.joint_position, self.time_position):
            nn.init.trunc_normal_(position, std=0.02)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def embed(self, clips: Tensor) -> Tensor:
        """Tokens with their positions: clips (N, C, T, V, M) to (N M, T' V, D), T' = ceil(T / tubelet)."""
        return self._embed(self._bodies(clips))

    def encode(self, tokens: Tensor, keep: Tensor | None = None) -> Tensor:
        """Let tokens attend to each other.

        Args:
            tokens: (B, T' V, D), as from `embed`.
            keep: The tokens to see, indices (B, L) for each body its own; all unless given.

        Returns:
            (B, L, D), in the order of ``keep``.
        """
        if keep is not None:
            if keep.dtype != torch.int64 or keep.ndim != 2 or len(keep) != len(tokens):
                raise ValueError(
                    f"expected int64 indices keep ({len(tokens)}, L), got {keep.dtype} {tuple(keep.shape)}"
                )
            tokens = tokens.gather(1, keep[:, :, None].expand(-1, -1, tokens.shape[2]))
        for block in self.blocks:
            tokens = block(tokens)
        features: Tensor = self.norm(tokens)
        return features

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T', V, D), T' = ceil(T / tubelet); absent bodies have features too.
        """
        bodies = self._bodies(clips)
        own_paths = self.training and self.drop_path > 0
        once = self.skip_absent and not own_paths
        x = encode_once(self._encode, bodies) if once else self._encode(bodies)
        features: Tensor = rearrange(
            x, "(n m) (t v) d -> n m t v d", m=clips.shape[4], v=self.layout.num_joints
        )
        return features

    def _encode(self, bodies: Tensor) -> Tensor:
        """Bodies (B, C, T, V) to (B, T' V, D)."""
        return self.encode(self._embed(bodies))

    def _bodies(self, clips: Tensor) -> Tensor:
        """Clips (N, C, T, V, M) to bodies (N M, C, T, V), if they fit."""
        if clips.ndim == 5 and not 0 < clips.shape[2] <= self.frames:
            raise ValueError(f"expected clips of 1 to {self.frames} frames, got {clips.shape[2]}")
        check_clips(clips, self.layout, self.in_channels)
        bodies: Tensor = rearrange(clips, "n c t v m -> (n m) c t v")
        return bodies

    def _embed(self, bodies: Tensor) -> Tensor:
        """Bodies (B, C, T, V) to tokens (B, T' V, D)."""
        if missing := -bodies.shape[2] % self.tubelet:
            bodies = torch.cat([bodies, bodies[:, :, -1:].expand(-1, -1, missing, -1)], dim=2)
        x = self.embedding(rearrange(bodies, "b c (t u) v -> b t v (c u)", u=self.tubelet))
        x = x + self.joint_position + self.time_position[: x.shape[1], None]
        tokens: Tensor = x.flatten(1, 2)
        return tokens

    def pool(self, features: Tensor) -> Tensor:
        """Mean over frames, joints and bodies, absent ones included: (N, M, T', V, D) to (N, D)."""
        return features.mean((1, 2, 3))

    def pool_joints(self, features: Tensor) -> Tensor:
        """Mean over frames and bodies that keeps the joints, as MAMP is fine-tuned: to (N, V D)."""
        return features.mean((1, 2)).flatten(1)

    def set_drop_path(self, rate: float) -> None:
        """Change ``drop_path``, for instance for fine-tuning; weights stay.

        Raises:
            ValueError: If the rate is out of range.
        """
        if not 0 <= rate < 1:
            raise ValueError(f"drop_path must lie in [0, 1), got {rate}")
        self.drop_path = rate
        for block, share in zip(self.blocks, _drop_paths(rate, self.layers), strict=True):
            for name in ("drop_path1", "drop_path2"):
                path = DropPath(share) if share else nn.Identity()
                setattr(block, name, path.train(self.training))

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight; nothing is joined."""
        if name in _PUBLISHED:
            return _PUBLISHED[name], 0
        pattern = r"(blocks\.\d+\.(norm[12]|attn\.(qkv|proj)|mlp\.fc[12])|norm)\.(weight|bias)"
        return (name, 0) if re.fullmatch(pattern, name) else None

    @staticmethod
    def _join(ours: str, parts: list[Tensor]) -> Tensor:
        """A weight in our shape."""
        (value,) = parts
        if ours == "embedding.weight":
            return value.flatten(1)  # a convolution (D, C, tubelet, 1) there
        if ours == "joint_position":
            return value[0, 0]
        return value[0, :, 0] if ours == "time_position" else value


def _drop_paths(rate: float, layers: int) -> list[float]:
    """The probability to skip each block, which grows linearly to ``rate``."""
    shares: list[float] = torch.linspace(0, rate, layers, device="cpu").tolist()
    return shares


_PUBLISHED = {
    "joints_embed.proj.weight": "embedding.weight",
    "joints_embed.proj.bias": "embedding.bias",
    "pos_embed": "joint_position",
    "temp_embed": "time_position",
}
