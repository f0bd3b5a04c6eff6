"""Encoders by name, with the settings that a recipe may give them."""

from attrs import define

from skel_data import SkeletonLayout
from skel_encoders import STGCN, TCN


@define(frozen=True)
class STGCNSettings:
    """See `skel_encoders.STGCN`."""

    base_channels: int = 16
    feature_dim: int = 256
    dropout: float = 0.5
    edge_weights: bool = True

    def build(self, layout: SkeletonLayout) -> STGCN:
        """An encoder with fresh weights."""
        return STGCN(
            layout,
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

    def build(self, layout: SkeletonLayout) -> TCN:
        """An encoder with fresh weights."""
        return TCN(layout, widths=self.widths, kernels=self.kernels, strides=self.strides)


Encoder = STGCN | TCN
EncoderSettings = STGCNSettings | TCNSettings
ENCODERS: dict[str, type[STGCNSettings] | type[TCNSettings]] = {"stgcn": STGCNSettings, "tcn": TCNSettings}
