"""Learning rates that fall towards the input, for fine-tuning."""

from typing import Any

from torch import nn

from skel_encoders._scd import SCDEncoder
from skel_encoders._tcn import TCN


def layer_groups(
    encoder: nn.Module, lr: float, decay: float, *, weight_decay: float | None = None
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, from the input to the output, each earlier layer slower.

    What comes behind the last block, such as the final norm of a Transformer, counts as a layer. MAMP's
    program has the same groups, and the classifier at ``lr``.

    Args:
        encoder: The encoder; frozen parameters are left out. One that is not of this package needs
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
    layers = enumerate(_layers(encoder))
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


def _layers(encoder: nn.Module) -> list[list[nn.Module]]:
    """The modules of an encoder from the input to the output; those of one list are equally deep."""
    if isinstance(encoder, TCN):  # convolution, BatchNorm, ReLU
        return [list(encoder.layers[i : i + 3]) for i in range(0, len(encoder.layers), 3)]
    if isinstance(encoder, SCDEncoder):
        graphs = (encoder.temporal_graph, encoder.spatial_graph)
        tokens = (encoder.temporal_tokens, encoder.spatial_tokens)
        return [
            [graph.input_norm for graph in graphs],
            *([graph.blocks[i] for graph in graphs] for i in range(len(graphs[0].blocks))),
            [module for part in tokens for module in part[:4]],
            *([part[i] for part in tokens] for i in range(4, len(tokens[0]))),
        ]
    children = dict(encoder.named_children())
    if "blocks" not in children:
        raise ValueError(f"the order of layers of {type(encoder).__name__} is not known: it has no blocks")
    names = list(children)
    place = names.index("blocks")
    before, after = ([children[name] for name in part] for part in (names[:place], names[place + 1 :]))
    return [before, *([block] for block in children["blocks"].children()), after]
