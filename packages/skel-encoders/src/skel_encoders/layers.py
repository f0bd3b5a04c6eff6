"""Layers and checks that several encoders share."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout

_LEVELS = 1 << 16
ATTENTIVE = (3, 6)
"""Blocks of the graph encoders behind which joints attend to parts: those before channels double."""


class Pointwise(nn.Module):
    """Convolution of size 1 as a matrix product with a weight (out_channels, in_channels).

    Several convolutions can be joined in one; fan_out is that of each.
    """

    def __init__(self, in_channels: int, out_channels: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        init_kaiming(self.weight, self.bias, fan_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to (N, D, ...)."""
        # Not len(x), which an export would take for a constant.
        y = torch.baddbmm(self.bias[:, None], self.weight.expand(x.shape[0], -1, -1), x.flatten(2))
        return y.view(*y.shape[:2], *x.shape[2:])


class PartAttention(nn.Module):
    """Attention of joints to the parts of their body, frame by frame, with a residual connection.

    The token of a part is the mean of its joints. Every joint attends to all parts with one head. The map of
    the values starts at zero, so at first the layer changes nothing. After the multi-grained focus of STF-Net
    (Wu et al., arXiv 2203.16767), of which no more than the abstract is known here.

    Args:
        channels: Channels of a joint, C.
        layout: The skeleton, with parts.
        axes: Order of the axes that `forward` takes: of bodies b, channels c, frames t and joints v.

    Raises:
        ValueError: If the layout has no parts.
    """

    members: Tensor

    def __init__(self, channels: int, layout: SkeletonLayout, axes: str) -> None:
        super().__init__()
        if not layout.parts:
            raise ValueError(f"part_attention needs a layout with parts, and layout {layout.name!r} has none")
        self.axes = axes
        members = torch.zeros(len(layout.parts), layout.num_joints)
        for row, (_, joints) in zip(members, layout.parts, strict=True):
            row[list(joints)] = 1
        self.register_buffer("members", members, persistent=False)
        self.query = nn.Linear(channels, max(channels // 4, 1))
        self.key = nn.Linear(channels, max(channels // 4, 1))
        self.value = nn.Linear(channels, channels)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Bodies of the ``axes``, with all joints or with these: (S,), or (B, S) for each body its own."""
        x = rearrange(x, f"{self.axes} -> b t v c")
        members = self.members if joints is None else self.members[:, joints]
        if members.ndim == 3:  # (P, B, S)
            members = members.transpose(0, 1)[:, None]
        counts = members.sum(-1)[..., None, :]
        tokens = (members / members.sum(-1, keepdim=True).clamp(min=1)).to(x.dtype) @ x
        lost = torch.zeros_like(counts, dtype=x.dtype).masked_fill(counts == 0, torch.finfo(x.dtype).min)
        mixed = functional.scaled_dot_product_attention(
            self.query(x), self.key(tokens), self.value(tokens), attn_mask=lost
        )
        result: Tensor = rearrange(x + mixed, f"b t v c -> {self.axes}")
        return result


def projection(in_channels: int, out_channels: int) -> nn.Module:
    """Projection of a residual connection, the identity where the channels stay."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(Pointwise(in_channels, out_channels, out_channels), nn.BatchNorm2d(out_channels))


def init_kaiming(weight: Tensor, bias: Tensor | None, fan_out: int) -> None:
    """Kaiming's normal initialisation of a weight; biases become zero."""
    nn.init.normal_(weight, 0.0, math.sqrt(2 / fan_out))
    if bias is not None:
        nn.init.zeros_(bias)


def token_embedding(size: int, dim: int) -> nn.Sequential:
    """Two linear layers that make tokens (N, L, dim) of parts (N, L, size) of a clip."""
    return nn.Sequential(nn.Linear(size, dim), nn.LayerNorm(dim), nn.ReLU(), nn.Linear(dim, dim))


def sinusoids(length: int, dim: int) -> Tensor:
    """Positions of the original Transformer (Vaswani et al., 2017): sine and cosine in turn, (L, D)."""
    rates = torch.exp(torch.arange(0, dim, 2, device="cpu") * (-math.log(10000) / dim))
    angles = torch.arange(length, device="cpu")[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class Dropout(nn.Module):
    """Dropout as `torch.nn.Dropout`, with p rounded to 1/65536, and quicker on a CPU.

    PyTorch draws one number per element on one core; here four elements share the 64 bits of one draw. A
    training step of `STGCN` (64 clips of 50 frames, one thread) takes 1.78 s, and 1.98 s with PyTorch's.
    Other devices have a fused kernel already.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Zero each element with probability p while training; scale the others by 1 / (1 - p)."""
        dropped = round(self.p * _LEVELS)
        if not self.training or dropped == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
        kept = torch.empty_like(x, requires_grad=False)
        numbers = words.view(torch.int16).as_strided(kept.shape, kept.stride())
        torch.ge(numbers, dropped - _LEVELS // 2, out=kept)
        return x * kept.mul_(_LEVELS / (_LEVELS - dropped))

    def extra_repr(self) -> str:
        """Settings for printing."""
        return f"p={self.p}"


def encode_once(encode: Callable[[Tensor], Tensor], bodies: Tensor) -> Tensor:
    """``encode(bodies)`` for bodies (B, ...), where all bodies that are zero throughout are computed as one.

    Finding them waits for the device. All are computed under `torch.compile` and `torch.export`, where no
    shape may depend on the data, and where the bodies themselves want a gradient, as each has its own.
    """
    if torch.compiler.is_compiling() or bodies.requires_grad:
        return encode(bodies)
    absent = ~bodies.flatten(1).any(1)
    if absent.sum() < 2:
        return encode(bodies)
    first = absent.int().argmax()
    kept = ~absent
    kept[first] = True
    row = kept.cumsum(0) - 1
    return encode(bodies[kept]).index_select(0, row.where(kept, row[first]))


def check_clips(
    clips: Tensor,
    layout: SkeletonLayout,
    channels: int,
    *,
    frames: int | None = None,
    bodies: int | None = None,
) -> None:
    """Refuse clips that are not (N, channels, frames, joints, bodies); any frames or bodies unless given.

    Raises:
        ValueError: If they are not, or have no frames.
        TypeError: If they are no tensor.
    """
    given: Any = clips
    if not isinstance(given, Tensor):
        kind = type(given)
        raise TypeError(
            f"an encoder takes clips as a tensor, got {kind.__module__}.{kind.__name__}; "
            "torch.from_numpy makes one of an array"
        )
    sizes = (channels, frames, layout.num_joints, bodies)
    fits = clips.ndim == 5 and clips.shape[2] > 0
    if not fits or any(size not in (None, found) for size, found in zip(sizes, clips.shape[1:], strict=True)):
        named = zip("CTVM", sizes, strict=True)
        expected = ", ".join(name if size is None else str(size) for name, size in named)
        raise ValueError(
            f"expected clips (N, {expected}) for layout {layout.name!r}, got {tuple(clips.shape)}"
        )


def encode_present(
    encode: Callable[..., Tensor], inputs: Sequence[Tensor], clips: Tensor, *, training: bool
) -> Tensor:
    """Encode the bodies of clips that are not zero throughout; the features of others are zero.

    Args:
        encode: Features (B, ...) of the inputs of B bodies.
        inputs: Its arguments, each (N M, ...).
        clips: (N, C, T, V, M).
        training: Whether the encoder is in training mode.

    Returns:
        Features (N M, ...).
    """
    present = rearrange(clips != 0, "n c t v m -> (n m) (c t v)").any(1)
    # All, where a choice would wait for the device to find hardly one absent, or for fixed shapes.
    if clips.shape[4] == 1 or (torch.compiler.is_compiling() and not training):
        x = encode(*inputs)
        return x * present.view(-1, *[1] * (x.ndim - 1))
    y = encode(*(x[present] for x in inputs))
    return y.new_zeros(len(present), *y.shape[1:]).index_put((present,), y)
