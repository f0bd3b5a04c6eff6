"""CTR-GCN (Chen et al., ICCV 2021): graph convolution with a topology for each channel."""

import re
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import PublishedEncoder
from skel_encoders.graph import adjacency
from skel_encoders.layers import ATTENTIVE, PartAttention, Pointwise, check_clips, init_kaiming, projection

_KERNEL = 5
_DILATIONS = (1, 2)
_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class TenBlocks(PublishedEncoder):
    """Frame of CTR-GCN and AGCN: BatchNorm of whole frames, then ten blocks of graph convolution.

    The arguments are those of `CTRGCN`.
    """

    block: ClassVar[Callable[..., nn.Module]]
    """Called as ``block(in_channels, out_channels, graph, residual=, stride=, attention=)``.

    It takes (B, C, `axes`).
    """
    axes: ClassVar[str]
    """Order of frames and joints in a block: ``t v`` or ``v t``."""

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        bodies: int = 2,
        in_channels: int | None = None,
        base_channels: int = 64,
        part_attention: bool = False,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        if base_channels % 4:
            raise ValueError(f"base_channels must be a multiple of 4, got {base_channels}")
        self.layout = layout
        self.bodies = bodies
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.base_channels = base = base_channels
        self.feature_dim = 4 * base
        self.part_attention = part_attention
        graph = torch.from_numpy(adjacency(layout, "directed"))
        self.input_norm = nn.BatchNorm1d(bodies * layout.num_joints * self.in_channels)
        widths = (self.in_channels, *[base] * 4, *[2 * base] * 3, *[4 * base] * 3)
        self.blocks = nn.Sequential(
            *(
                self.block(
                    widths[i],
                    widths[i + 1],
                    graph,
                    residual=i > 0,
                    stride=stride,
                    attention=PartAttention(widths[i + 1], layout, f"b c {self.axes}")
                    if part_attention and i in ATTENTIVE
                    else None,
                )
                for i, stride in enumerate(_STRIDES)
            )
        )

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).

        Returns:
            (N, M, T', V, D), T' being T halved twice (rounded up).
        """
        check_clips(clips, self.layout, self.in_channels, bodies=self.bodies)
        x = self.input_norm(rearrange(clips, "n c t v m -> n (m v c) t"))
        sizes = {"m": self.bodies, "c": self.in_channels}
        x = self.blocks(rearrange(x, f"n (m v c) t -> (n m) c {self.axes}", **sizes))
        features: Tensor = rearrange(x, f"(n m) d {self.axes} -> n m t v d", m=self.bodies)
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Mean over frames, joints and bodies: (N, M, T', V, D) to (N, D)."""
        return features.mean((1, 2, 3))


class CTRBlock(nn.Module):
    """Graph convolution over joints, then a multi-scale convolution over time, with a residual.

    Works on (N, C, V, T): with time innermost, the values of all subsets are one matrix for each
    channel, and their aggregation is one batched product without a copy.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        graph: Tensor,
        *,
        residual: bool,
        stride: int = 1,
        attention: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.attention = attention
        self.spatial = _GraphConv(in_channels, out_channels, graph)
        self.temporal = _TemporalConv(out_channels, stride)
        self.residual = projection(in_channels, out_channels) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, T) to (N, D, V, T')."""
        y = self.temporal(self.spatial(x))
        y = torch.relu(y if self.residual is None else y + self.residual(x[..., :: self.stride]))
        return y if self.attention is None else self.attention(y)


class _GraphConv(nn.Module):
    """Channel-wise topology refinement: (N, C, V, T) to (N, D, V, T).

    Each subset of the graph, learned from its initial value, is refined for every clip and channel by
    what the joints' means over time say of each pair of joints.
    """

    def __init__(self, in_channels: int, out_channels: int, graph: Tensor) -> None:
        super().__init__()
        subsets = len(graph)
        # The published widths: 8 for coordinates, else an eighth, which starts at 64 channels there.
        relations = max(8, in_channels // 8)
        self.graph = nn.Parameter(graph.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.relation = Pointwise(in_channels, 2 * subsets * relations, relations)  # receivers, then senders
        self.refinement = Pointwise(relations, subsets * out_channels, out_channels)
        self.value = Pointwise(in_channels, out_channels * subsets, out_channels)  # subsets innermost
        self.norm = nn.BatchNorm2d(out_channels)
        self.residual = projection(in_channels, out_channels)
        nn.init.constant_(self.norm.weight, 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        # The mean over time commutes with a convolution of size 1, and is cheap before it.
        receivers, senders = self.relation(x.mean(3, keepdim=True)).chunk(2, 1)
        pairs = torch.tanh(receivers.transpose(2, 3) - senders)  # (N, K R, from, to)
        # The factor alpha is cheap on weights, dear on what they give.
        weight, bias = self.refinement.weight * self.alpha, self.refinement.bias * self.alpha
        refined = functional.conv2d(pairs, weight[..., None, None], bias, groups=len(self.graph))
        refined = rearrange(refined, "n (k d) v w -> n d k v w", k=len(self.graph))
        topology = (refined + self.graph).flatten(2, 3)
        values = rearrange(self.value(x), "n (d k) v t -> n d (k v) t", k=len(self.graph))
        y = torch.matmul(topology.transpose(2, 3), values)
        return torch.relu(self.norm(y) + self.residual(x))


class _TemporalConv(nn.Module):
    """Four branches of a quarter of the channels: two dilated convolutions, maximum, and neither."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        quarter = channels // 4
        # All branches joined, but for the last where it has other frames, and other statistics with them.
        joined = channels if stride == 1 else 3 * quarter
        self.bottleneck = Pointwise(channels, joined, quarter)
        self.bottleneck_norm = nn.BatchNorm2d(joined)
        self.plain = None if stride == 1 else projection(channels, quarter)
        branches = [
            nn.Conv2d(quarter, quarter, (1, _KERNEL), (1, stride), (0, _KERNEL // 2 * d), (1, d))
            for d in _DILATIONS
        ]
        self.branches = nn.ModuleList(branches)
        self.norm = nn.BatchNorm2d(3 * quarter)
        for branch in branches:
            init_kaiming(branch.weight, branch.bias, quarter * _KERNEL)
        for norm in self.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.normal_(norm.weight, 1.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.bottleneck_norm(self.bottleneck(x)).chunk(4 if self.plain is None else 3, 1))
        if self.plain is not None:
            parts.append(self.plain(x[..., :: self.stride]))
        first, second, largest = (torch.relu(part) for part in parts[:3])
        largest = functional.max_pool2d(largest, (1, 3), (1, self.stride), (0, 1))
        y = torch.cat([self.branches[0](first), self.branches[1](second), largest], dim=1)
        return torch.cat([self.norm(y), parts[3]], dim=1)


# Our modules of a block, and the published ones they are joined of; first those that AGCN has too.
COMMON_BLOCK: dict[str, tuple[str, ...]] = {
    "spatial": ("gcn1",),
    "spatial.norm": ("gcn1.bn",),
    "spatial.residual.0": ("gcn1.down.0",),
    "spatial.residual.1": ("gcn1.down.1",),
    "residual.0": ("residual.conv",),
    "residual.1": ("residual.bn",),
}
_BLOCK = {
    **COMMON_BLOCK,
    "spatial.relation": tuple(f"gcn1.convs.{k}.{conv}" for conv in ("conv1", "conv2") for k in range(3)),
    "spatial.refinement": tuple(f"gcn1.convs.{k}.conv4" for k in range(3)),
    "spatial.value": tuple(f"gcn1.convs.{k}.conv3" for k in range(3)),
    "temporal.bottleneck": tuple(f"tcn1.branches.{k}.0" for k in range(4)),
    "temporal.bottleneck_norm": tuple(f"tcn1.branches.{k}.1" for k in range(4)),
    "temporal.branches.0": ("tcn1.branches.0.3.conv",),
    "temporal.branches.1": ("tcn1.branches.1.3.conv",),
    "temporal.norm": ("tcn1.branches.0.3.bn", "tcn1.branches.1.3.bn", "tcn1.branches.2.4"),
}
_STRIDED = ("5", "8")


def find_weight(
    name: str, modules: Mapping[str, tuple[str, ...]] = _BLOCK, edges: str = "graph"
) -> tuple[str, int] | None:
    """Our name of a published weight of `TenBlocks`, and which part of it this is.

    Args:
        name: The published name.
        modules: Our modules of a block, and the published ones they are joined of.
        edges: Our name of the learned graph, ``PA`` there.
    """
    if match := re.fullmatch(r"data_bn\.(\w+)", name):
        return f"input_norm.{match[1]}", 0
    if match := re.fullmatch(r"l(10|[1-9])\.(.+)\.(\w+)", name):
        block, module, leaf = match.groups()
        for ours, parts in modules.items():
            if module in parts:
                part = parts.index(module)
                if block in _STRIDED and module.startswith("tcn1.branches.3."):
                    ours, part = f"temporal.plain.{module[-1]}", 0
                return f"blocks.{int(block) - 1}.{ours}.{edges if leaf == 'PA' else leaf}", part
    return None


def join_parts(ours: str, parts: list[Tensor]) -> Tensor:
    """One weight of a `CTRBlock` of its published parts."""
    module, leaf = ours.split(".")[-2:]
    if leaf == "graph":  # there: into joint u from joint v
        return parts[0].transpose(1, 2)
    if leaf == "num_batches_tracked":
        return parts[0]
    joined = torch.stack(parts, dim=1).flatten(0, 1) if module == "value" else torch.cat(parts)
    if joined.ndim == 4:  # there: (N, C, T, V)
        return joined.transpose(2, 3) if joined.shape[2] > 1 else joined.flatten(1)
    return joined


class CTRGCN(TenBlocks):
    """Graph convolutional network with a topology for each channel, without a classifier.

    The first BatchNorm tells bodies apart, so their number is fixed.

    Args:
        layout: The skeleton; gives joints, graph and channels.
        bodies: Bodies of a clip.
        in_channels: Channels of a clip; the layout's unless given.
        base_channels: Width of the first four blocks; it doubles twice, to the width of the feature.
        part_attention: Whether joints attend to the parts of the layout behind the fourth and the seventh
            block, see `PartAttention`.

    Raises:
        ValueError: If base_channels is not a multiple of 4, ``part_attention`` has no parts, or a clip batch
            does not fit (on calling).
    """

    block = CTRBlock
    axes = "v t"
    program = "a published CTR-GCN"
    left_out = r"fc\..*"
    _find = staticmethod(find_weight)
    _join = staticmethod(join_parts)
