"""Readers: one file for each format."""

from skel_data.readers._npz import NPZ
from skel_data.readers._ntu import NTU60
from skel_data.readers._nw_ucla import NW_UCLA
from skel_data.readers._reader import Facts, Reader, Work, find_each
from skel_data.readers._utd_mhad import UTD_MHAD

READERS: dict[str, Reader] = {reader.name: reader for reader in (UTD_MHAD, NW_UCLA, NTU60, NPZ)}
"""Readers by the name of their format."""

__all__ = ["READERS", "Facts", "Reader", "Work", "find_each"]
