"""Weights of CTR-GCN's program under the names of `CTRGCN`."""

import re
from collections import defaultdict
from collections.abc import Mapping

from torch import Tensor

from skel_encoders._scd_published import _PLACES, _joined

_STRIDED = ("5", "8")


def ctrgcn_from_published(state: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
    """Rename the weights of CTR-GCN's program for `CTRGCN.load_state_dict`.

    The classifier (``fc``) is left out.

    Args:
        state: The published state dict.
        prefix: Prefix of the wanted network inside it, such as ``module.``.

    Raises:
        ValueError: If a key under the prefix is not one of a published CTR-GCN, or there is none.
    """
    pieces: defaultdict[str, dict[int, Tensor]] = defaultdict(dict)
    for key, value in state.items():
        if not key.startswith(prefix) or (name := key.removeprefix(prefix)).startswith("fc."):
            continue
        if match := re.fullmatch(r"data_bn\.(\w+)", name):
            pieces[f"input_norm.{match[1]}"][0] = value
            continue
        match = re.fullmatch(r"l(10|[1-9])\.(.+)\.(\w+)", name)
        if match is None or match[2] not in _PLACES:
            raise ValueError(f"{key!r} is not a weight of a published CTR-GCN")
        ours, place = _PLACES[match[2]]
        if match[1] in _STRIDED and match[2].startswith("tcn1.branches.3."):
            ours = f"temporal.plain.{match[2][-1]}"
        leaf = "graph" if match[3] == "PA" else match[3]
        pieces[f"blocks.{int(match[1]) - 1}.{ours}.{leaf}"][place] = value
    if not pieces:
        raise ValueError(f"no weights of a published CTR-GCN under the prefix {prefix!r}")
    return {ours: _joined(ours, [parts[place] for place in sorted(parts)]) for ours, parts in pieces.items()}
