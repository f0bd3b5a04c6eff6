"""Recurrent encoder of ISC (2108.03656), CMD (2208.12448) and CRRL (arXiv 2111.11051), and CRRL's decoder."""

import re
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from skel_data import SkeletonLayout, get_layout
from skel_encoders.base import PublishedEncoder
from skel_encoders.layers import Dropout, check_clips

Direction = Literal["forward-twice", "bidirectional"]
Pooling = Literal["last", "mean"]
Init = Literal["xavier", "uniform"]


class GRU(PublishedEncoder):
    """Recurrent encoder: layers of two GRUs each, on all joints and bodies of a frame as one vector.

    The published programs build a bidirectional GRU but feed it one frame at a time with the state carried
    on, so that both units of a layer run forward in time: ``forward-twice``. The feature is what the last
    layer has read in the end: both units at the last frame, or, where the second unit really runs backward
    (``bidirectional``), that one at the first frame. With ``pooling="mean"`` it is the mean over all frames,
    as in CRRL, whose encoder is a bidirectional one.

    The vector of a frame has the joints outermost, then the channels, then the bodies, as published: the
    index of a body in the clip matters, and the number of bodies is fixed. Published weights are those of ISC
    or CMD.

    Args:
        layout: The skeleton; gives joints and channels.
        bodies: Bodies of a clip.
        in_channels: Channels of a clip; the layout's unless given.
        hidden_dim: Width of a unit, half that of the feature.
        layers: Layers, each on the outputs of both units of the one before.
        direction: How the second unit of each layer runs through time.
        input_norm: Whether BatchNorm comes first, as in CMD; ISC and CRRL have none.
        pooling: last: what each unit says when it has read all frames. mean: the mean over frames.
        dropout: Probability of dropout between layers, in [0, 1).
        init: xavier: Xavier's uniform initialisation of the matrices, as in ISC and CMD. uniform: PyTorch's
            own, up to 1 / sqrt(hidden_dim) for all weights, as in CRRL.
        packed: Read each clip up to its last frame that is not zero, as a packed sequence; features of the
            frames behind are zero. False: read all frames.

    Raises:
        ValueError: If a setting is out of range, or a clip batch does not fit (on calling).
    """

    program = "a published GRU encoder"
    left_out = r"fc\..*"

    def __init__(
        self,
        layout: SkeletonLayout | str,
        *,
        bodies: int = 2,
        in_channels: int | None = None,
        hidden_dim: int = 1024,
        layers: int = 3,
        direction: Direction = "forward-twice",
        input_norm: bool = True,
        pooling: Pooling = "last",
        dropout: float = 0.0,
        init: Init = "xavier",
        packed: bool = False,
    ) -> None:
        super().__init__()
        layout = get_layout(layout)
        if layers < 1:
            raise ValueError(f"layers must be at least 1, got {layers}")
        if direction not in ("forward-twice", "bidirectional"):
            raise ValueError(f"direction must be 'forward-twice' or 'bidirectional', got {direction!r}")
        if pooling not in ("last", "mean"):
            raise ValueError(f"pooling must be 'last' or 'mean', got {pooling!r}")
        self.layout = layout
        self.bodies = bodies
        self.in_channels = layout.channels if in_channels is None else in_channels
        self.hidden_dim = hidden_dim
        self.layers = layers
        self.direction = direction
        self.input_norm = input_norm
        self.pooling = pooling
        self.dropout = dropout
        self.init = init
        self.packed = packed
        self.feature_dim = 2 * hidden_dim
        size = layout.num_joints * self.in_channels * bodies
        self.norm = nn.BatchNorm1d(size) if input_norm else nn.Identity()
        self.blocks = nn.ModuleList(
            _Layer(2 * hidden_dim if i else size, hidden_dim, direction == "bidirectional", init)
            for i in range(layers)
        )
        self.drop = Dropout(dropout)

    def lengths(self, clips: Tensor) -> Tensor | None:
        """Frames (N,) that are read of clips, or of features (N, C, T, V, M); None: all of each."""
        if not self.packed:
            return None
        numbers = torch.arange(1, clips.shape[2] + 1, device=clips.device)
        return ((clips.detach() != 0).any(4).any(3).any(1) * numbers).amax(1).clamp(min=1)

    def forward_features(self, clips: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features before pooling.

        Args:
            clips: (N, C, T, V, M).
            lengths: (N,) frames to read of each clip; what `lengths` says unless given.

        Returns:
            (N, 1, T, 1, D): what both units of the last layer say at each frame.
        """
        check_clips(clips, self.layout, self.in_channels, bodies=self.bodies)
        lengths = self.lengths(clips) if lengths is None else lengths
        x = rearrange(self.norm(rearrange(clips, "n c t v m -> n (v c m) t")), "n d t -> t n d")
        for i, block in enumerate(self.blocks):
            x = block(self.drop(x) if i else x, lengths)
        if lengths is not None:
            x = x * (torch.arange(x.shape[0], device=x.device)[:, None] < lengths)[..., None]
        features: Tensor = rearrange(x, "t n d -> n 1 t 1 d")
        return features

    def pool(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The feature (N, D) of what `forward_features` says of each frame (N, 1, T, 1, D).

        Args:
            features: What it says.
            lengths: (N,) the lengths that it was given, if any.
        """
        lengths = self.lengths(features) if lengths is None else lengths
        x = features[:, 0, :, 0]
        if self.pooling == "mean":
            return x.mean(1) if lengths is None else x.sum(1) / lengths[:, None]
        first, second = last_frame(x.transpose(0, 1), lengths).chunk(2, -1)
        if self.direction == "bidirectional":
            second = x[:, 0].chunk(2, -1)[1]
        return torch.cat([first, second], dim=1)

    def forward(self, clips: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M) of these lengths (N,); see `forward_features`."""
        return self.pool(self.forward_features(clips, lengths), lengths)

    @staticmethod
    def _find(name: str) -> tuple[str, int] | None:
        """Our name of a published weight; nothing is joined."""
        if name.startswith("input_norm."):
            return name.removeprefix("input_"), 0
        if match := re.fullmatch(r"encoder\.gru\.((?:weight|bias)_[ih]h)_l(\d+)(_reverse)?", name):
            return f"blocks.{match[2]}.units.{1 if match[3] else 0}.{match[1]}", 0
        return None


class GRUDecoder(nn.Module):
    """Decoder of CRRL (arXiv 2111.11051): a GRU that is given one vector at every frame.

    What it says at a frame is the state of its last layer, so each number lies in (-1, 1).

    Args:
        in_dim: Width of the vector.
        out_dim: Numbers of a frame, which is the width of each layer.
        layers: Layers, one way through time.
        dropout: Probability of dropout between layers, in [0, 1).

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(self, in_dim: int, out_dim: int, *, layers: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"layers must be at least 1, got {layers}")
        self.blocks = nn.ModuleList(
            _Unit(out_dim if i else in_dim, out_dim, "uniform") for i in range(layers)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Sequences (N, frames, out_dim) of vectors (N, in_dim)."""
        x = x.expand(frames, -1, -1)
        for i, block in enumerate(self.blocks):
            x = block(self.dropout(x) if i else x)
        return x.transpose(0, 1)


def last_frame(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The last frame (N, D) of padded sequences (T, N, D).

    Args:
        x: The sequences.
        lengths: (N,) frames of each, from 1 to T; T for all unless given.
    """
    if lengths is None:
        return x[-1]
    return x.gather(0, (lengths - 1)[None, :, None].expand(-1, -1, x.shape[2]))[0]


def reverse_time(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Padded sequences (T, N, D) in reverse time; the frames behind each stay where they are.

    Args:
        x: The sequences.
        lengths: (N,) frames of each, from 1 to T; T for all unless given.
    """
    if lengths is None:
        return x.flip(0)
    frame = torch.arange(x.shape[0], device=x.device)[:, None]
    frame = torch.where(frame < lengths, lengths - 1 - frame, frame)
    return x.gather(0, frame[..., None].expand_as(x))


class _Layer(nn.Module):
    """Two units side by side: (T, N, I) to (T, N, 2 H)."""

    def __init__(self, in_dim: int, hidden_dim: int, bidirectional: bool, init: Init) -> None:
        super().__init__()
        self.units = nn.ModuleList(_Unit(in_dim, hidden_dim, init) for _ in range(2))
        self.bidirectional = bidirectional

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        first, second = self.units
        if self.bidirectional:
            backward = reverse_time(second(reverse_time(x, lengths)), lengths)
            return torch.cat([first(x), backward], dim=-1)
        return torch.cat([first(x), second(x)], dim=-1)


class _Unit(nn.Module):
    """One GRU through time.

    The parameters are not those of an `nn.GRU`, which `torch.compile` refuses to trace.
    """

    def __init__(self, in_dim: int, hidden_dim: int, init: Init) -> None:
        super().__init__()
        if init not in ("xavier", "uniform"):
            raise ValueError(f"init must be 'xavier' or 'uniform', got {init!r}")
        self.init = init
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_dim, in_dim))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_dim, hidden_dim))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_dim))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        limit = self.weight_hh.shape[1] ** -0.5
        for weight in (self.weight_ih, self.weight_hh):
            if self.init == "xavier":
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.uniform_(weight, -limit, limit)
        for bias in (self.bias_ih, self.bias_hh):
            nn.init.uniform_(bias, -limit, limit)

    def forward(self, x: Tensor) -> Tensor:
        start = x.new_zeros(1, x.shape[1], self.weight_hh.shape[1])
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        # cuDNN has a gradient in training mode only; without dropout nothing else depends on the mode.
        train = torch.is_grad_enabled()
        outputs: Tensor = torch.gru(x, start, weights, True, 1, 0.0, train, False, False)[0]
        return outputs
