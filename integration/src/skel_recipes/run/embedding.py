"""Embedding: features of clips from a frozen encoder."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skel_data import SkeletonLayout
from skel_data import stream as take_stream
from skel_eval import unchanged
from skel_recipes.run.clips import masked_clips

_BATCH = 256


def embed(encoder: nn.Module, clips: Tensor) -> Tensor:
    """Features (N, D) of clips (N, C, T, V, M) from an encoder in eval mode, which is left as it was.

    Raises:
        RuntimeError: If any tensor of the encoder is another one afterwards.
    """
    with unchanged(encoder):
        return torch.cat([encoder(batch) for batch in torch.split(clips, _BATCH)]).float()


def embed_array(
    encoder: nn.Module,
    clips: NDArray[np.float32],
    device: torch.device,
    *,
    stream: str,
    layout: SkeletonLayout,
) -> NDArray[np.float32]:
    """`embed` for arrays of the joint stream that may be larger than memory, such as a memory map.

    Args:
        encoder: The encoder; it is left on the device.
        clips: (N, C, T, V, M).
        device: Where to compute.
        stream: The stream that the encoder takes.
        layout: The joints.
    """
    encoder = encoder.to(device)
    parts = []
    with unchanged(encoder):
        for start in range(0, len(clips), _BATCH):
            batch = torch.from_numpy(np.array(clips[start : start + _BATCH])).to(device)
            parts.append(encoder(take_stream(batch, stream, layout)).float().cpu().numpy())
    return np.concatenate(parts)


def embed_masked(
    encoder: nn.Module,
    clips: NDArray[np.float32],
    device: torch.device,
    views: int,
    *,
    stream: str,
    layout: SkeletonLayout,
) -> NDArray[np.float32]:
    """`embed_array` of masked views of clips, (N, views * D); see `masked_clips`.

    An encoder that takes clips of one length gets views that are resized to it.
    """
    frames = getattr(encoder, "frames", None)
    embedded = []
    for view in range(views):
        chunks = masked_clips(clips, layout, view, stream=stream, frames=frames)
        parts = [embed_array(encoder, chunk, device, stream="joint", layout=layout) for chunk in chunks]
        embedded.append(np.concatenate(parts))
    return np.concatenate(embedded, 1)
