"""Training of encoders: layer-wise learning-rate decay, and gradient checkpointing of blocks."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def layer_groups(
    encoder: nn.Module, lr: float, decay: float, *, weight_decay: float | None = None
) -> list[dict[str, Any]]:
    """Parameter groups for layer-wise learning-rate decay, from the input to the output.

    What comes behind the last block, such as the final norm of a Transformer, counts as a layer. MAMP's
    program has the same groups, and the classifier at ``lr``.

    Args:
        encoder: The encoder; frozen parameters are left out. Its layers are what its method
            ``layers_in_order`` returns, lists of modules that are equally deep; without that method it needs
            ``blocks``, one after the other.
        lr: Learning rate of the last layer.
        decay: Factor from a layer to the one before it, in (0, 1].
        weight_decay: Weight decay of all but biases and other vectors, which have none, as in MAMP (Mao et
            al., ICCV 2023); unless given, what the optimizer says holds for all.

    Raises:
        ValueError: If the factor is out of range, or the order of layers is not known.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"decay must lie in (0, 1], got {decay}")
    layers = enumerate(_layers_in_order(encoder))
    depths = {p: depth for depth, layer in layers for module in layer for p in module.parameters()}
    last = max(depths.values())
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in encoder.named_parameters():
        if not parameter.requires_grad:
            continue
        depth = depths.get(parameter, 0)  # the encoder's own, such as positional embeddings, come first
        free = weight_decay is not None and (parameter.ndim < 2 or name.endswith("bias"))
        rate = lr * decay ** (last - depth)
        group = groups.setdefault((depth, free), {"params": [], "lr": rate})
        group["params"].append(parameter)
        if weight_decay is not None:
            group["weight_decay"] = 0.0 if free else weight_decay
    return [groups[key] for key in sorted(groups)]


def freeze_layers(encoder: nn.Module, count: int) -> None:
    """Freeze the first layers of an encoder: their parameters take no gradient.

    Statistics of BatchNorm within them still follow the data in training mode.

    Args:
        encoder: The encoder; its layers are those of `layer_groups` that have parameters, and its own
            parameters, such as positional embeddings, belong to the first one.
        count: How many, from the input.

    Raises:
        ValueError: If no layer were left, or the order of layers is not known.
    """
    if count < 1:
        return
    weights = [[p for module in layer for p in module.parameters()] for layer in _layers_in_order(encoder)]
    layers = [layer for layer in weights if layer]
    if count >= len(layers):
        raise ValueError(
            f"{type(encoder).__name__} has {len(layers)} layers: at most {len(layers) - 1} can be frozen, "
            f"got {count}"
        )
    later = {p for layer in layers[count:] for p in layer}
    for parameter in encoder.parameters():
        if parameter not in later:
            parameter.requires_grad_(False)


def _layers_in_order(encoder: nn.Module) -> list[list[nn.Module]]:
    declared: Any = getattr(encoder, "layers_in_order", None)
    if declared is not None:
        layers: list[list[nn.Module]] = declared()
        return layers
    children = dict(encoder.named_children())
    if "blocks" not in children:
        raise ValueError(f"the order of layers of {type(encoder).__name__} is not known: it has no blocks")
    names = list(children)
    index = names.index("blocks")
    before, after = ([children[name] for name in part] for part in (names[:index], names[index + 1 :]))
    return [before, *([block] for block in children["blocks"].children()), after]


def checkpoint_blocks(encoder: nn.Module) -> None:
    """Turn on gradient (activation) checkpointing for the blocks of an encoder.

    What goes into each block is kept, and the block is computed again in the backward pass, which costs one
    more forward pass. Outputs, gradients, random numbers and the statistics of BatchNorm are what they would
    be; weights keep their names.

    Raises:
        ValueError: If the encoder has no blocks.
    """
    lists = [module for name, module in encoder.named_modules() if name.rpartition(".")[2] == "blocks"]
    if not lists:
        raise ValueError(f"{type(encoder).__name__} has no blocks to checkpoint")
    for block in (block for blocks in lists for block in blocks.children()):
        block.forward = partial(_checkpointed, block)  # of this block alone: a deep copy refers to its own


def _checkpointed(block: nn.Module, *inputs: Any) -> Any:
    forward = partial(type(block).forward, block)
    if torch.compiler.is_compiling():  # there each buffer is written once anyway
        return checkpoint(forward, *inputs, use_reentrant=False)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, block))


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of the first computation and of the second."""
    return nullcontext(), _buffers_unchanged(block)


@contextmanager
def _buffers_unchanged(block: nn.Module) -> Iterator[None]:
    """Let a block write to copies of its buffers: BatchNorm would count a batch a second time."""
    buffers = [(module, *item) for module in block.modules() for item in module.named_buffers(recurse=False)]
    for module, name, buffer in buffers:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in buffers:
            setattr(module, name, buffer)
