"""Published weights: renamed for the encoders here, and loaded from the checkpoint files as they are."""

import argparse
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from skel_encoders.pretrained import load_strictly
from skel_encoders.registry import ENCODERS

# The query network of the programs that follow MoCo, the online one of CMCS. Files of three streams put
# motion and bone behind the name; the joints' network has no suffix, or ``_joint`` in CMCS.
_NETWORKS = ("encoder_q", "online_backbone")
_SUFFIXES = {"joint": ("", "_joint"), "motion": ("_motion",), "bone": ("_bone",)}


def rename_weights(
    state: Mapping[str, Tensor],
    find: Callable[[str], tuple[str, int] | None],
    join: Callable[[str, list[Tensor]], Tensor] = lambda _, parts: parts[0],
    *,
    prefix: str,
    skip: str,
    program: str,
) -> dict[str, Tensor]:
    """Weights of a published program under the names of an encoder here.

    Args:
        state: The published state dict.
        find: Name here of a published name without the prefix, and which of the tensors that are joined
            under it this is; None where there is no such weight.
        join: One tensor of those that are found under one name.
        prefix: Prefix of the wanted network; all other keys are left out.
        skip: Pattern of the names, without the prefix, that are left out.
        program: What the weights must be of, for the message.

    Raises:
        ValueError: If a key under the prefix is not found, or there is none.
    """
    found: defaultdict[str, dict[int, Tensor]] = defaultdict(dict)
    for key, value in state.items():
        name = key.removeprefix(prefix)
        if not key.startswith(prefix) or re.fullmatch(skip, name):
            continue
        ours = find(name)
        if ours is None:
            raise ValueError(f"{key!r} is not a weight of {program}")
        found[ours[0]][ours[1]] = value
    if not found:
        raise ValueError(f"no weights of {program} under the prefix {prefix!r}")
    return {name: join(name, [parts[part] for part in sorted(parts)]) for name, parts in found.items()}


def load_published(encoder: nn.Module, path: str | Path, *, stream: str = "joint") -> None:
    """Load the checkpoint of a published program into an encoder of the same size.

    Covers what the programs of CrosSCLR, AimCLR, CMCS, PSTL, ISC, CMD, SCD-Net and MAMP write: a state
    dict, alone or in a dict with other things; a query or online network in it, or nothing but an encoder.

    Args:
        encoder: The encoder, whose class has a static method ``rename_published(state, *, prefix)``; it
            stays as it was where loading fails.
        path: The file, such as ``.pt`` or ``.pth.tar``.
        stream: ``joint``, ``motion`` or ``bone`` in a file that has an encoder for each; leave it for a
            file with one, whatever stream that was trained on. Or the name of any other network in the
            file, such as ``encoder_r``, the second of ISC.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds anything that could run code, has no such encoder, or has weights that
            this encoder does not have or lacks some; the message names them.
    """
    path = Path(path)
    kind = type(encoder)
    if not hasattr(kind, "rename_published"):
        known = [name for name in ENCODERS if hasattr(ENCODERS[name], "rename_published")]
        raise ValueError(f"no published weights are known for {kind.__name__}; there are some for {known}")
    state = _state(path)
    try:
        weights = kind.rename_published(state, prefix=_prefix(state, stream))
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
    """Prefix of the wanted network; empty if the file has an encoder alone."""
    tops = {key.partition(".")[0] for key in state}
    wanted = [network + suffix for network in _NETWORKS for suffix in _SUFFIXES.get(stream, ())]
    for name in (*wanted, stream):
        if name in tops:
            return f"{name}."
    if stream == "joint" and not any(top.startswith(_NETWORKS) for top in tops):
        return ""
    raise ValueError(f"no encoder of the stream {stream!r} in {sorted(tops)}")
