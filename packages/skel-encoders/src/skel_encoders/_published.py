"""Checkpoints of published programs, loaded as they are."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import skel_encoders
from skel_encoders._pretrained import load_strictly

# What renames the weights of an encoder, and the prefix they have inside the network that is looked for.
_RENAME = {
    "AGCN": ("agcn_from_published", ""),
    "CTRGCN": ("ctrgcn_from_published", ""),
    "GRU": ("gru_from_published", ""),
    "HCN": ("hcn_from_published", ""),
    "SCDEncoder": ("scd_from_published", "encoder."),
    "STGCN": ("stgcn_from_published", ""),
    "Transformer": ("transformer_from_published", ""),
}
# The query network of the programs that follow MoCo, the online one of CMCS. Files of three streams put
# motion and bone behind the name; the joints' network has no suffix, or ``_joint`` in CMCS.
_NETWORKS = ("encoder_q", "online_backbone")
_SUFFIXES = {"joint": ("", "_joint"), "motion": ("_motion",), "bone": ("_bone",)}


def load_published(encoder: nn.Module, path: str | Path, *, stream: str = "joint") -> None:
    """Load the checkpoint of a published program into an encoder of the same size.

    Covers what the programs of CrosSCLR, AimCLR, CMCS, PSTL, ISC, CMD, SCD-Net and MAMP write: a state
    dict, alone or in a dict with other things; a query or online network in it, or nothing but an encoder.

    Args:
        encoder: The encoder; it stays as it was where loading fails.
        path: The file, such as ``.pt`` or ``.pth.tar``.
        stream: ``joint``, ``motion`` or ``bone`` in a file that has an encoder for each; leave it for a
            file with one, whatever stream that was trained on. Or the name of any other network in the
            file, such as ``encoder_r``, the second of ISC.

    Raises:
        ValueError: If the file holds anything that could run code, has no such encoder, or has weights that
            this encoder does not have or lacks some; the message names them.
    """
    path = Path(path)
    kind = type(encoder).__name__
    if kind not in _RENAME:
        raise ValueError(f"no published weights are known for {kind}; there are some for {list(_RENAME)}")
    function, inner = _RENAME[kind]
    state = _state(path)
    try:
        weights = getattr(skel_encoders, function)(state, prefix=_prefix(state, stream) + inner)
    except (ValueError, RuntimeError, IndexError) as error:  # the latter two: of axes that are not there
        raise ValueError(f"{path}: {error}") from error
    load_strictly(encoder, weights, path)


def _state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # the arguments of MAMP's program
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        if (found := re.search(r"GLOBAL (\S+)", str(error))) is None:
            raise ValueError(f"{path} is not a checkpoint of PyTorch, or is damaged") from error
        raise ValueError(
            f"{path} is refused: beside tensors and plain values it holds {found[1]}, "
            f"and loading that could run code that comes with the file"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise ValueError(f"{path} has no state dict")
    return {key.removeprefix("module."): value for key, value in content.items()}


def _prefix(state: Mapping[str, Tensor], stream: str) -> str:
    """Where the wanted network begins; nowhere if the file has an encoder alone."""
    tops = {key.partition(".")[0] for key in state}
    wanted = [network + suffix for network in _NETWORKS for suffix in _SUFFIXES.get(stream, ())]
    for name in (*wanted, stream):
        if name in tops:
            return f"{name}."
    if stream == "joint" and not any(top.startswith(_NETWORKS) for top in tops):
        return ""
    raise ValueError(f"no encoder of the stream {stream!r} in {sorted(tops)}")
