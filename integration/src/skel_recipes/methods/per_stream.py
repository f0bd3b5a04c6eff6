"""A method of one stream, several times side by side."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skel_recipes.methods.context import MethodContext


class PerStream(nn.Module):
    """The same method for each of several streams, which do not learn from each other.

    One run of it is as many runs of the method, each with weights and draws of its own.

    Args:
        methods: A method for each stream.
        context: What all of them see.
    """

    def __init__(self, methods: Mapping[str, nn.Module], context: MethodContext) -> None:
        super().__init__()
        self.context = context
        self.methods = nn.ModuleDict(methods)

    @property
    def settings(self) -> Any:
        """Settings of the method."""
        return next(iter(self.methods.values())).settings

    @property
    def encoder(self) -> nn.ModuleDict:
        """The encoders by stream."""
        methods: Any = self.methods
        return nn.ModuleDict({name: method.encoder for name, method in methods.items()})

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the sum over streams."""
        losses = {
            name: method(clips, epoch=epoch, generator=generator) for name, method in self.methods.items()
        }
        parts = {f"{part}.{name}": loss for name, all_ in losses.items() for part, loss in all_.items()}
        return {"loss": torch.stack([each["loss"] for each in losses.values()]).sum(), **parts}
