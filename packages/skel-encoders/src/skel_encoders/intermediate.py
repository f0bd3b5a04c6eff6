"""Intermediate features of an encoder: of its last layers, and of parts of the time."""

from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class IntermediateFeatures(nn.Module):
    """Features of the last layers of an encoder and of temporal bins, concatenated.

    The encoder's own feature comes first. With more than one bin, its features before pooling follow. They
    are cut in time into ``bins`` parts, whose lengths differ by one frame at most, as in temporal pyramid
    pooling, and each part is averaged over its frames, its joints and the bodies that are not absent. Then
    each earlier layer follows in the same way, the last of them first; with one bin it is the mean over all
    frames. timm counts the last layers in the same way (``forward_intermediates`` with a number as
    ``indices``).

    Layers are the encoder's ``blocks``. An encoder whose layers have other names has a mapping ``stacks``,
    from the path of each sequence of modules to the number of modules of a layer. What follows the blocks,
    such as the norm of a Transformer, follows the earlier ones too. If the features before pooling are not
    (N, M, T', V, D), a method ``frame_features`` makes (N, T', D) of them. Each earlier layer is computed by
    another pass through the layers up to it, so in training mode BatchNorm counts a batch once in each pass.

    Args:
        encoder: The encoder, with ``layout``, ``forward_features`` and ``pool``. It is shared, not copied.
        layers: Number of last layers; 1 is the last one alone.
        bins: Temporal bins of each layer; 1 is none.

    Attributes:
        feature_dim: Width of the feature.

    Raises:
        ValueError: If the encoder has no such features or fewer layers; or has fewer frames before pooling
            than there are bins (on calling too).
    """

    def __init__(self, encoder: nn.Module, *, layers: int = 1, bins: int = 1) -> None:
        super().__init__()
        name, of = type(encoder).__name__, ("layout", "forward_features", "pool")
        if lacking := [part for part in of if not hasattr(encoder, part)]:
            raise ValueError(f"intermediate features need an encoder with {lacking[0]}, which {name} lacks")
        for setting, value in (("layers", layers), ("bins", bins)):
            if value < 1:
                raise ValueError(f"{setting} must be at least 1, got {value}")
        if layers > 1 and layers > (most := _depth(encoder)):
            raise ValueError(f"{name} has {most} layers to read out, got layers = {layers}")
        self.encoder = encoder
        self.layers = layers
        self.bins = bins
        trial = deepcopy(self).eval()  # the statistics of BatchNorm stay as they are
        with torch.no_grad():
            self.feature_dim: int = trial(_example(encoder, 64 * bins)).shape[1]

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        encoder: Any = self.encoder
        features = encoder.forward_features(clips)
        parts = [encoder.pool(features)]
        if self.bins > 1:
            parts.append(self._binned(features, clips))
        earlier = (_without_last(encoder, count) for count in range(1, self.layers))
        parts += [self._binned(one.forward_features(clips), clips) for one in earlier]
        return torch.cat(parts, dim=1)

    def _binned(self, features: Tensor, clips: Tensor) -> Tensor:
        """Features before pooling to (N, bins * D)."""
        own: Any = getattr(self.encoder, "frame_features", None)
        x = _frame_features(features, clips) if own is None else own(features)
        if x.shape[1] < self.bins:
            raise ValueError(
                f"{type(self.encoder).__name__} has {x.shape[1]} frames before pooling, too few for "
                f"{self.bins} bins"
            )
        return torch.cat([part.mean(1) for part in x.tensor_split(self.bins, dim=1)], dim=1)


def _frame_features(features: Tensor, clips: Tensor) -> Tensor:
    """Mean over joints and over bodies that are not absent: (N, M, T', V, D) to (N, T', D)."""
    x = features.mean(3)
    if x.shape[1] != clips.shape[4]:  # all bodies are one
        return x.mean(1)
    present = clips.ne(0).flatten(1, 3).any(1).to(x.dtype)[:, :, None, None]
    return (x * present).sum(1) / present.sum(1).clamp(min=1)


def _stacks(encoder: nn.Module) -> Mapping[str, int]:
    stacks: Mapping[str, int] = getattr(encoder, "stacks", {"blocks": 1})
    return stacks


def _depth(encoder: nn.Module) -> int:
    """Number of layers."""
    try:
        stacks: list[tuple[Any, int]] = [(encoder.get_submodule(p), n) for p, n in _stacks(encoder).items()]
        return min(len(stack) // size for stack, size in stacks)
    except (AttributeError, TypeError):
        raise ValueError(
            f"{type(encoder).__name__} has no blocks and no stacks: only its last layer can be read out"
        ) from None


def _without_last(encoder: nn.Module, count: int) -> Any:
    """The encoder without its last layers, with the same weights."""
    shorter = _shared(encoder)
    for path, size in _stacks(encoder).items():
        *parents, name = path.split(".")
        owner = shorter
        for parent in parents:
            part = _shared(getattr(owner, parent))
            setattr(owner, parent, part)
            owner = part
        setattr(owner, name, getattr(owner, name)[: -count * size])
    return shorter


def _shared(module: nn.Module) -> nn.Module:
    """A module that shares all parts, in which they can be replaced."""
    other = copy(module)
    vars(other)["_modules"] = dict(vars(module)["_modules"])
    return other


def _example(encoder: Any, frames: int) -> Tensor:
    """A clip that the encoder takes."""
    layout, weight = encoder.layout, next(encoder.parameters(), torch.empty(0))
    channels = getattr(encoder, "in_channels", layout.channels)
    frames, bodies = getattr(encoder, "frames", frames), getattr(encoder, "bodies", 1)
    return weight.new_ones(1, channels, frames, layout.num_joints, bodies)
