"""Make the golden clips of the pipeline ctrgcn in this folder, with the published program.

Run ``python make.py FOLDER``, where FOLDER is ``data/ntu`` of a checkout of github.com/Uason-Chen/CTR-GCN
(made with commit e13d758). The recordings are made up here: each shows one thing that the program does with
several bodies. They are written as NTU RGB+D text, go through the program's three steps (bodies of a
file, denoising, translation), and are kept beside what comes out.

``config`` is JSON, ``in.x`` (T, M, V, C) and ``in.tracks`` (T, M) go in, ``out.x`` (C, T, V, M) comes out.
Coordinates are whole numbers of 1/1024 m, so that the results are exact and the files small.
"""

import importlib.util
import json
import logging
import os
import pickle
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

from skel_data import write_ntu_skeleton

HERE = Path(__file__).parent
UNIT = 1024
FRAMES = 20
ALL = range(FRAMES)


def body(frames, *, at=0, swing=20, width=150, wide_in=()):
    """Frames a body is seen in, and its joints in each (25, 3): it swings, and may spread its arms."""
    rng = np.random.default_rng(at + 7)
    shape = np.stack(
        [rng.integers(-width, width, 25), np.linspace(-500, 500, 25), rng.integers(-80, 80, 25)], 1
    )
    joints = {}
    for t in frames:
        way = np.array([at * 300 + swing * (t % 5), 2 * swing * (t % 3), 2500 + 10 * t])
        joints[t] = (shape * [12 if t in wide_in else 1, 1, 1] + way).round().astype(np.int64)
    return joints


CASES = {
    "one": [body([2, 3, 4, 9, 10, 11, 15])],
    "active-first": [body(ALL), body(ALL, at=1, swing=60)],
    "late": [body(ALL, swing=60), body(range(4, FRAMES), at=1)],
    "found-again": [body(range(12), swing=60), body(ALL, at=1, swing=30), body(range(12, FRAMES + 4), at=2)],
    "short": [body(range(11), swing=90), body(ALL, at=1)],
    "wide": [body(ALL, swing=90, wide_in=range(14)), body(ALL, at=1), body(ALL, at=2, swing=30)],
    "wide-sometimes": [body(ALL, swing=30, wide_in=range(13)), body(ALL, at=1, swing=50)],
    "all-wide": [body(ALL, swing=90, wide_in=ALL), body(ALL, at=1, wide_in=ALL)],
    "gap-closed": [body([*range(5), *range(9, FRAMES)], swing=60), body(ALL, at=1)],
    "nobody-between": [body([*range(5), *range(9, 24)], swing=60), body(range(12, 24), at=1)],
    "third": [body(ALL), body(ALL, at=1, swing=40), body(ALL, at=2, swing=60)],
    "nobody-left": [body([0, 1]), body(range(5, FRAMES), at=1)],
}


def recording(bodies):
    """Coordinates (T, M, 25, 3), in units, and ids (T, M): each frame fills its slots from the first on."""
    length = 1 + max(max(one) for one in bodies)
    x, tracks = np.zeros((length, len(bodies), 25, 3), np.int64), np.zeros((length, len(bodies)), np.int64)
    for t in range(length):
        seen = [number for number, one in enumerate(bodies) if t in one]
        for slot, number in enumerate(seen):
            x[t, slot], tracks[t, slot] = bodies[number][t], 72057594000000900 - number
    return x, tracks


def published(program, names, folder):
    """What the program makes of these files: (T, 2 bodies, 25, 3) by name."""
    setattr(np, "int", int)  # noqa: B010 - the program uses it, and numpy has dropped it since
    for name in ("h5py", "sklearn", "sklearn.model_selection"):  # imported, but of no use here
        sys.modules[name] = types.ModuleType(name)
    sys.modules["sklearn.model_selection"].train_test_split = None
    steps = {}
    for name in ("get_raw_skes_data", "get_raw_denoised_data", "seq_transformation"):
        spec = importlib.util.spec_from_file_location(name, program / f"{name}.py")
        steps[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(steps[name])
    log = logging.getLogger("frames dropped")
    bodies = [steps["get_raw_skes_data"].get_raw_bodies_data(str(folder), name, {}, log) for name in names]
    Path("raw_data").mkdir()
    Path("raw_data/raw_skes_data.pkl").write_bytes(pickle.dumps(bodies))
    steps["get_raw_denoised_data"].get_raw_denoised_data()
    joints = pickle.loads(Path("denoised_data/raw_denoised_joints.pkl").read_bytes())  # noqa: S301
    joints = steps["seq_transformation"].seq_translation(joints)
    return {name: clip.reshape(len(clip), -1, 25, 3) for name, clip in zip(names, joints, strict=True)}


def main():
    program = Path(sys.argv[1]).resolve()
    recordings = {case: recording(bodies) for case, bodies in CASES.items()}
    names = {case: f"S001C001P001R{number:03d}A001" for number, case in enumerate(CASES, 1)}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the program writes to where it is run
        for case, (x, tracks) in recordings.items():
            write_ntu_skeleton(f"{names[case]}.skeleton", x / UNIT, tracks)
        clips = published(program, list(names.values()), Path(folder))
        os.chdir(HERE)
    for case, (x, tracks) in recordings.items():
        out = (clips[names[case]] * UNIT).transpose(3, 0, 2, 1)
        config = {"kind": "preprocess", "pipeline": "ctrgcn", "unit": UNIT, "source": "CTR-GCN"}
        small = {"in.x": x.astype(np.int16), "in.tracks": tracks, "out.x": out.round().astype(np.int16)}
        if (small["in.x"] != x).any() or (small["out.x"] != out).any():
            raise ValueError(f"{case}: coordinates are not whole numbers of the unit")
        np.savez_compressed(HERE / f"ctrgcn.{case}.npz", config=json.dumps(config), **small)


if __name__ == "__main__":
    main()
