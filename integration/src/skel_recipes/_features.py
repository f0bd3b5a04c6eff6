"""Features of clips from an encoder that is left as it was."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skel_eval import unchanged

_BATCH = 256


def encoders_of(encoder: nn.Module, streams: tuple[str, ...]) -> dict[str, nn.Module]:
    """The encoder of each stream, from what a method of one stream or of several keeps."""
    if len(streams) == 1:
        return {streams[0]: encoder}
    return {name: encoder.get_submodule(name) for name in streams}


def embed(encoder: nn.Module, clips: Tensor) -> Tensor:
    """Features (N, D) of clips (N, C, T, V, M) from an encoder in eval mode, which is left as it was.

    Raises:
        RuntimeError: If any tensor of the encoder is another one afterwards.
    """
    with unchanged(encoder):
        return torch.cat([encoder(batch) for batch in torch.split(clips, _BATCH)]).float()


def embed_array(encoder: nn.Module, clips: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    """`embed` for arrays that may be larger than the device's memory."""
    encoder = encoder.to(device)
    with unchanged(encoder):
        parts = [
            encoder(torch.from_numpy(clips[start : start + _BATCH]).to(device)).float().cpu().numpy()
            for start in range(0, len(clips), _BATCH)
        ]
    return np.concatenate(parts)
