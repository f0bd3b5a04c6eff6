"""Readers: one file for each format."""

from skel_data.readers._bvh import BVH
from skel_data.readers._c3d import C3D
from skel_data.readers._cmu import CMU_MOCAP
from skel_data.readers._coco_keypoints import COCO_KEYPOINTS
from skel_data.readers._hdm05 import HDM05
from skel_data.readers._mediapipe import MEDIAPIPE
from skel_data.readers._npz import NPZ
from skel_data.readers._ntu import NTU60, NTU120
from skel_data.readers._nw_ucla import NW_UCLA
from skel_data.readers._openpose import OPENPOSE
from skel_data.readers._pku_mmd import PKU_MMD_1, PKU_MMD_2
from skel_data.readers._pyskl import PYSKL
from skel_data.readers._reader import Facts, Reader, Work, find_each
from skel_data.readers._sbu import SBU, SBU_PROCESSED
from skel_data.readers._utd_mhad import UTD_MHAD
from skel_data.readers._utkinect import UTKINECT

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        *(NTU60, NTU120, PKU_MMD_1, PKU_MMD_2, NW_UCLA, UTD_MHAD, UTKINECT, SBU, SBU_PROCESSED),
        *(HDM05, CMU_MOCAP, BVH, C3D),
        *(PYSKL, OPENPOSE, COCO_KEYPOINTS, MEDIAPIPE, NPZ),
    )
}
"""Readers by the name of their format."""

__all__ = ["READERS", "Facts", "Reader", "Work", "find_each"]
