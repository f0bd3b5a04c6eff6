"""Encoders of skeleton sequences: clips (N, C, T, V, M) in, features (N, D) out."""

from skel_encoders._graph import adjacency
from skel_encoders._scd import SCDEncoder
from skel_encoders._scd_published import scd_from_published
from skel_encoders._stgcn import STGCN, stgcn_from_published
from skel_encoders._tcn import TCN

__all__ = ["STGCN", "TCN", "SCDEncoder", "adjacency", "scd_from_published", "stgcn_from_published"]
__version__ = "0.1.0"
