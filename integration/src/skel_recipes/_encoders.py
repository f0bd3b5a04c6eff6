"""Encoders by name, with the settings that a recipe may give them."""

from typing import Any, Protocol

import torch
from attrs import define
from torch import nn

from skel_augment import ClipShape
from skel_encoders import STGCN, TCN, SCDEncoder

Encoder = STGCN | TCN | SCDEncoder


class EncoderSettings(Protocol):
    """Settings of an encoder: a frozen attrs class."""

    def build(self, shape: ClipShape) -> Any:
        """An encoder of such clips, with fresh weights."""


@define(frozen=True)
class STGCNSettings:
    """See `skel_encoders.STGCN`."""

    base_channels: int = 16
    feature_dim: int = 256
    dropout: float = 0.5
    edge_weights: bool = True

    def build(self, shape: ClipShape) -> STGCN:
        """An encoder with fresh weights."""
        return STGCN(
            shape.layout,
            base_channels=self.base_channels,
            feature_dim=self.feature_dim,
            dropout=self.dropout,
            edge_weights=self.edge_weights,
        )


@define(frozen=True)
class TCNSettings:
    """See `skel_encoders.TCN`."""

    widths: tuple[int, ...] = (128, 128, 192, 192, 256, 256)
    kernels: tuple[int, ...] = (5, 5, 3, 3, 3, 3)
    strides: tuple[int, ...] = (2, 1, 2, 1, 1, 1)

    def build(self, shape: ClipShape) -> TCN:
        """An encoder with fresh weights."""
        return TCN(shape.layout, widths=self.widths, kernels=self.kernels, strides=self.strides)


@define(frozen=True)
class SCDSettings:
    """See `skel_encoders.SCDEncoder`; it has weights for each frame and body of the clips."""

    channels: int = 64
    hidden_dim: int = 2048
    heads: int = 8
    layers: int = 1
    dropout: float = 0.1

    def build(self, shape: ClipShape) -> SCDEncoder:
        """An encoder with fresh weights."""
        return SCDEncoder(
            shape.layout,
            frames=shape.frames,
            bodies=shape.bodies,
            channels=self.channels,
            hidden_dim=self.hidden_dim,
            heads=self.heads,
            layers=self.layers,
            dropout=self.dropout,
        )


ENCODERS: dict[str, type[EncoderSettings]] = {"stgcn": STGCNSettings, "tcn": TCNSettings, "scd": SCDSettings}


def build_encoder(
    settings: EncoderSettings, shape: ClipShape, streams: tuple[str, ...], seed: int
) -> Any | nn.ModuleDict:
    """An encoder with the weights that a seed gives; of several streams, one for each."""
    torch.manual_seed(seed)
    built = {name: settings.build(shape) for name in streams}
    return nn.ModuleDict(built) if len(streams) > 1 else built[streams[0]]
