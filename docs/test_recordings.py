"""The rows of "bring your recordings": each command runs on a source that is written here."""

import csv
import json
import pickle
import re
import shlex
import struct
from pathlib import Path

import numpy as np
import pytest

from skel_data import READERS, Store
from skel_recipes.cli import main

PAGE = Path(__file__).with_name("recordings.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(skel data import .+?)` \| (\S+) \|$", PAGE, re.MULTILINE)
RNG = np.random.default_rng(0)
TOML = {
    "arm.toml": 'name = "arm"\njoints = ["SpineBase", "Neck"]\nbones = [["Neck", "SpineBase"]]\n',
    "leg.toml": 'name = "leg"\njoints = ["hip", "knee"]\nbones = [["knee", "hip"]]\n',
    "mouse.toml": 'name = "mouse"\ndims = 2\njoints = ["snout", "tail"]\nbones = [["tail", "snout"]]\n',
}
BVH = """HIERARCHY
ROOT Hips
{
OFFSET 0 0 0
CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
JOINT Spine
{
OFFSET 0 10 0
CHANNELS 3 Zrotation Xrotation Yrotation
End Site
{
OFFSET 0 5 0
}
}
}
MOTION
Frames: 2
Frame Time: 0.0333
0 0 0 0 0 0 0 0 0
0 90 0 10 0 0 5 0 0
"""


def numbers(*shape):
    return RNG.uniform(0.1, 1, shape).round(3)


def flat(joints):
    return numbers(3 * joints).tolist()


def marks(count=33):
    return [dict(zip("xyz", mark, strict=True), visibility=0.9) for mark in numbers(count, 3).tolist()]


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)


def table(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def instance():
    return {"keypoints": numbers(17, 2).tolist(), "keypoint_scores": numbers(17).tolist()}


def ntu(path):
    lines = ["2"]
    for _ in range(2):
        lines += ["1", "72057594037931101 0 1 1 1 1 0 0 0 2", "25"]
        lines += [" ".join(map(str, [*row, *[0] * 9])) for row in numbers(25, 3).tolist()]
    dump(path / "S001C001P001R001A001.skeleton", "\n".join(lines))


def ntu_npy(path):
    content = {
        "file_name": "S001C001P001R001A001",
        "nbodys": [1, 1],
        "njoints": 25,
        "skel_body0": numbers(2, 25, 3),
    }
    save(path / "S001C001P001R001A001.skeleton.npy", content)


def agcn(path):
    for part in ("train", "val"):
        save(path / f"{part}_data_joint.npy", numbers(2, 3, 20, 25, 2))
        labels = (["S001C001P001R001A001", "S001C001P003R001A002"], [0, 1])
        (path / f"{part}_label.pkl").write_bytes(pickle.dumps(labels))


def ctrgcn(path):
    x, y = numbers(4, 20, 150), np.eye(60)[:4]
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)


def pyskl(path):
    annotations = [
        {
            "frame_dir": name,
            "label": 0,
            "total_frames": 5,
            "keypoint": numbers(1, 5, 17, 2),
            "keypoint_score": numbers(1, 5, 17),
        }
        for name in ("a", "b")
    ]
    path.write_bytes(pickle.dumps({"split": {"train": ["a"], "test": ["b"]}, "annotations": annotations}))


def kinetics(path):
    for part in ("train", "val"):
        person = {"pose": flat(12), "score": numbers(18).tolist()}
        data = [{"frame_index": 1, "skeleton": [person]}, {"frame_index": 2, "skeleton": []}]
        dump(path / f"kinetics_{part}" / f"{part}.json", {"data": data, "label": "jump", "label_index": 0})


def own(path):
    np.savez(path, positions=numbers(10, 20, 3), lengths=np.array([4, 6]), labels=np.array([0, 1]))


def long_table(path):
    rows = [[t, joint, 1, 2, 3] for t in range(4) for joint in ("SpineBase", "Neck")]
    table(path, ["frame", "joint", "x", "y", "z"], rows)


def wide_table(path):
    header = ["frame", *(f"{joint}_{axis}" for joint in ("SpineBase", "Neck") for axis in "XYZ")]
    table(path / "wave" / "a.csv", header, [[t, *numbers(6)] for t in range(4)])


def mediapipe_table(path):
    header = ["frame", "label", *(f"{axis}{joint}" for joint in range(33) for axis in "xyzv")]
    table(path, header, [[t, "squat", *numbers(132)] for t in range(4)])


def frames_of_openpose(path, name, joints):
    for t in range(3):
        dump(path / name.format(t), {"people": [{"pose_keypoints_2d": flat(joints)}]})


def mouse(path):
    header = [["scorer", *["net"] * 6], ["bodyparts", *["snout"] * 3, *["tail"] * 3]]
    rows = [*header[1:], ["coords", *["x", "y", "likelihood"] * 2], [0, *numbers(6)], [1, *numbers(6)]]
    table(path / "a.csv", header[0], rows)


def trc(path):
    lines = ["PathFileType\t4\t(X/Y/Z)\ta.trc", "DataRate\tUnits", "60\tm"]
    lines += ["Frame#\tTime\tHip\t\t\tKnee\t\t", "\t\tX1\tY1\tZ1\tX2\tY2\tZ2", ""]
    lines += ["\t".join(map(str, [t + 1, t / 60, *numbers(6)])) for t in range(3)]
    dump(path / "a.trc", "\n".join(lines))


def c3d(path):
    def parameter(name, dims, kind, content):
        body = bytes([kind & 255, len(dims), *dims]) + content + b"\0"
        return bytes([len(name), 1]) + name + struct.pack("<h", len(body) + 2) + body

    text = bytes([1, 0x50, 2, 84, 5, 255]) + b"POINT" + struct.pack("<hb", 3, 0)
    text += parameter(b"LABELS", [4, 2], -1, b"hip knee")
    text += parameter(b"UNITS", [1], -1, b"m") + parameter(b"SCALE", [], 4, struct.pack("<f", -1))
    text += parameter(b"USED", [], 2, struct.pack("<H", 2)) + parameter(
        b"DATA_START", [], 2, struct.pack("<H", 4)
    )
    text += parameter(b"FRAMES", [], 2, struct.pack("<H", 3))
    head = struct.pack("<6Hf2H", 0x5002, 2, 0, 1, 3, 0, -1, 4, 1).ljust(512, b"\0")
    values = np.concatenate([numbers(3, 2, 3), np.zeros((3, 2, 1))], 2).astype("<f4")
    path.mkdir()
    (path / "a.c3d").write_bytes(head + text.ljust(1024, b"\0") + values.tobytes())


def smpl(path):
    (path / "01").mkdir(parents=True)
    np.savez(path / "01" / "a_poses.npz", poses=numbers(3, 156), trans=numbers(3, 3), mocap_framerate=120.0)


def mvnx(path):
    segments = "".join(f'<segment label="{label}"/>' for label in XSENS)
    frames = "".join(
        f'<frame type="normal"><position>{" ".join(map(str, numbers(69)))}</position></frame>'
        for _ in range(2)
    )
    dump(
        path / "a.mvnx",
        f"<mvnx><subject><segments>{segments}</segments><frames>{frames}</frames></subject></mvnx>",
    )


XSENS = [
    "Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head", "RightShoulder", "RightUpperArm",
    "RightForeArm", "RightHand", "LeftShoulder", "LeftUpperArm", "LeftForeArm", "LeftHand",
    "RightUpperLeg", "RightLowerLeg", "RightFoot", "RightToe", "LeftUpperLeg", "LeftLowerLeg",
    "LeftFoot", "LeftToe",
]  # fmt: skip


def panoptic(path):
    folder = path / "hdPose3d_stage1_coco19"
    for t in range(2):
        dump(folder / f"body3DScene_{t:08}.json", {"bodies": [{"id": 0, "joints19": numbers(76).tolist()}]})


def h36m(path):
    subjects = {name: {"Walking 1": numbers(4, 32, 3)} for name in ("S1", "S9")}
    np.savez(path, positions_3d=np.array(subjects, dtype=object))


def annotations(path):
    images = [{"id": t, "file_name": f"a/{t}.jpg"} for t in range(3)]
    people = [{"image_id": t, "keypoints": flat(17), "track_id": 0} for t in range(3)]
    dump(path, {"images": images, "annotations": people})


def yolo(path):
    for t in range(1, 3):
        dump(path / f"clip_{t}.txt", "0 0.5 0.5 0.2 0.6 " + " ".join(map(str, flat(17))))


def alphapose(path):
    dump(path, [{"image_id": f"{t}.jpg", "keypoints": flat(17), "idx": 1} for t in range(3)])


SOURCES = {
    "nturgb+d_skeletons/": ntu,
    "raw_npy/": ntu_npy,
    "xsub/": agcn,
    "NTU60_CS.npz": ctrgcn,
    "ntu60_hrnet.pkl": pyskl,
    "kinetics-skeleton/": kinetics,
    "poses.npz": own,
    "clips/": lambda path: [save(path / c / "a.npy", numbers(5, 20, 3)) for c in ("clap", "wave")],
    "frames/": lambda path: [save(path / "a" / f"{t:04}.npy", numbers(25, 3)) for t in range(4)],
    "tables/": wide_table,
    "joints.csv": long_table,
    "poses.jsonl": lambda path: dump(path, json.dumps({"frame": 0, "keypoints": numbers(17, 3).tolist()})),
    "landmarks/": lambda path: dump(path / "a.json", [{"frame": 0, "landmarks": marks()}]),
    "squats.csv": mediapipe_table,
    "hands/": lambda path: dump(path / "a.json", [[marks(21), marks(21)]]),
    "openpose/": lambda path: frames_of_openpose(path, "a_{:012}_keypoints.json", 25),
    "pose/": lambda path: frames_of_openpose(path, "cam1_{:06}.json", 26),
    "predictions/": lambda path: dump(
        path / "a.json", {"instance_info": [{"frame_id": 1, "instances": [instance()]}]}
    ),
    "images/": lambda path: [dump(path / f"{t:06}.json", [instance()]) for t in range(3)],
    "alphapose-results.json": alphapose,
    "person_keypoints.json": annotations,
    "runs/pose/predict/labels/": yolo,
    "pifpaf/": lambda path: dump(path / "a.json", [{"frame": 1, "predictions": [{"keypoints": flat(17)}]}]),
    "videos/": mouse,
    "bvh/": lambda path: dump(path / "walk.bvh", BVH),
    "trials/": trc,
    "AMASS/CMU/": smpl,
    "mvnx/": mvnx,
    "161029_sports1/": panoptic,
    "data_3d_h36m.npz": h36m,
}


def test_there_are_rows_enough():
    assert len(ROWS) >= 25
    assert {shlex.split(command)[4] for _, command, _ in ROWS} == set(SOURCES)


def test_every_format_is_on_the_pages():
    sets = Path(__file__).with_name("data-sets.md").read_text(encoding="utf-8")
    commands = {shlex.split(command)[3] for _, command, _ in ROWS}
    assert {name for name in READERS if name not in commands and f"`{name}`" not in sets} == set()


@pytest.mark.parametrize(("have", "command", "joints"), ROWS, ids=[row[0] for row in ROWS])
def test_row(tmp_path, monkeypatch, capsys, have, command, joints):
    monkeypatch.chdir(tmp_path)
    for name, text in TOML.items():
        dump(tmp_path / name, text)
    words = shlex.split(command)
    write = c3d if words[3] == "c3d" else SOURCES[words[4]]
    write(Path(words[4]))
    assert main([*words[1:], "--workers", "1"]) == 0, capsys.readouterr().err
    store = Store.open("my.store")
    assert store.layout.name == joints, have
    assert not store.bad_files
    assert np.isfinite(store.clip(0)).any()
