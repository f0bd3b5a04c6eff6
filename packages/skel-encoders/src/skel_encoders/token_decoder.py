"""Decoder of masked tokens, as in MAMP and MAE: from the tokens that were kept to all of them."""

from typing import Literal

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn


class TokenDecoder(nn.Module):
    """Transformer decoder of masked joint-frame tokens.

    With self-attention (MAMP, arXiv 2308.07092) the kept tokens and a mask token in every hidden place attend
    to each other. With cross-attention only, after AMR (arXiv 2606.11450), a query for each place looks at
    the kept tokens once, and goes through a feed-forward network. That is much cheaper, as places do not look
    at each other.

    Args:
        joints: V.
        steps: Tokens in time, T'.
        in_dim: Width of the encoder's tokens.
        out_dim: Numbers that are predicted of each token.
        width: Width of the decoder.
        layers: Transformer blocks; of cross-attention one is usual.
        heads: Attention heads.
        mlp_ratio: Width of the hidden layer of a block, relative to ``width``.
        attention: "self" or "cross".

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
        layers: int = 5,
        heads: int = 8,
        mlp_ratio: float = 4.0,
        attention: Literal["self", "cross"] = "self",
    ) -> None:
        super().__init__()
        if attention not in ("self", "cross"):
            raise ValueError(f"attention must be self or cross, got {attention!r}")
        if width % heads or layers < 1:
            raise ValueError(
                f"width must be a multiple of heads, and layers 1 or more, got {width}, {heads}, {layers}"
            )
        self.attention = attention
        self.embedding = nn.Linear(in_dim, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        self.joint_position = nn.Parameter(torch.empty(joints, width))
        self.time_position = nn.Parameter(torch.empty(steps, width))
        self.blocks = nn.ModuleList(
            Block(width, heads, mlp_ratio, qkv_bias=True, norm_layer=nn.LayerNorm)
            if attention == "self"
            else _CrossBlock(width, heads, mlp_ratio)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, out_dim)
        for weight in (self.mask_token, self.joint_position, self.time_position):
            nn.init.trunc_normal_(weight, std=0.02)
        for module in (self.embedding, self.head, *self.blocks.modules()):
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, keep: Tensor, steps: int | None = None) -> Tensor:
        """Predictions of all tokens, (B, L, out_dim).

        Args:
            tokens: The encoder's features of the kept tokens, (B, K, in_dim).
            keep: Which tokens these are, (B, K) int64.
            steps: Tokens in time of these clips, so that L is steps * V; all unless given.

        Raises:
            ValueError: If tokens and keep do not fit.
        """
        if tokens.shape[:2] != keep.shape:
            raise ValueError(f"tokens {tuple(tokens.shape)} and keep {tuple(keep.shape)} do not fit")
        times = self.time_position[:steps]
        positions = (times[:, None] + self.joint_position).flatten(0, 1)  # (L, W)
        x = self.embedding(tokens)
        index = keep[:, :, None].expand(-1, -1, x.shape[2])
        if self.attention == "self":
            # the dtype is that of x under autocast
            places = self.mask_token.to(x.dtype).expand(len(x), len(positions), -1).scatter(1, index, x)
            y = places + positions
            for block in self.blocks:
                y = block(y)
        else:
            x = x + positions.expand(len(x), -1, -1).gather(1, index)
            y = (self.mask_token + positions).expand(len(x), -1, -1)
            for block in self.blocks:
                y = block(y, x)
        predictions: Tensor = self.head(self.norm(y))
        return predictions


class _CrossBlock(nn.Module):
    """Queries look at the kept tokens, then a feed-forward network."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm, self.norm_tokens, self.norm_mlp = (nn.LayerNorm(width) for _ in range(3))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        hidden = int(width * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        known = self.norm_tokens(tokens)
        queries = queries + self.attention(self.norm(queries), known, known, need_weights=False)[0]
        out: Tensor = queries + self.mlp(self.norm_mlp(queries))
        return out
