"""``find_format``, and the import with ``auto``."""

import json
import pickle

import numpy as np
import pytest

from skel_data import Source, find_format, import_dataset
from skel_data.readers._find_format import left_out
from skel_data.readers._registry import READERS


def flat(count=17):
    return list(map(float, range(1, 3 * count + 1)))


MARKS = [[1.0, 2.0, 3.0, 0.5]] * 33
PERSON = {"keypoints": [[1, 2]] * 17, "keypoint_scores": [1] * 17}
ANNOTATION = {"frame_dir": "a", "label": 0, "total_frames": 1, "keypoint": np.ones((1, 1, 17, 2))}
BVH = "HIERARCHY\nROOT a\n"
FILES = {
    "ntu60": {"S001C001P001R001A060.skeleton": "1"},
    "ntu120": {"S001C001P001R001A001.skeleton": "1", "S018C001P001R001A061.skeleton": "1"},
    "nw-ucla": {"a01_s02_e03_v01.json": {"skeletons": []}},
    "utd-mhad": {"a1_s1_t1_skeleton.mat": "x"},
    "pku-mmd-1": {"0001-L.txt": "1", "cross-view.txt": "x"},
    "pku-mmd-2": {"A01N01-L.txt": "1"},
    "utkinect": {"joints_s01_e01.txt": "1", "actionLabel.txt": "x"},
    "sbu": {"s01s02/01/001/skeleton_pos.txt": "1"},
    "sbu-processed": {"a.json": {"x": [], "label": []}},
    "msr-daily": {"a01_s01_e01_skeleton.txt": "1 20\n"},
    "kard": {"a01_s01_e01_realworld.txt": "1 2 3\n", "a01_s01_e01_screen.txt": "1 2 3\n"},
    "florence-3d": {"Florence_dataset_WorldCoordinates.txt": "1 1 1\n"},
    "cad-60": {"data1/activityLabel.txt": "0512164529,talking,\n", "data1/0512164529.txt": "1,\nEND"},
    "dhg-14": {"gesture_1/finger_1/subject_1/essai_1/skeleton_world.txt": "1"},
    "shrec17-14": {"gesture_1/finger_1/subject_1/essai_1/skeletons_world.txt": "1", "train_gestures.txt": ""},
    "ntu-npy": {"S001C001P001R001A001.skeleton.npy": np.zeros(2)},
    "hdm05": {"HDM_bd.asf": "x", "HDM_bd_cartwheel_001_120.amc": "x"},
    "cmu-mocap": {"01.asf": "x", "01_01.amc": "x"},
    "bvh": {"a/b.bvh": BVH},
    "c3d": {"a.c3d": "x"},
    "trc": {"a.trc": "PathFileType"},
    "mvnx": {"a.mvnx": "<mvnx/>"},
    "panoptic": {"h/hdPose3d_stage1_coco19/body3DScene_00000001.json": {"bodies": []}},
    "h36m": {"data_3d_h36m.npz": {"positions_3d": np.array({"S1": {}}, dtype=object)}},
    "smpl": {"a/x_poses.npz": {"poses": np.zeros((2, 72)), "trans": np.zeros((2, 3)), "betas": np.zeros(10)}},
    "agcn": {"train_data_joint.npy": np.zeros((1, 3, 2, 25, 1)), "train_label.pkl": (["a"], [0])},
    "ctrgcn": {"NTU60_CS.npz": {"x_train": np.zeros((1, 2, 150)), "y_train": np.eye(60)[:1]}},
    "npz": {"a.npz": {"positions": np.zeros((2, 3, 3)), "lengths": np.array([2])}},
    "npy": {"wave/a.npy": np.zeros((3, 20, 3))},
    "csv": {"a.csv": "frame,nose_x,nose_y\n0,1,2\n"},
    "jsonl": {"a.jsonl": '{"frame": 0, "keypoints": [[1, 2]]}\n'},
    "pyskl": {"a.pkl": {"split": {"train": ["a"]}, "annotations": [ANNOTATION]}},
    "kinetics-skeleton": {
        "kinetics_train/a.json": {"data": [], "label": "x", "label_index": 0},
        "kinetics_train_label.json": {"a": {"label": "x"}},
    },
    "openpose": {"a/b_000000000001_keypoints.json": {"people": []}},
    "coco-keypoints": {"a.json": [{"frame_id": 0, "instances": [PERSON]}]},
    "alphapose": {"a.json": [{"image_id": "1.jpg", "keypoints": flat(), "idx": 1}]},
    "image-json": {"a/000001.json": [PERSON]},
    "coco-annotations": {"a.json": {"images": [], "annotations": [], "categories": []}},
    "openpifpaf": {"a.json": [{"frame": 1, "predictions": []}]},
    "mediapipe": {"a.json": [[MARKS], None]},
    "yolo": {"labels/a_1.txt": "0 0.5 0.5 0.2 0.2 " + " ".join(["0.5"] * 51)},
    "deeplabcut": {"a.csv": "scorer,n,n,n\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2,3\n"},
}
MORE = {
    "annotations by name": ("pyskl", {"a.pkl": {"a": ANNOTATION, "b": ANNOTATION}}),
    "padded arrays": (
        "npz",
        {"a.npz": {"positions": np.ones((2, 5, 17, 3)), "labels": [0, 1]}},
    ),
    "one bad person": ("mediapipe", {"a.json": [[{"landmark": 3}], [[[0.1, 0.2, 0.3]] * 33]]}),
    "tracker of AlphaPose": ("alphapose", {"a.json": {"1.jpg": [{"keypoints": flat(), "idx": 1}]}}),
    "cmu of AlphaPose": ("alphapose", {"a.json": {"1.jpg": {"bodies": [{"joints": flat(18)}]}}}),
    "COCO results": ("coco-keypoints", {"a.json": [{"image_id": 1, "keypoints": flat(), "score": 1}]}),
    "MMPose with its meta": ("coco-keypoints", {"a.json": {"meta_info": {}, "instance_info": []}}),
    "lines of openpifpaf": (
        "openpifpaf",
        {"a.json": '{"frame": 1, "predictions": []}\n{"frame": 2, "predictions": []}'},
    ),
    "images of openpifpaf": ("image-json", {"1.jpg.predictions.json": [{"keypoints": flat(), "score": 1}]}),
    "images that have no scores": ("image-json", {"1.jpg.predictions.json": [{"keypoints": flat()}]}),
    "shapes of AMASS before its motions": (
        "smpl",
        {"01/shape.npz": {"betas": np.zeros(10)}, "01/walk_poses.npz": FILES["smpl"]["a/x_poses.npz"]},
    ),
    "list of annotations": ("pyskl", {"a.pickle": [ANNOTATION]}),
    "arrays of one file each": ("ctrgcn", {"x_train.pkl": [[1]], "y_train.pkl": [1]}),
    "MediaPipe by number": ("mediapipe", {"a.json": {"0": MARKS, "1": MARKS}}),
    "MediaPipe as a table": ("csv", {"a.csv": ",".join(f"{a}{j}" for j in range(33) for a in "xyzv") + "\n"}),
    "an array in an npz a clip": ("npy", {"wave/a.npz": {"joints": np.zeros((3, 20, 3))}}),
}
NONE = {
    "a video": ({"a.mp4": "x"}, "1 .mp4; the first, a.mp4, is a video: estimate the poses"),
    "images": ({"0.png": "x", "1.png": "x"}, "2 .png; the first, 0.png, is an image: estimate the poses"),
    "an image as an array": ({"a.npy": np.zeros((8, 8, 3), np.uint8)}, "is an array of uint8 (8, 8, 3)"),
    "an empty file": ({"a": ""}, "there is 1 file without suffix; the first, a, is empty"),
    "frames without anybody": ({"a.json": [None, None]}, "is a list of 2 nulls"),
    "text as JSON": ({"a.json": '"x"'}, "is a str"),
    "an empty list": ({"a.json": []}, "is an empty list"),
    "a MATLAB file": ({"a.mat": b"MATLAB 5.0 MAT-file\0"}, "is a MATLAB file: save its joints"),
    "weights of PyTorch": ({"a.pt": b"PK\x03\x04"}, "a file of a program that writes one, such as PyTorch"),
    "a PDF": ({"a.pdf": b"%PDF-1.7\n"}, "is a PDF"),
    "a table of no joints": ({"a.csv": "age,weight\n1,2\n"}, "begins 'age,weight'"),
    "another JSON": ({"a.json": {"hello": 1, "you": 2}}, "is an object with the keys hello, you"),
    "a list of other things": ({"a.json": [{"hello": 1}]}, "is a list of 1 objects with the keys hello"),
    "broken JSON": ({"a.json": "{"}, "there is 1 .json; the first, a.json, is not JSON"),
    "labels alone": ({"kinetics_val_label.json": {}}, "has labels of Kinetics-skeleton and no recording"),
    "another pickle": ({"a.pkl": {"w": 1}}, "is a pickle of a dict with the keys w"),
    "a pickle of code": ({"a.pkl": print}, "is no pickle of plain data"),
    "an archive of numbers": ({"a.npz": {"loss": np.array(1.0)}}, "has arrays loss ()"),
    "text": ({"readme.txt": "hello\n", "a.txt": "x\n"}, "2 .txt; the first, a.txt, begins 'x'"),
    "nothing": ({}, "there is no file"),
    "bytes": ({"a.bin": b"\x00\x01"}, "begins with bytes that are no text"),
    "HDF5": ({"a.h5": b"\x89HDF\x00"}, "is HDF5: save its joints"),
}


def write(folder, files):
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npz":
            np.savez(path, **content)
        elif path.suffix == ".npy":
            np.save(path, content)
        elif path.suffix in (".pkl", ".pickle"):
            path.write_bytes(pickle.dumps(content))
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_every_format_has_an_example_here():
    # Sets of 28 classes have the files of those of 14
    assert set(FILES) == set(READERS) - {"dhg-28", "shrec17-28"}


@pytest.mark.parametrize("name", FILES)
def test_formats_are_found(tmp_path, name):
    assert find_format(Source(write(tmp_path / "d", FILES[name]))) == name


@pytest.mark.parametrize("name", MORE)
def test_their_other_forms_are_found(tmp_path, name):
    expected, files = MORE[name]
    assert find_format(Source(write(tmp_path / "d", files))) == expected


@pytest.mark.parametrize("name", NONE)
def test_what_is_none_is_described(tmp_path, name):
    files, words = NONE[name]
    with pytest.raises(ValueError, match="no format fits what it looks like") as raised:
        find_format(Source(write(tmp_path / "d", files)))
    assert words in str(raised.value)


def test_an_array_beside_its_labels(tmp_path):
    source = write(tmp_path / "d", FILES["agcn"]) / "train_data_joint.npy"
    assert find_format(Source(source)) == "agcn"


def test_import(tmp_path):
    source = write(tmp_path / "d", {"a.json": [[MARKS], [MARKS]]})
    store = import_dataset("auto", source, tmp_path / "a.store")
    assert store.layout.name == "mediapipe-33"
    with pytest.raises(ValueError, match="no format fits"):
        import_dataset("auto", write(tmp_path / "e", {"a.mp4": "x"}), tmp_path / "b.store")


def test_large_arrays_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("skel_data.readers.arrays._numpy.MAX_BYTES", 1000)
    monkeypatch.setattr("skel_data.readers._look.MAX_BYTES", 1000)
    large = {"x_train": np.zeros((9, 20, 150)), "y_train": np.zeros(9)}
    assert find_format(Source(write(tmp_path / "a", {"a.npz": large}))) == "ctrgcn"
    assert find_format(Source(write(tmp_path / "b", {"a.npy": np.zeros((90, 25, 3))}))) == "npy"


def test_what_is_not_read_of_a_mixed_folder_is_told(tmp_path):
    walk = (
        "HIERARCHY\nROOT a\n{\nOFFSET 0 1 0\nCHANNELS 3 Xposition Yposition Zposition\n}\n"
        "MOTION\nFrames: 1\nFrame Time: 0.1\n1 2 3\n"
    )
    others = {"one.c3d": "x", "two.C3D": "x", "c.json": {}, "facts.csv": "a,b", "notes.txt": "x"}
    mixed = {"walk.bvh": walk, **others}
    store = import_dataset("auto", write(tmp_path / "d", mixed), tmp_path / "a.store")
    assert store.info.notes == ("found to be bvh; not read: 2 .c3d, 1 .json; import them by themselves",)
    for name, alone in (("bvh", FILES["bvh"]), ("npy", FILES["npy"])):
        assert left_out(Source(write(tmp_path / f"alone-{name}", alone)), READERS[name].suffix) == ""
