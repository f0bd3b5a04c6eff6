"""Decoders of masked token prediction, thrown away after pretraining."""

from typing import Literal

import torch
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional


class TokenDecoder(nn.Module):
    """Decoder of masked prediction: from the tokens that an encoder saw to what all tokens hold.

    With ``attention="self"`` it is that of MAMP (Mao et al., ICCV 2023) and MAE: a learned mask token stands
    for every token that was hidden, and all attend to each other. With ``"cross"`` learned queries, one for
    each place, attend to the tokens that were seen, and not to each other (after AMR, arXiv 2606.11450):
    that is cheap, more so if a query stands for a ``patch`` of several tokens in time.

    Args:
        joints: Joints, V.
        steps: Tokens in time of the longest clip.
        in_dim: Width of the encoder's tokens.
        out_dim: Numbers to predict of a token.
        width: Width of the decoder.
        heads: Attention heads.
        layers: Transformer blocks.
        mlp_ratio: Width of the hidden layer of a block, relative to ``width``.
        attention: self or cross.
        patch: cross: tokens in time that one query predicts.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        joints: int,
        steps: int,
        in_dim: int,
        out_dim: int,
        *,
        width: int = 256,
        heads: int = 8,
        layers: int = 5,
        mlp_ratio: float = 4.0,
        attention: Literal["self", "cross"] = "self",
        patch: int = 1,
    ) -> None:
        super().__init__()
        for name, value in (("joints", joints), ("steps", steps), ("layers", layers), ("patch", patch)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads} heads")
        if attention not in ("self", "cross"):
            raise ValueError(f"attention must be self or cross, got {attention!r}")
        if attention == "self" and patch > 1:
            raise ValueError(f"patch must be 1 with self-attention, got {patch}")
        self.joints, self.steps, self.patch, self.attention = joints, steps, patch, attention
        self.embedding = nn.Linear(in_dim, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        self.joint_position = nn.Parameter(torch.empty(joints, width))
        self.time_position = nn.Parameter(torch.empty(-(-steps // patch), width))
        self.blocks = nn.ModuleList(
            Block(width, heads, mlp_ratio, qkv_bias=True, norm_layer=nn.LayerNorm)
            if attention == "self"
            else _CrossBlock(width, heads, mlp_ratio)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.prediction = nn.Linear(width, patch * out_dim)
        for weight in (self.mask_token, self.joint_position, self.time_position):
            nn.init.trunc_normal_(weight, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, features: Tensor, keep: Tensor, steps: int) -> Tensor:
        """Predictions of all tokens.

        Args:
            features: (B, K, in_dim), of the tokens that were seen.
            keep: (B, K) int64, which tokens they are: token t * V + v is joint v at time t. With
                cross-attention only its shape counts, as the features know their places.
            steps: Tokens in time of these clips, T'.

        Returns:
            (B, T' V, out_dim).

        Raises:
            ValueError: If there are more steps than the decoder has, or the shapes do not fit.
        """
        if not 1 <= steps <= self.steps:
            raise ValueError(f"expected 1 to {self.steps} steps, got {steps}")
        if features.ndim != 3 or keep.shape != features.shape[:2]:
            raise ValueError(
                f"expected features (B, K, D) and keep (B, K), got {tuple(features.shape)}, "
                f"{tuple(keep.shape)}"
            )
        seen = self.embedding(features)
        rows = -(-steps // self.patch)
        position = (self.time_position[:rows, None] + self.joint_position).flatten(0, 1)
        tokens = self.mask_token.expand(len(features), len(position), -1)
        if self.attention == "self":
            # of the type that autocast gives the embedding
            places = keep[:, :, None].expand(-1, -1, seen.shape[2])
            tokens = tokens.to(seen.dtype).scatter(1, places, seen) + position
            for block in self.blocks:
                tokens = block(tokens)
        else:
            tokens = tokens + position
            for block in self.blocks:
                tokens = block(tokens, seen)
        numbers = self.prediction(self.norm(tokens))
        if self.patch > 1:
            out = numbers.shape[2] // self.patch
            grid = numbers.reshape(len(numbers), rows, self.joints, self.patch, out)
            numbers = grid.transpose(2, 3).flatten(1, 3)[:, : steps * self.joints]
        predictions: Tensor = numbers
        return predictions


class _CrossBlock(nn.Module):
    """Transformer block in which queries attend to other tokens, and not to each other."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, queries: Tensor, seen: Tensor) -> Tensor:
        """Queries (B, L, D) that looked at the tokens (B, K, D)."""
        parts = self.query(self.norm1(queries)), *self.key_value(seen).chunk(2, dim=2)
        share = queries.shape[2] // self.heads
        q, k, v = (part.reshape(*part.shape[:2], self.heads, share).transpose(1, 2) for part in parts)
        attended = functional.scaled_dot_product_attention(q, k, v)
        queries = queries + self.proj(attended.transpose(1, 2).flatten(2))
        result: Tensor = queries + self.mlp(self.norm2(queries))
        return result
