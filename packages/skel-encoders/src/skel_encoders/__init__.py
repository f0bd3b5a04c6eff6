"""Encoders of skeleton sequences: clips (N, C, T, V, M) in, features (N, D) out."""

from skel_encoders._graph import adjacency
from skel_encoders._stgcn import STGCN, stgcn_from_published
from skel_encoders._tcn import TCN

__all__ = ["STGCN", "TCN", "adjacency", "stgcn_from_published"]
__version__ = "0.1.0"
