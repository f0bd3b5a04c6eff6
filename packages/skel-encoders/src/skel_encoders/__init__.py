"""Encoders of skeleton sequences: clips (N, C, T, V, M) in, features (N, D) out."""

from typing import TYPE_CHECKING, Any

from skel_encoders._agcn import AGCN, agcn_from_published
from skel_encoders._ctrgcn_encoder import CTRGCN
from skel_encoders._ctrgcn_published import ctrgcn_from_published
from skel_encoders._export import export_encoder
from skel_encoders._graph import adjacency
from skel_encoders._groups import layer_groups
from skel_encoders._gru import GRU, gru_from_published
from skel_encoders._hcn import HCN, hcn_from_published
from skel_encoders._pretrained import from_pretrained, save_pretrained
from skel_encoders._published import load_published
from skel_encoders._recompute import checkpoint_blocks
from skel_encoders._scd import SCDEncoder
from skel_encoders._scd_published import scd_from_published
from skel_encoders._stgcn import STGCN, stgcn_from_published
from skel_encoders._tcn import TCN

if TYPE_CHECKING:
    from skel_encoders._transformer import Transformer, transformer_from_published

__all__ = [
    "AGCN",
    "CTRGCN",
    "GRU",
    "HCN",
    "STGCN",
    "TCN",
    "SCDEncoder",
    "Transformer",
    "adjacency",
    "agcn_from_published",
    "checkpoint_blocks",
    "ctrgcn_from_published",
    "export_encoder",
    "from_pretrained",
    "gru_from_published",
    "hcn_from_published",
    "layer_groups",
    "load_published",
    "save_pretrained",
    "scd_from_published",
    "stgcn_from_published",
    "transformer_from_published",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The names whose module imports timm, when they are first asked for."""
    if name not in ("Transformer", "transformer_from_published"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from skel_encoders import _transformer

    return getattr(_transformer, name)
