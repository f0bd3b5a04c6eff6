"""Encoders of clips in one of their streams."""

from typing import Any

from torch import nn

from skel_data import ClipShape, stream_channels
from skel_encoders import create_encoder, encoder_settings


def build_encoder(name: str, shape: ClipShape, stream: str, **settings: Any) -> nn.Module:
    """An encoder with fresh weights, of clips in one of their streams.

    Args:
        name: Name of the encoder, as `skel_encoders.create_encoder` takes it.
        shape: Shape of the clips.
        stream: The stream.
        settings: Arguments of the encoder's constructor.

    Raises:
        ValueError: If the stream has other channels than the layout, and the encoder takes no other.
    """
    channels = stream_channels(stream, shape.layout)
    if channels != shape.layout.channels and settings.get("in_channels") is None:
        if "in_channels" not in encoder_settings(name, **settings):
            raise ValueError(f"encoder {name!r} has no setting in_channels: it takes no stream {stream!r}")
        settings["in_channels"] = channels
    return create_encoder(name, layout=shape.layout, frames=shape.frames, bodies=shape.bodies, **settings)
