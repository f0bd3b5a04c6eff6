"""The multi-modal encoder of UmURL (Sun et al., ACM MM 2023, arXiv 2311.03106)."""

import re
from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor, nn

from skel_data import SkeletonLayout, get_layout, stream, stream_channels
from skel_encoders.base import TwoSequenceEncoder
from skel_encoders.layers import check_clips, sinusoids, token_embedding


class UmURL(TwoSequenceEncoder):
    """Multi-modal encoder with early fusion: an embedding for each modality, one Transformer for all.

    Clips are of the stream ``joint``; the other modalities are made of them. A frame token is all joints of a
    frame, a joint token all frames of a joint of one body. The tokens of the modalities are averaged and
    go through a linear layer, then through a Transformer of frames and one of joints. The feature is the
    temporal half (maximum over frames), then the spatial one (maximum over joints). Embeddings fix frames
    and bodies.

    Args:
        layout: The skeleton; gives joints and channels.
        frames: Frames of a clip.
        bodies: Bodies of a clip.
        modalities: Names of the streams that are fused, two or more.
        hidden_dim: Width of the tokens and of each half of the feature.
        heads: Attention heads.
        layers: Transformer layers of each sequence.

    Raises:
        ValueError: If a setting is out of range, or a clip batch does not fit (on calling).
    """

    program = "UmURL's published encoder"
    left_out = r"[jbm]_projector\..*|fc\..*|backbone\.ma_encoder\.pe\.pe"

    time_position: Tensor

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        frames: int = 64,
        bodies: int = 2,
        modalities: tuple[str, ...] = ("joint", "motion", "bone"),
        hidden_dim: int = 1024,
        heads: int = 1,
        layers: int = 1,
    ) -> None:
        super().__init__()
        if hidden_dim % 2 or hidden_dim % heads:
            raise ValueError(
                f"hidden_dim must be even and a multiple of heads, got {hidden_dim} and {heads} heads"
            )
        if layers < 1:
            raise ValueError(f"layers must be at least 1, got {layers}")
        if len(modalities) < 2 or len(set(modalities)) < len(modalities):
            raise ValueError(f"modalities must be two or more different ones, got {', '.join(modalities)}")
        layout = get_layout(layout)
        self.layout = layout
        self.frames = frames
        self.bodies = bodies
        self.modalities = modalities
        self.hidden_dim = hidden_dim
        self.heads = heads
        self.layers = layers
        self.feature_dim = 2 * hidden_dim
        joints = bodies * layout.num_joints
        channels = {name: stream_channels(name, layout) for name in modalities}
        self.temporal_embedding = nn.ModuleDict(
            {name: token_embedding(joints * size, hidden_dim) for name, size in channels.items()}
        )
        self.spatial_embedding = nn.ModuleDict(
            {name: token_embedding(frames * size, hidden_dim) for name, size in channels.items()}
        )
        self.temporal_fusion = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.spatial_fusion = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.register_buffer("time_position", sinusoids(frames, hidden_dim), persistent=False)
        self.temporal_layers = nn.ModuleList(_layer(hidden_dim, heads) for _ in range(layers))
        self.spatial_layers = nn.ModuleList(_layer(hidden_dim, heads) for _ in range(layers))

    def embed(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Tokens of one modality, or of all modalities fused.

        Args:
            seen: Clips (N, C, T, V, M) in each modality by its name: one, or all.

        Returns:
            (N, T + M V, D): the frame tokens, then the joint tokens, body by body.

        Raises:
            ValueError: If they are neither one modality of the encoder nor all.
        """
        if (len(seen) != 1 and set(seen) != set(self.modalities)) or not set(seen) <= set(self.modalities):
            raise ValueError(
                f"expected clips in one of {', '.join(self.modalities)}, or in all, got {', '.join(seen)}"
            )
        parts = [self._tokens(name, seen[name]) for name in self.modalities if name in seen]
        if len(parts) == 1:
            return torch.cat(parts[0], dim=1)
        frames, joints = (torch.stack(each).mean(0) for each in zip(*parts, strict=True))
        return torch.cat([self.temporal_fusion(frames), self.spatial_fusion(joints)], dim=1)

    def _tokens(self, name: str, clips: Tensor) -> tuple[Tensor, Tensor]:
        channels = stream_channels(name, self.layout)
        check_clips(clips, self.layout, channels, frames=self.frames, bodies=self.bodies)
        frames = self.temporal_embedding[name](rearrange(clips, "n c t v m -> n t (m v c)"))
        joints = self.spatial_embedding[name](rearrange(clips, "n c t v m -> n (m v) (t c)"))
        return frames, joints

    def encode(self, tokens: Tensor) -> Tensor:
        """Features before pooling (N, 1, T + M V, 1, D) of tokens (N, T + M V, D) of `embed`."""
        frames, joints = tokens[:, : self.frames] + self.time_position, tokens[:, self.frames :]
        for layer in self.temporal_layers:
            frames = layer(frames)
        for layer in self.spatial_layers:
            joints = layer(joints)
        return torch.cat([frames, joints], dim=1)[:, None, :, None]

    def forward_features(self, clips: Tensor) -> Tensor:
        """Features before pooling, of all modalities fused.

        Args:
            clips: (N, C, T, V, M), of the stream ``joint``.

        Returns:
            (N, 1, T + M V, 1, D): the frame tokens, then the joint tokens, body by body.
        """
        check_clips(clips, self.layout, self.layout.channels, frames=self.frames, bodies=self.bodies)
        return self.encode(self.embed({name: stream(clips, name, self.layout) for name in self.modalities}))

    def layers_in_order(self) -> list[list[nn.Module]]:
        """Layers for `layer_groups`; those of the two sequences are equally deep."""
        pairs = zip(self.temporal_layers, self.spatial_layers, strict=True)
        embeddings = [self.temporal_embedding, self.spatial_embedding]
        return [[*embeddings, self.temporal_fusion, self.spatial_fusion], *map(list, pairs)]

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight; nothing is joined."""
        name = name.removeprefix("backbone.")
        if match := re.fullmatch(r"([jbm])_emb\.([ts])_embedding\.([013]\.\w+)", name):
            return f"{_HALVES[match[2]]}_embedding.{_MODALITIES[match[1]]}.{match[3]}", 0
        if match := re.fullmatch(r"mm_fusion\.([ts])_fusion\.0\.weight", name):
            return f"{_HALVES[match[1]]}_fusion.weight", 0
        if match := re.fullmatch(r"ma_encoder\.([ts])_tr\.layers\.(\d+)\.(.+)", name):
            return f"{_HALVES[match[1]]}_layers.{match[2]}.{match[3]}", 0
        return None


_HALVES = {"t": "temporal", "s": "spatial"}
_MODALITIES = {"j": "joint", "b": "bone", "m": "motion"}


def _layer(dim: int, heads: int) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(dim, heads, dim, dropout=0.0, batch_first=True)
