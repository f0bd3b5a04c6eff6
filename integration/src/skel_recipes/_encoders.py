"""Encoders by name, with the settings that a recipe may give them."""

from typing import Any, ClassVar, Protocol

import torch
from attrs import asdict, define
from torch import nn

import skel_encoders
from skel_data import ClipShape

Encoder = Any
"""A module with the interface of the encoders of skel_encoders, theirs or one's own."""


class EncoderSettings(Protocol):
    """Settings of an encoder: a frozen attrs class."""

    def build(self, shape: ClipShape) -> Any:
        """An encoder of such clips, with fresh weights."""


class _Built:
    """Settings that are the arguments of a class in skel_encoders, which may be imported late."""

    encoder: ClassVar[str]
    """Name of the class."""
    fits: ClassVar[tuple[str, ...]] = ()
    """What it takes of the shape of the clips, beside the layout."""

    def build(self, shape: ClipShape) -> Any:
        """An encoder of such clips, with fresh weights."""
        fitted = {name: getattr(shape, name) for name in self.fits}
        settings: Any = self
        return getattr(skel_encoders, self.encoder)(shape.layout, **fitted, **asdict(settings))


@define(frozen=True)
class STGCNSettings(_Built):
    """See `skel_encoders.STGCN`."""

    encoder = "STGCN"
    base_channels: int = 16
    feature_dim: int = 256
    dropout: float = 0.5
    edge_weights: bool = True


@define(frozen=True)
class TCNSettings(_Built):
    """See `skel_encoders.TCN`."""

    encoder = "TCN"
    widths: tuple[int, ...] = (128, 128, 192, 192, 256, 256)
    kernels: tuple[int, ...] = (5, 5, 3, 3, 3, 3)
    strides: tuple[int, ...] = (2, 1, 2, 1, 1, 1)


@define(frozen=True)
class SCDSettings(_Built):
    """See `skel_encoders.SCDEncoder`; it has weights for each frame and body of the clips."""

    encoder = "SCDEncoder"
    fits = ("frames", "bodies")
    channels: int = 64
    hidden_dim: int = 2048
    heads: int = 8
    layers: int = 1
    dropout: float = 0.1


@define(frozen=True)
class AGCNSettings(_Built):
    """See `skel_encoders.AGCN`."""

    encoder = "AGCN"
    fits = ("bodies",)
    base_channels: int = 64


@define(frozen=True)
class CTRGCNSettings(_Built):
    """See `skel_encoders.CTRGCN`."""

    encoder = "CTRGCN"
    fits = ("bodies",)
    base_channels: int = 64


@define(frozen=True)
class HCNSettings(_Built):
    """See `skel_encoders.HCN`; it has weights for each frame of the clips."""

    encoder = "HCN"
    fits = ("frames",)
    channels: int = 64
    dropout: float = 0.5


@define(frozen=True)
class GRUSettings(_Built):
    """See `skel_encoders.GRU`; it has weights for each body of the clips."""

    encoder = "GRU"
    fits = ("bodies",)
    hidden_dim: int = 1024
    layers: int = 3
    direction: str = "forward-twice"
    input_norm: bool = True


@define(frozen=True)
class TransformerSettings(_Built):
    """See `skel_encoders.Transformer`; it has a position for each tubelet of the clips."""

    encoder = "Transformer"
    fits = ("frames",)
    tubelet: int = 4
    feature_dim: int = 256
    heads: int = 8
    layers: int = 8
    mlp_ratio: float = 4.0
    drop_path: float = 0.0


ENCODERS: dict[str, type[EncoderSettings]] = {
    "stgcn": STGCNSettings,
    "tcn": TCNSettings,
    "scd": SCDSettings,
    "agcn": AGCNSettings,
    "ctrgcn": CTRGCNSettings,
    "hcn": HCNSettings,
    "gru": GRUSettings,
    "transformer": TransformerSettings,
}


def build_encoder(
    settings: EncoderSettings, shape: ClipShape, streams: tuple[str, ...], seed: int
) -> Any | nn.ModuleDict:
    """An encoder with the weights that a seed gives; of several streams, one for each."""
    torch.manual_seed(seed)
    built = {name: settings.build(shape) for name in streams}
    return nn.ModuleDict(built) if len(streams) > 1 else built[streams[0]]
