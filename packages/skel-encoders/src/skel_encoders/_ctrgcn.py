"""CTR-GCN (Chen et al., ICCV 2021): graph convolution with a topology for each channel."""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_encoders._pointwise import Pointwise, init_kaiming, projection

_KERNEL = 5
_DILATIONS = (1, 2)


class CTRBlock(nn.Module):
    """Graph convolution over joints, then a multi-scale convolution over time, with a residual.

    Works on (N, C, V, T): with time innermost, the values of all subsets are one matrix for each
    channel, and their aggregation is one batched product without a copy.
    """

    def __init__(
        self, in_channels: int, out_channels: int, graph: Tensor, *, residual: bool, stride: int = 1
    ) -> None:
        super().__init__()
        self.stride = stride
        self.spatial = _GraphConv(in_channels, out_channels, graph)
        self.temporal = _TemporalConv(out_channels, stride)
        self.residual = projection(in_channels, out_channels) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.temporal(self.spatial(x))
        return torch.relu(y if self.residual is None else y + self.residual(x[..., :: self.stride]))


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
