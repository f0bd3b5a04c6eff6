"""AGCN (Shi et al., CVPR 2019), of which ISC (2108.03656) is one user: the graph is learned, and attends."""

from functools import partial

import torch
from einops import rearrange
from torch import Tensor, nn

from skel_encoders.ctrgcn import COMMON_BLOCK, TenBlocks, find_weight
from skel_encoders.layers import Pointwise, init_kaiming, projection

_KERNEL = 9


class _Block(nn.Module):
    """Graph convolution over joints, then a convolution over time, with a residual: (N, C, T, V)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        graph: Tensor,
        *,
        residual: bool,
        stride: int,
        attention: nn.Module | None,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.attention = attention
        # The published graph is CTR-GCN's used the other way: what flows into a joint sums to 1.
        self.spatial = _GraphConv(in_channels, out_channels, graph.transpose(1, 2))
        self.temporal = nn.Conv2d(
            out_channels, out_channels, (_KERNEL, 1), stride=(stride, 1), padding=(_KERNEL // 2, 0)
        )
        self.temporal_norm = nn.BatchNorm2d(out_channels)
        self.residual = projection(in_channels, out_channels) if residual else None
        init_kaiming(self.temporal.weight, self.temporal.bias, out_channels * _KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        y = self.temporal_norm(self.temporal(self.spatial(x)))
        y = torch.relu(y if self.residual is None else y + self.residual(x[:, :, :: self.stride]))
        return y if self.attention is None else self.attention(y)


class _GraphConv(nn.Module):
    """Adaptive graph convolution (equation 3): (N, C, T, V) to (N, D, T, V).

    Each subset of the graph is the sum of a fixed one, a learned one, and one from how similar the joints of
    the clip are over all frames.
    """

    adjacency: Tensor

    def __init__(self, in_channels: int, out_channels: int, graph: Tensor) -> None:
        super().__init__()
        subsets, embedded = len(graph), out_channels // 4
        self.register_buffer("adjacency", graph.clone(), persistent=False)
        self.edges = nn.Parameter(torch.full_like(graph, 1e-6))
        self.senders = Pointwise(in_channels, subsets * embedded, embedded)
        self.receivers = Pointwise(in_channels, subsets * embedded, embedded)
        # The published deviation is smaller than Kaiming's.
        self.value = Pointwise(subsets * in_channels, out_channels, subsets * in_channels * out_channels)
        self.norm = nn.BatchNorm2d(out_channels)
        self.residual = projection(in_channels, out_channels)
        nn.init.constant_(self.norm.weight, 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        senders, receivers = (
            rearrange(embed(x), "n (k r) t v -> (n k) (r t) v", k=len(self.edges))
            for embed in (self.senders, self.receivers)
        )
        likeness = torch.bmm(senders.transpose(1, 2), receivers) / senders.shape[1]
        attention = rearrange(likeness.softmax(1), "(n k) v w -> n k v w", k=len(self.edges))
        graph = attention + (self.adjacency + self.edges)
        # Joints are aggregated before channels are expanded.
        rows = x.flatten(1, 2)
        gathered = torch.cat([torch.bmm(rows, subset).view(x.shape) for subset in graph.unbind(1)], dim=1)
        return torch.relu(self.norm(self.value(gathered)) + self.residual(x))


# Our modules of a block, and the published ones they are joined of.
_BLOCK = {
    **COMMON_BLOCK,
    "spatial.senders": tuple(f"gcn1.conv_a.{k}" for k in range(3)),
    "spatial.receivers": tuple(f"gcn1.conv_b.{k}" for k in range(3)),
    "spatial.value": tuple(f"gcn1.conv_d.{k}" for k in range(3)),
    "temporal": ("tcn1.conv",),
    "temporal_norm": ("tcn1.bn",),
}


def _join_parts(ours: str, parts: list[Tensor]) -> Tensor:
    """One weight of a block of its published parts."""
    if ours.endswith("spatial.value.bias"):  # the published sum has one for each subset
        return torch.stack(parts).sum(0)
    if parts[0].ndim == 0:
        return parts[0]
    joined = torch.cat(parts, dim=int(ours.endswith("spatial.value.weight")))
    return joined.flatten(1) if joined.ndim == 4 and joined.shape[2] == 1 else joined


class AGCN(TenBlocks):
    """Adaptive graph convolutional network without a classifier.

    The first BatchNorm tells bodies apart, so their number is fixed. Published weights are those of ISC or of
    2s-AGCN.

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

    block = _Block
    axes = "t v"
    program = "a published AGCN"
    left_out = r"fc\..*"
    _find = staticmethod(partial(find_weight, modules=_BLOCK, edges="edges"))
    _join = staticmethod(_join_parts)
