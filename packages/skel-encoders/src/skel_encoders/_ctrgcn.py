"""CTR-GCN (Chen et al., ICCV 2021): graph convolution with a topology for each channel."""

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

_KERNEL = 5
_DILATIONS = (1, 2)


class CTRBlock(nn.Module):
    """Graph convolution over joints, then a multi-scale convolution over time, with a residual.

    Works on (N, C, V, T): with time innermost, the values of all subsets are one matrix for each
    channel, and their aggregation is one batched product without a copy.
    """

    def __init__(self, in_channels: int, out_channels: int, graph: Tensor, *, residual: bool) -> None:
        super().__init__()
        self.spatial = _GraphConv(in_channels, out_channels, graph)
        self.temporal = _TemporalConv(out_channels)
        self.residual = _projection(in_channels, out_channels) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.temporal(self.spatial(x))
        return torch.relu(y if self.residual is None else y + self.residual(x))


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
        self.relation = _Pointwise(in_channels, 2 * subsets * relations, relations)  # receivers, then senders
        self.refinement = _Pointwise(relations, subsets * out_channels, out_channels)
        self.value = _Pointwise(in_channels, out_channels * subsets, out_channels)  # subsets innermost
        self.norm = nn.BatchNorm2d(out_channels)
        self.residual = _projection(in_channels, out_channels)
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

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // 4
        self.bottleneck = _Pointwise(channels, channels, quarter)  # of all branches
        self.bottleneck_norm = nn.BatchNorm2d(channels)
        branches = [
            nn.Conv2d(quarter, quarter, (1, _KERNEL), padding=(0, _KERNEL // 2 * d), dilation=(1, d))
            for d in _DILATIONS
        ]
        self.branches = nn.ModuleList(branches)
        self.norm = nn.BatchNorm2d(3 * quarter)
        for branch in branches:
            _init(branch.weight, branch.bias, quarter * _KERNEL)
        for norm in (self.bottleneck_norm, self.norm):
            nn.init.normal_(norm.weight, 1.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        *parts, plain = self.bottleneck_norm(self.bottleneck(x)).chunk(4, 1)
        first, second, largest = (torch.relu(part) for part in parts)
        largest = functional.max_pool2d(largest, (1, 3), stride=1, padding=(0, 1))
        y = torch.cat([self.branches[0](first), self.branches[1](second), largest], dim=1)
        return torch.cat([self.norm(y), plain], dim=1)


class _Pointwise(nn.Module):
    """A convolution of size 1 as a matrix product, which trains up to twice as fast as `Conv2d` on a CPU.

    Several convolutions can be joined in one; fan_out is that of each.
    """

    def __init__(self, in_channels: int, out_channels: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        _init(self.weight, self.bias, fan_out)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.baddbmm(self.bias[:, None], self.weight.expand(len(x), -1, -1), x.flatten(2))
        return y.view(*y.shape[:2], *x.shape[2:])


def _projection(in_channels: int, out_channels: int) -> nn.Module:
    """What a residual needs where channels change."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(_Pointwise(in_channels, out_channels, out_channels), nn.BatchNorm2d(out_channels))


def _init(weight: Tensor, bias: Tensor | None, fan_out: int) -> None:
    """Kaiming's normal weights."""
    nn.init.normal_(weight, 0.0, math.sqrt(2 / fan_out))
    if bias is not None:
        nn.init.zeros_(bias)
