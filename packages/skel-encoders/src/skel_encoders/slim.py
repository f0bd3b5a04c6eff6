"""The transformer of SLiM (Do et al., NeurIPS 2026, arXiv 2603.10648)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import PublishedEncoder
from skel_encoders.layers import check_clips, encode_once


class SLiMTokens(NamedTuple):
    """Tokens of bodies after the last block and its norm.

    Attributes:
        classes: (B, K, D) class tokens of the last K blocks, the last block's at the end.
        registers: (B, R, D) register tokens.
        patches: (B, T' V, D) joint-frame tokens, time-major.
    """

    classes: Tensor
    registers: Tensor
    patches: Tensor


class SLiM(PublishedEncoder):
    """Vision transformer of joint-frame tokens with a class token, registers and rotary time.

    A token is ``tubelet`` frames of one joint, plus a learned position of the joint. Time enters as a
    rotation of queries and keys (RoPE), so that one set of weights takes clips of any length. Where the
    frames of a clip are no multiple of ``tubelet``, its last frame is repeated to fill the last token. Each
    body is a sequence of its own.

    The feature is the sum over bodies of the class tokens of the last blocks and the mean joint-frame token,
    side by side; absent bodies, which are zero throughout, add nothing. A method that masks tokens calls
    `encode` itself.

    Args:
        layout: The skeleton; gives joints and channels.
        in_channels: Channels of a clip; the layout's unless given.
        tubelet: Frames of a token.
        width: Width of the tokens.
        heads: Attention heads; each has an even width.
        layers: Transformer blocks.
        registers: Register tokens.
        class_layers: Number of last blocks whose class tokens are in the feature: 4 in the paper's linear
            probe, 1 in its nearest neighbours.
        rope_base: Base of the frequencies of the rotary positions.

    Raises:
        ValueError: If a setting is out of range, or a clip batch does not fit (on calling).
    """

    program = "SLiM's published network"
    left_out = r"mask_token|.*head\..*"

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        in_channels: int | None = None,
        tubelet: int = 8,
        width: int = 256,
        heads: int = 8,
        layers: int = 8,
        registers: int = 4,
        class_layers: int = 4,
        rope_base: float = 10000.0,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        for name, value, least in (
            ("tubelet", tubelet, 1),
            ("layers", layers, 1),
            ("registers", registers, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if width % (2 * heads):
            raise ValueError(f"width must be a multiple of 2 * heads, got {width} and {heads} heads")
        if not 1 <= class_layers <= layers:
            raise ValueError(f"class_layers must be from 1 to the {layers} layers, got {class_layers}")
        if rope_base <= 1:
            raise ValueError(f"rope_base must be above 1, got {rope_base}")
        self.layout = layout
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.tubelet = tubelet
        self.width = width
        self.heads = heads
        self.layers = layers
        self.registers = registers
        self.class_layers = class_layers
        self.rope_base = rope_base
        self.feature_dim = (class_layers + 1) * width
        self.embedding = nn.Linear(self.in_channels * tubelet, width)
        self.joint_position = nn.Parameter(torch.empty(layout.num_joints, width))
        self.class_token = nn.Parameter(torch.empty(width))
        self.register_tokens = nn.Parameter(torch.empty(registers, width))
        self.blocks = nn.ModuleList(RotaryBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        for weight in (self.joint_position, self.class_token, self.register_tokens):
            nn.init.trunc_normal_(weight, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def encode(
        self, clips: Tensor, hidden: Tensor | None = None, mask_token: Tensor | None = None
    ) -> SLiMTokens:
        """Tokens of every body.

        Args:
            clips: (N, C, T, V, M).
            hidden: (N M, T' V) true for the tokens that are replaced before positions are added; none unless
                given. T' = ceil(T / tubelet).
            mask_token: (D,) what they are replaced by.

        Returns:
            The tokens of N M bodies.

        Raises:
            ValueError: If the clips do not fit, or only one of ``hidden`` and ``mask_token`` is given.
        """
        check_clips(clips, self.layout, self.in_channels)
        if (hidden is None) != (mask_token is None):
            raise ValueError("hidden and mask_token are given together or not at all")
        return self._encode(rearrange(clips, "n c t v m -> (n m) c t v"), hidden, mask_token)

    def _encode(
        self, bodies: Tensor, hidden: Tensor | None = None, mask_token: Tensor | None = None
    ) -> SLiMTokens:
        """Tokens of bodies (B, C, T, V)."""
        if missing := -bodies.shape[2] % self.tubelet:
            bodies = torch.cat([bodies, bodies[:, :, -1:].expand(-1, -1, missing, -1)], dim=2)
        x = self.embedding(rearrange(bodies, "b c (t u) v -> b t v (c u)", u=self.tubelet))
        times = x.shape[1]
        if hidden is not None and mask_token is not None:
            x = torch.where(hidden.reshape(*x.shape[:3], 1), mask_token.to(x.dtype), x)
        x = (x + self.joint_position).flatten(1, 2)
        first = torch.cat([self.class_token[None], self.register_tokens]).to(x.dtype)
        x = torch.cat([first.expand(x.shape[0], -1, -1), x], dim=1)
        rotation = self._rotation(times, len(first), x)
        classes = []
        for number, block in enumerate(self.blocks):
            x = block(x, rotation)
            if number >= len(self.blocks) - self.class_layers:
                classes.append(x[:, 0])
        patches = self.norm(x)
        return SLiMTokens(
            self.norm(torch.stack(classes, dim=1)), patches[:, 1 : len(first)], patches[:, len(first) :]
        )

    def _rotation(self, times: int, unrotated: int, like: Tensor) -> Tensor:
        """Cosines and sines (2, L, half of a head's width); tokens in front are not rotated."""
        half = self.width // self.heads // 2
        exponents = torch.arange(half, device=like.device, dtype=torch.float64) / half
        angles = torch.arange(times, device=like.device, dtype=torch.float64)[:, None]
        angles = angles * self.rope_base**-exponents
        angles = angles.repeat_interleave(self.layout.num_joints, 0)
        angles = functional.pad(angles, (0, 0, unrotated, 0))
        return torch.stack([angles.cos(), angles.sin()]).to(like.dtype)

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T', V, (K + 1) D), T' = ceil(T / tubelet): for every token the class tokens of the last
            K = ``class_layers`` blocks, then the token itself; those of absent bodies are zero.
        """
        check_clips(clips, self.layout, self.in_channels)
        bodies = rearrange(clips, "n c t v m -> (n m) c t v")
        x = encode_once(self._side_by_side, bodies) * _present(bodies)[:, None]
        features: Tensor = rearrange(
            x, "(n m) (t v) d -> n m t v d", m=clips.shape[4], v=self.layout.num_joints
        )
        return features

    def _side_by_side(self, bodies: Tensor) -> Tensor:
        tokens = self._encode(bodies)
        classes = tokens.classes.flatten(1)[:, None].expand(-1, tokens.patches.shape[1], -1)
        return torch.cat([classes, tokens.patches], dim=2)

    def pool(self, features: Tensor) -> Tensor:
        """Mean over frames and joints, sum over bodies: (N, M, T', V, (K + 1) D) to (N, (K + 1) D)."""
        return features.mean((2, 3)).sum(1)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, (K + 1) D) of clips (N, C, T, V, M)."""
        check_clips(clips, self.layout, self.in_channels)
        bodies = rearrange(clips, "n c t v m -> (n m) c t v")
        x = encode_once(self._pooled, bodies) * _present(bodies)
        features: Tensor = rearrange(x, "(n m) d -> n m d", m=clips.shape[4]).sum(1)
        return features

    def _pooled(self, bodies: Tensor) -> Tensor:
        tokens = self._encode(bodies)
        return torch.cat([tokens.classes.flatten(1), tokens.patches.mean(1)], dim=1)

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight; the class token and its position are joined."""
        if name in _PUBLISHED:
            return _PUBLISHED[name]
        pattern = r"(blocks\.\d+\.(norm[12]|attn\.(qkv|proj)|mlp\.w(12|3))|norm)\.(weight|bias)"
        return (name, 0) if re.fullmatch(pattern, name) else None

    @staticmethod
    def _join(ours: str, parts: list[Tensor]) -> Tensor:
        """A weight in our shape."""
        if ours == "embedding.weight":
            return parts[0].flatten(1)  # a convolution (D, C, tubelet, 1) there
        return parts[0][0] if ours == "register_tokens" else parts[0]

    @classmethod
    def rename_published(cls, state: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
        """See `PublishedEncoder.rename_published`; the position of the class token is added to it."""
        weights = super().rename_published(state, prefix=prefix)
        positions = weights.pop("positions", None)
        if positions is not None and "class_token" in weights:
            weights["class_token"] = weights["class_token"][0, 0] + positions[0, 0]
            weights["joint_position"] = positions[0, 1:]
        return weights


class RotaryBlock(nn.Module):
    """Pre-norm transformer block with rotary attention and a SwiGLU.

    Args:
        width: Width of the tokens.
        heads: Attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = RotaryAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = SwiGLU(width, 8 * -(-width // 3))  # 8 / 3 of the width, up to a multiple of 8

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        """Tokens (B, L, D) and rotation (2, L, D / heads / 2) to tokens."""
        x = x + self.attn(self.norm1(x), rotation)
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


class RotaryAttention(nn.Module):
    """Multi-head self-attention whose queries and keys are rotated (RoPE, Su et al., arXiv 2104.09864)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        """Tokens (B, L, D) and rotation (2, L, D / heads / 2) to tokens."""
        q, k, v = rearrange(self.qkv(x), "b l (three h d) -> three b h l d", three=3, h=self.heads)
        q, k = (_rotated(each, rotation) for each in (q, k))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        result: Tensor = self.proj(rearrange(mixed, "b h l d -> b l (h d)"))
        return result


class SwiGLU(nn.Module):
    """SwiGLU feed-forward network (Shazeer, arXiv 2002.05202): w3(silu(a) * b), [a, b] = w12(x)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., D) to tokens."""
        gate, value = self.w12(x).chunk(2, dim=-1)
        result: Tensor = self.w3(functional.silu(gate) * value)
        return result


def _present(bodies: Tensor) -> Tensor:
    """(B, 1) true for bodies that are not zero throughout."""
    return bodies.ne(0).flatten(1).any(1, keepdim=True)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    """(B, H, L, D) with its pairs (j, j + D / 2) turned."""
    cos, sin = rotation.to(x.dtype).unbind(0)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


_EPSILON = 1e-6
_PUBLISHED = {
    "patch_embed.proj.weight": ("embedding.weight", 0),
    "patch_embed.proj.bias": ("embedding.bias", 0),
    "pos_embed": ("positions", 0),
    "cls_token": ("class_token", 0),
    "register_tokens": ("register_tokens", 0),
}
