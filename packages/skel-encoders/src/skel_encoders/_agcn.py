"""AGCN (Shi et al., CVPR 2019), of which ISC (2108.03656) is one user: the graph is learned, and attends."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from skel_data import SkeletonLayout
from skel_encoders._graph import adjacency
from skel_encoders._pointwise import Pointwise, init_kaiming, projection

_KERNEL = 9
_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class AGCN(nn.Module):
    """Adaptive graph convolutional network without a classifier.

    The first BatchNorm tells bodies apart, so their number is fixed.

    Args:
        layout: The skeleton; gives joints, graph and channels.
        bodies: Bodies of a clip.
        in_channels: Channels of a clip; the layout's unless given.
        base_channels: Width of the first four blocks; it doubles twice, to the width of the feature.

    Raises:
        ValueError: If base_channels is not a multiple of 4, or a clip batch does not fit (on calling).
    """

    takes_joint_subsets: ClassVar[bool] = False

    def __init__(
        self,
        layout: SkeletonLayout,
        *,
        bodies: int = 2,
        in_channels: int | None = None,
        base_channels: int = 64,
    ) -> None:
        super().__init__()
        if base_channels % 4:
            raise ValueError(f"base_channels must be a multiple of 4, got {base_channels}")
        self.layout = layout
        self.bodies = bodies
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.base_channels = base = base_channels
        self.feature_dim = 4 * base
        # The published graph is CTR-GCN's used the other way: what flows into a joint sums to 1.
        graph = torch.from_numpy(adjacency(layout, "directed")).transpose(1, 2)
        self.input_norm = nn.BatchNorm1d(bodies * layout.num_joints * self.in_channels)
        widths = (self.in_channels, *[base] * 4, *[2 * base] * 3, *[4 * base] * 3)
        self.blocks = nn.Sequential(
            *(
                _Block(widths[i], widths[i + 1], graph, residual=i > 0, stride=stride)
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
        channels, joints, bodies = self.in_channels, self.layout.num_joints, self.bodies
        expected = (channels, joints, bodies)
        if clips.ndim != 5 or (clips.shape[1], *clips.shape[3:]) != expected or clips.shape[2] == 0:
            raise ValueError(
                f"expected clips (N, {channels}, T, {joints}, {bodies}) "
                f"for layout {self.layout.name!r}, got {tuple(clips.shape)}"
            )
        x = self.input_norm(rearrange(clips, "n c t v m -> n (m v c) t"))
        x = self.blocks(rearrange(x, "n (m v c) t -> (n m) c t v", m=bodies, c=channels))
        features: Tensor = rearrange(x, "(n m) d t v -> n m t v d", m=bodies)
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Mean over frames, joints and bodies: (N, M, T', V, D) to (N, D)."""
        return features.mean((1, 2, 3))

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        return self.pool(self.forward_features(clips))


class _Block(nn.Module):
    """Graph convolution over joints, then a convolution over time, with a residual: (N, C, T, V)."""

    def __init__(
        self, in_channels: int, out_channels: int, graph: Tensor, *, residual: bool, stride: int
    ) -> None:
        super().__init__()
        self.stride = stride
        self.spatial = _GraphConv(in_channels, out_channels, graph)
        self.temporal = nn.Conv2d(
            out_channels, out_channels, (_KERNEL, 1), stride=(stride, 1), padding=(_KERNEL // 2, 0)
        )
        self.temporal_norm = nn.BatchNorm2d(out_channels)
        self.residual = projection(in_channels, out_channels) if residual else None
        init_kaiming(self.temporal.weight, self.temporal.bias, out_channels * _KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        y = self.temporal_norm(self.temporal(self.spatial(x)))
        return torch.relu(y if self.residual is None else y + self.residual(x[:, :, :: self.stride]))


class _GraphConv(nn.Module):
    """Adaptive graph convolution (equation 3): (N, C, T, V) to (N, D, T, V).

    Each subset of the graph is the sum of a fixed one, a learned one, and one from how alike the joints of
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
    "spatial": ("gcn1",),
    "spatial.senders": tuple(f"gcn1.conv_a.{k}" for k in range(3)),
    "spatial.receivers": tuple(f"gcn1.conv_b.{k}" for k in range(3)),
    "spatial.value": tuple(f"gcn1.conv_d.{k}" for k in range(3)),
    "spatial.norm": ("gcn1.bn",),
    "spatial.residual.0": ("gcn1.down.0",),
    "spatial.residual.1": ("gcn1.down.1",),
    "temporal": ("tcn1.conv",),
    "temporal_norm": ("tcn1.bn",),
    "residual.0": ("residual.conv",),
    "residual.1": ("residual.bn",),
}
_PLACES = {theirs: (ours, place) for ours, parts in _BLOCK.items() for place, theirs in enumerate(parts)}


def agcn_from_published(state: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
    """Rename the weights of the AGCN of ISC's program, or of 2s-AGCN's, for `AGCN.load_state_dict`.

    The classifier or projection head (``fc``) is left out.

    Args:
        state: The published state dict.
        prefix: Prefix of the wanted network inside it, such as ``encoder_r.``.

    Raises:
        ValueError: If a key under the prefix is not one of a published AGCN, or there is none.
    """
    pieces: defaultdict[str, dict[int, Tensor]] = defaultdict(dict)
    for key, value in state.items():
        if not key.startswith(prefix) or (name := key.removeprefix(prefix)).startswith("fc."):
            continue
        if match := re.fullmatch(r"data_bn\.(\w+)", name):
            pieces[f"input_norm.{match[1]}"][0] = value
            continue
        match = re.fullmatch(r"l(10|[1-9])\.(.+)\.(\w+)", name)
        if match is None or match[2] not in _PLACES:
            raise ValueError(f"{key!r} is not a weight of a published AGCN")
        ours, place = _PLACES[match[2]]
        leaf = "edges" if match[3] == "PA" else match[3]
        pieces[f"blocks.{int(match[1]) - 1}.{ours}.{leaf}"][place] = value
    if not pieces:
        raise ValueError(f"no weights of a published AGCN under the prefix {prefix!r}")
    return {ours: _joined(ours, [parts[place] for place in sorted(parts)]) for ours, parts in pieces.items()}


def _joined(ours: str, parts: list[Tensor]) -> Tensor:
    if ours.endswith("spatial.value.bias"):  # the published sum has one for each subset
        return torch.stack(parts).sum(0)
    if parts[0].ndim == 0:
        return parts[0]
    joined = torch.cat(parts, dim=int(ours.endswith("spatial.value.weight")))
    return joined.flatten(1) if joined.ndim == 4 and joined.shape[2] == 1 else joined
