"""Registry of readers."""

from typing import TYPE_CHECKING, Any

from skel_data._registry import Registry

if TYPE_CHECKING:
    from skel_data.readers._reader import Reader

_READERS = {
    "datasets._ntu": {"ntu60": "NTU60", "ntu120": "NTU120"},
    "datasets._pku_mmd": {"pku-mmd-1": "PKU_MMD_1", "pku-mmd-2": "PKU_MMD_2"},
    "datasets._nw_ucla": {"nw-ucla": "NW_UCLA"},
    "datasets._utd_mhad": {"utd-mhad": "UTD_MHAD"},
    "datasets._utkinect": {"utkinect": "UTKINECT"},
    "datasets._sbu": {"sbu": "SBU", "sbu-processed": "SBU_PROCESSED"},
    "mocap._hdm05": {"hdm05": "HDM05"},
    "mocap._cmu": {"cmu-mocap": "CMU_MOCAP"},
    "mocap._bvh": {"bvh": "BVH"},
    "mocap._c3d": {"c3d": "C3D"},
    "keypoints._pyskl": {"pyskl": "PYSKL"},
    "keypoints._openpose": {"openpose": "OPENPOSE"},
    "keypoints._coco_keypoints": {"coco-keypoints": "COCO_KEYPOINTS"},
    "keypoints._mediapipe": {"mediapipe": "MEDIAPIPE"},
    "_npz": {"npz": "NPZ"},
}


def _is_reader(part: Any) -> bool:
    from skel_data.readers._reader import Reader

    return isinstance(part, Reader)


READERS: Registry["Reader"] = Registry(
    "reader",
    {
        name: f"skel_data.readers.{module}:{reader}"
        for module, readers in _READERS.items()
        for name, reader in readers.items()
    },
    fits=_is_reader,
    expected="an instance of skel_data.Reader",
)
"""Readers by format; installed packages add theirs as entry points of the group ``skel.readers``."""
