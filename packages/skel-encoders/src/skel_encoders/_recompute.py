"""Memory for time: activations inside blocks are computed again for the gradient, not kept."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_blocks(encoder: nn.Module) -> None:
    """Make an encoder keep what goes into its blocks only, and compute them again in the backward pass.

    Outputs, gradients, random numbers and the statistics of BatchNorm are what they would be; weights keep
    their names. A backward pass costs one more forward pass.

    Raises:
        ValueError: If the encoder has no blocks.
    """
    lists = [module for name, module in encoder.named_modules() if name.rpartition(".")[2] == "blocks"]
    if not lists:
        raise ValueError(f"{type(encoder).__name__} has no blocks to compute again")
    for block in (block for blocks in lists for block in blocks.children()):
        block.forward = partial(_recomputed, block)  # of this block alone: a deep copy refers to its own


def _recomputed(block: nn.Module, *inputs: Any) -> Any:
    forward = partial(type(block).forward, block)
    if torch.compiler.is_compiling():  # there each buffer is written once anyway
        return checkpoint(forward, *inputs, use_reentrant=False)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, block))


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """For the first computation and for the second."""
    return nullcontext(), _buffers_left_alone(block)


@contextmanager
def _buffers_left_alone(block: nn.Module) -> Iterator[None]:
    """Let a block write to copies of its buffers: BatchNorm would count a batch a second time."""
    buffers = [(module, *item) for module in block.modules() for item in module.named_buffers(recurse=False)]
    for module, name, buffer in buffers:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in buffers:
            setattr(module, name, buffer)
