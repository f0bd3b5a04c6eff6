"""Registry of readers."""

from typing import TYPE_CHECKING, Any

from skel_data._registry import Registry

if TYPE_CHECKING:
    from skel_data.readers._reader import Reader


def _is_reader(part: Any) -> bool:
    from skel_data.readers._reader import Reader

    return isinstance(part, Reader)


READERS: Registry["Reader"] = Registry(
    "reader",
    {
        "ntu60": "skel_data.readers.datasets._ntu:NTU60",
        "ntu120": "skel_data.readers.datasets._ntu:NTU120",
        "pku-mmd-1": "skel_data.readers.datasets._pku_mmd:PKU_MMD_1",
        "pku-mmd-2": "skel_data.readers.datasets._pku_mmd:PKU_MMD_2",
        "nw-ucla": "skel_data.readers.datasets._nw_ucla:NW_UCLA",
        "utd-mhad": "skel_data.readers.datasets._utd_mhad:UTD_MHAD",
        "utkinect": "skel_data.readers.datasets._utkinect:UTKINECT",
        "sbu": "skel_data.readers.datasets._sbu:SBU",
        "sbu-processed": "skel_data.readers.datasets._sbu:SBU_PROCESSED",
        "hdm05": "skel_data.readers.mocap._hdm05:HDM05",
        "cmu-mocap": "skel_data.readers.mocap._cmu:CMU_MOCAP",
        "bvh": "skel_data.readers.mocap._bvh:BVH",
        "c3d": "skel_data.readers.mocap._c3d:C3D",
        "pyskl": "skel_data.readers.keypoints._pyskl:PYSKL",
        "openpose": "skel_data.readers.keypoints._openpose:OPENPOSE",
        "coco-keypoints": "skel_data.readers.keypoints._coco_keypoints:COCO_KEYPOINTS",
        "mediapipe": "skel_data.readers.keypoints._mediapipe:MEDIAPIPE",
        "agcn": "skel_data.readers.arrays._agcn:AGCN",
        "ctrgcn": "skel_data.readers.arrays._ctrgcn:CTRGCN",
        "kinetics-skeleton": "skel_data.readers.keypoints._kinetics:KINETICS",
        "npy": "skel_data.readers.arrays._folder:NPY",
        "csv": "skel_data.readers.arrays._csv:CSV",
        "jsonl": "skel_data.readers.arrays._jsonl:JSONL",
        "alphapose": "skel_data.readers.keypoints._alphapose:ALPHAPOSE",
        "openpifpaf": "skel_data.readers.keypoints._openpifpaf:OPENPIFPAF",
        "image-json": "skel_data.readers.keypoints._image_json:IMAGE_JSON",
        "coco-annotations": "skel_data.readers.keypoints._coco_annotations:COCO_ANNOTATIONS",
        "yolo": "skel_data.readers.keypoints._yolo:YOLO",
        "deeplabcut": "skel_data.readers.keypoints._deeplabcut:DEEPLABCUT",
        "trc": "skel_data.readers.mocap._trc:TRC",
        "smpl": "skel_data.readers.mocap._smpl:SMPL",
        "mvnx": "skel_data.readers.mocap._mvnx:MVNX",
        "panoptic": "skel_data.readers.mocap._panoptic:PANOPTIC",
        "h36m": "skel_data.readers.mocap._h36m:H36M",
        "msr-daily": "skel_data.readers.datasets._msr_daily:MSR_DAILY",
        "florence-3d": "skel_data.readers.datasets._florence:FLORENCE",
        "kard": "skel_data.readers.datasets._kard:KARD",
        "cad-60": "skel_data.readers.datasets._cad60:CAD60",
        "dhg-14": "skel_data.readers.datasets._hand_gestures:DHG_14",
        "dhg-28": "skel_data.readers.datasets._hand_gestures:DHG_28",
        "shrec17-14": "skel_data.readers.datasets._hand_gestures:SHREC17_14",
        "shrec17-28": "skel_data.readers.datasets._hand_gestures:SHREC17_28",
        "ntu-npy": "skel_data.readers.datasets._ntu_npy:NTU_NPY",
        "npz": "skel_data.readers._npz:NPZ",
    },
    fits=_is_reader,
    expected="an instance of skel_data.Reader",
)
"""Readers by format; installed packages add theirs as entry points of the group ``skel.readers``."""
