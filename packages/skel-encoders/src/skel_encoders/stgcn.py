"""ST-GCN (Yan et al., AAAI 2018) in the size that contrastive skeleton methods use.

CrosSCLR, AimCLR, CMCS and PSTL share it: ten blocks of 16 to 64 channels, a last block as wide as
the feature, learnable edge weights in every block.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from skel_data import SkeletonLayout, get_layout
from skel_encoders.graph import Strategy, adjacency
from skel_encoders.layers import ATTENTIVE, Dropout, PartAttention, check_clips, encode_once
from skel_encoders.published import rename_weights

_KERNEL = 9
_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class STGCN(nn.Module):
    """Spatial-temporal graph convolutional network without a classifier.

    Args:
        layout: The skeleton; gives joints, graph and channels.
        in_channels: Channels of a clip; the layout's unless given.
        base_channels: Width of the first four blocks; it doubles twice.
        feature_dim: Width of the last block and of the feature.
        dropout: Dropout of every block but the first.
        edge_weights: Whether each block scales the edges of the graph by learned weights.
        strategy: Partition of the graph, see `adjacency`.
        init_std: Standard deviation of the initial convolution weights, as the published programs
            set it; None keeps PyTorch's own.
        skip_absent: Whether, in eval mode, bodies that are zero throughout are computed once per call: all
            of them have the same features. Looking for them waits for the device. They are computed one by
            one all the same where each clip has its own joints, where clips want a gradient, and in programs
            compiled or exported.
        part_attention: Whether joints attend to the parts of the layout behind the fourth and the seventh
            block, see `PartAttention`.

    Attributes:
        takes_joint_subsets: Whether calling takes ``joints``.

    Raises:
        ValueError: If ``part_attention`` has no parts, or a clip batch or the joints do not fit the layout
            (on calling).
    """

    takes_joint_subsets: ClassVar[bool] = True

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        in_channels: int | None = None,
        base_channels: int = 16,
        feature_dim: int = 256,
        dropout: float = 0.5,
        edge_weights: bool = True,
        strategy: Strategy = "spatial",
        init_std: float | None = 0.02,
        skip_absent: bool = True,
        part_attention: bool = False,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        self.layout = layout
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.base_channels = base_channels
        self.feature_dim = feature_dim
        self.dropout = dropout
        self.edge_weights = edge_weights
        self.strategy = strategy
        self.init_std = init_std
        self.skip_absent = skip_absent
        self.part_attention = part_attention
        graph = torch.from_numpy(adjacency(layout, strategy))
        self.input_norm = nn.BatchNorm1d(layout.num_joints * self.in_channels)
        base = base_channels
        widths = (self.in_channels, *[base] * 4, *[2 * base] * 3, *[4 * base] * 2, feature_dim)
        self.blocks = nn.ModuleList(
            STGCNBlock(
                widths[i],
                widths[i + 1],
                graph,
                stride=stride,
                dropout=dropout if i else 0.0,
                residual=i > 0,
                edge_weights=edge_weights,
                attention=PartAttention(widths[i + 1], layout, "b v t c")
                if part_attention and i in ATTENTIVE
                else None,
            )
            for i, stride in enumerate(_STRIDES)
        )
        if init_std is not None:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.normal_(module.weight, 0.0, init_std)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    def forward_features(self, clips: Tensor, joints: Tensor | None = None) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).
            joints: The joints to keep, distinct indices (S,), or (N, S) for each clip its own. The others
                and their edges are taken out of the graph behind the first BatchNorm, as in PSTL
                (Zhou et al., AAAI 2023).

        Returns:
            (N, M, T', V, D), T' being T halved twice (rounded up); of S joints where they are given.
        """
        check_clips(clips, self.layout, self.in_channels)
        if joints is not None:
            self._check(joints, len(clips))
        bodies = rearrange(clips, "n c t v m -> (n m) (v c) t")
        own_joints = joints is not None and joints.ndim == 2
        # In training mode absent bodies count in the statistics of BatchNorm, as in the published programs.
        if not self.skip_absent or self.training or own_joints:
            x = self._encode(bodies, joints)
        else:
            x = encode_once(partial(self._encode, joints=joints), bodies)
        features: Tensor = rearrange(x, "(n m) v t d -> n m t v d", m=clips.shape[4])
        return features

    def _encode(self, bodies: Tensor, joints: Tensor | None) -> Tensor:
        """Bodies (B, V * C, T) to (B, V, T', D); joints (S,), or (N, S) where B is N times the bodies."""
        x: Tensor = rearrange(self.input_norm(bodies), "b (v c) t -> b v t c", c=self.in_channels)
        if joints is not None and joints.ndim == 1:
            x = x[:, joints]
        elif joints is not None:
            joints = joints.repeat_interleave(len(x) // max(len(joints), 1), 0)
            x = x.gather(1, joints[:, :, None, None].expand(-1, -1, *x.shape[2:]))
        for block in self.blocks:
            x = block(x, joints)
        return x

    def _check(self, joints: Tensor, clips: int) -> None:
        """Refuse joints that are not indices of this layout for this number of clips."""
        count = self.layout.num_joints
        fits = joints.ndim == 1 or (joints.ndim == 2 and len(joints) == clips)
        if joints.dtype != torch.int64 or not fits or not 0 < joints.shape[-1] <= count:
            raise ValueError(
                f"expected int64 joints (S,) or ({clips}, S), S from 1 to {count}, "
                f"got {joints.dtype} {tuple(joints.shape)}"
            )
        if joints.device.type != "cpu" or torch.compiler.is_compiling():
            return  # looking at the values would wait for the device, or break the graph
        if joints.min() < 0 or joints.max() >= count:
            raise ValueError(f"joints must lie in 0..{count - 1}, got {joints.min()}..{joints.max()}")

    def pool(self, features: Tensor) -> Tensor:
        """Mean over frames, joints and bodies: (N, M, T', V, D) to (N, D)."""
        # Joints before frames, as in memory, so that the gradient is laid out as the features are.
        return features.transpose(2, 3).mean((1, 2, 3))

    def forward(self, clips: Tensor, joints: Tensor | None = None) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M), of some ``joints`` as `forward_features` takes them."""
        return self.pool(self.forward_features(clips, joints))

    @staticmethod
    def rename_published(state: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
        """Published weights under the names of this class, for `load_state_dict`.

        Covers the programs of CrosSCLR, AimCLR, CMCS and PSTL, whose names are alike. The classifier or
        projection head (``fc``) and the graph (``A``, rebuilt from the layout) are left out.

        Args:
            state: The published state dict.
            prefix: Prefix of the wanted network inside it, such as ``encoder_q.``.

        Raises:
            ValueError: If a key under the prefix is not one of a published ST-GCN, or there is none.
        """
        subsets = state[f"{prefix}A"].shape[0] if f"{prefix}A" in state else 3
        join = partial(_subsets_innermost, subsets=subsets)
        return rename_weights(
            state, _find, join, prefix=prefix, skip=r"A|fc\..*", program="a published ST-GCN"
        )


class STGCNBlock(nn.Module):
    """Graph convolution over joints, then a convolution over time, with a residual."""

    adjacency: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        graph: Tensor,
        *,
        stride: int,
        dropout: float,
        residual: bool,
        edge_weights: bool,
        attention: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.attention = attention
        self.register_buffer("adjacency", graph.clone(), persistent=False)
        self.edge_weight = nn.Parameter(torch.ones_like(graph)) if edge_weights else None
        self.spatial = nn.Conv2d(in_channels * len(graph), out_channels, 1, bias=False)
        self.spatial_bias = nn.Parameter(torch.zeros(len(graph), out_channels))
        self.spatial_norm = nn.BatchNorm2d(out_channels)
        self.temporal = nn.Conv2d(
            out_channels, out_channels, (_KERNEL, 1), stride=(stride, 1), padding=(_KERNEL // 2, 0)
        )
        self.temporal_norm = nn.BatchNorm2d(out_channels)
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual and (in_channels != out_channels or stride != 1):
            self.residual = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels)
            )
        elif residual:
            self.residual = nn.Identity()

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Bodies (B, V, T, C) of some joints to (B, V, T', D)."""
        bodies, _, frames, channels = x.shape
        graph = self.adjacency if self.edge_weight is None else self.adjacency * self.edge_weight
        if joints is not None:  # (K, S, S), or (K, B, S, S) for each clip its own
            graph = graph[:, joints[..., :, None], joints[..., None, :]]
        subsets = len(graph)
        # Joints are aggregated before channels are expanded: the published order (expand to K times
        # the output, then aggregate) gives the same sum at a higher price wherever channels grow.
        # Joints lie before frames and channels, so that it is one product per body; its K sums for a joint
        # lie below each other, where a convolution with stride K expands them without a copy.
        sums = rearrange(graph, "k ... v w -> ... (w k) v").expand(bodies, -1, -1).bmm(x.flatten(2))
        sums = rearrange(sums, "b wk (t c) -> b c wk t", c=channels)
        weight = rearrange(self.spatial.weight, "d (k c) 1 1 -> d c k 1", k=subsets)
        y = functional.conv2d(sums, weight, stride=(subsets, 1))
        # A bias b_k added before aggregation arrives as b_k times the column sums of subset k. As a product,
        # because the gradient of a broadcast sum is slow.
        inflow = rearrange(graph.sum(-2), "k ... w -> ... w 1 k").expand(bodies, -1, frames, -1)
        inflow = inflow.reshape(-1, subsets).to(y.dtype)
        y = torch.addmm(rearrange(y, "b d w t -> (b w t) d"), inflow, self.spatial_bias.to(y.dtype))
        y = rearrange(y, "(b w t) d -> b d w t", w=graph.shape[-1], t=frames)
        y = torch.relu_(self.spatial_norm(y))
        weight, bias = self.temporal.weight.mT, self.temporal.bias
        y = functional.conv2d(y, weight, bias, stride=(1, self.stride), padding=(0, _KERNEL // 2))
        y = self.dropout(self.temporal_norm(y))
        if self.residual is not None:
            # Frames are left out here and not by a stride: on CPUs with AVX2 alone, oneDNN (PyTorch 2.14)
            # corrupts memory in the backward pass of a strided pointwise convolution of such tensors.
            y += self.residual(rearrange(x[:, :, :: self.stride], "b v t c -> b c v t"))
        x = rearrange(torch.relu_(y), "b d v t -> b v t d")
        return x if self.attention is None else self.attention(x, joints)


_PUBLISHED = {
    "gcn.conv.weight": "spatial.weight",
    "gcn.conv.bias": "spatial_bias",
    "tcn.0": "spatial_norm",
    "tcn.2": "temporal",
    "tcn.3": "temporal_norm",
    "residual.0": "residual.0",
    "residual.1": "residual.1",
}


def _find(name: str) -> tuple[str, int] | None:
    """Our name of a published weight; nothing is joined."""
    if name.startswith("data_bn."):
        return name.replace("data_bn", "input_norm", 1), 0
    if name.startswith("edge_importance."):
        return f"blocks.{name.split('.')[1]}.edge_weight", 0
    if name.startswith("st_gcn_networks."):
        _, index, rest = name.split(".", 2)
        for theirs, ours in _PUBLISHED.items():
            if rest.startswith(theirs):
                return f"blocks.{index}.{ours}{rest.removeprefix(theirs)}", 0
    return None


def _subsets_innermost(ours: str, parts: list[Tensor], *, subsets: int) -> Tensor:
    """A weight laid out as here; published are (K * out, in, 1, 1) and (K * out,), subsets outermost."""
    (value,) = parts
    if ours.endswith("spatial.weight"):
        value = rearrange(value, "(k o) i 1 1 -> o (k i) 1 1", k=subsets)
    elif ours.endswith("spatial_bias"):
        value = rearrange(value, "(k o) -> k o", k=subsets)
    return value
