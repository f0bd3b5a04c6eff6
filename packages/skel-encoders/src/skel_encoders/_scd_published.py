"""Weights of SCD-Net's program under the names of `SCDEncoder`."""

import re
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

_PATHS = {"t": "temporal", "s": "spatial"}
# Our modules of a block, and the published ones they are joined of.
_BLOCK = {
    "spatial": ("gcn1",),
    "spatial.relation": tuple(f"gcn1.convs.{k}.{conv}" for conv in ("conv1", "conv2") for k in range(3)),
    "spatial.refinement": tuple(f"gcn1.convs.{k}.conv4" for k in range(3)),
    "spatial.value": tuple(f"gcn1.convs.{k}.conv3" for k in range(3)),
    "spatial.norm": ("gcn1.bn",),
    "spatial.residual.0": ("gcn1.down.0",),
    "spatial.residual.1": ("gcn1.down.1",),
    "temporal.bottleneck": tuple(f"tcn1.branches.{k}.0" for k in range(4)),
    "temporal.bottleneck_norm": tuple(f"tcn1.branches.{k}.1" for k in range(4)),
    "temporal.branches.0": ("tcn1.branches.0.3.conv",),
    "temporal.branches.1": ("tcn1.branches.1.3.conv",),
    "temporal.norm": ("tcn1.branches.0.3.bn", "tcn1.branches.1.3.bn", "tcn1.branches.2.4"),
    "residual.0": ("residual.conv",),
    "residual.1": ("residual.bn",),
}
_PLACES = {theirs: (ours, place) for ours, parts in _BLOCK.items() for place, theirs in enumerate(parts)}


def scd_from_published(state: Mapping[str, Tensor], *, prefix: str = "encoder.") -> dict[str, Tensor]:
    """Rename the weights of SCD-Net's program for `SCDEncoder.load_state_dict`.

    Args:
        state: The published state dict. What does not start with the prefix, such as the projection
            heads (``t_proj``, ``s_proj``, ``i_proj``), is left out.
        prefix: Prefix of the wanted encoder inside it, such as ``encoder_q.encoder.``.

    Raises:
        ValueError: If a key under the prefix is not one of the published encoder, or there is none.
    """
    pieces: defaultdict[str, dict[int, Tensor]] = defaultdict(dict)
    for key, value in state.items():
        if key.startswith(prefix):
            ours, place = _renamed(key, key.removeprefix(prefix))
            pieces[ours][place] = value
    if not pieces:
        raise ValueError(f"no weights of SCD-Net's encoder under the prefix {prefix!r}")
    return {ours: _joined(ours, [parts[place] for place in sorted(parts)]) for ours, parts in pieces.items()}


def _renamed(key: str, name: str) -> tuple[str, int]:
    """Our name of a weight, and its place among those that are joined to one."""
    if match := re.fullmatch(r"channel_([ts])\.([013]\.\w+)", name):
        return f"{_PATHS[match[1]]}_tokens.{match[2]}", 0
    if match := re.fullmatch(r"([ts])_encoder\.layers\.(\d+)\.(.+)", name):
        return f"{_PATHS[match[1]]}_tokens.{4 + int(match[2])}.{match[3]}", 0
    if match := re.fullmatch(r"gcn_([ts])\.data_bn\.(\w+)", name):
        return f"{_PATHS[match[1]]}_graph.input_norm.{match[2]}", 0
    match = re.fullmatch(r"gcn_([ts])\.l([123])\.(.+)\.(\w+)", name)
    if match is None or match[3] not in _PLACES:
        raise ValueError(f"{key!r} is not a weight of SCD-Net's published encoder")
    ours, place = _PLACES[match[3]]
    leaf = "graph" if match[4] == "PA" else match[4]
    return f"{_PATHS[match[1]]}_graph.blocks.{int(match[2]) - 1}.{ours}.{leaf}", place


def _joined(ours: str, parts: list[Tensor]) -> Tensor:
    module, leaf = ours.split(".")[-2:]
    if leaf == "graph":  # there: into joint u from joint v
        return parts[0].transpose(1, 2)
    if leaf == "num_batches_tracked":
        return parts[0]
    joined = torch.stack(parts, dim=1).flatten(0, 1) if module == "value" else torch.cat(parts)
    if joined.ndim == 4:  # there: (N, C, T, V)
        return joined.transpose(2, 3) if joined.shape[2] > 1 else joined.flatten(1)
    return joined
