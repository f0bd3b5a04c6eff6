"""Encoders of skeleton sequences: clips (N, C, T, V, M) in, features (N, D) out."""

from skel_encoders._graph import adjacency
from skel_encoders._stgcn import STGCN, stgcn_from_published

__all__ = ["STGCN", "adjacency", "stgcn_from_published"]
__version__ = "0.1.0"
