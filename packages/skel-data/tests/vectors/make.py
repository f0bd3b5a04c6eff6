"""Regenerates the small vectors of this folder with loops that spell the definitions out.

Run it in this folder: ``python make.py``.
"""

import json
from pathlib import Path

import numpy as np

PARENTS = {
    "coco-17": [0, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14],
    "utd-20": [1, 1, 1, 2, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18],
}


def make(layout: str, channels: int, confidence: bool) -> None:
    """Write the streams of a few random clips."""
    joint = np.random.default_rng(7).normal(size=(2, channels, 4, len(PARENTS[layout]), 2)).astype(np.float32)
    motion, bone = np.zeros_like(joint), np.zeros_like(joint)
    for n, c, t, v, m in np.ndindex(joint.shape):
        if confidence and c == channels - 1:
            motion[n, c, t, v, m] = bone[n, c, t, v, m] = joint[n, c, t, v, m]
            continue
        if t + 1 < joint.shape[2]:
            motion[n, c, t, v, m] = joint[n, c, t + 1, v, m] - joint[n, c, t, v, m]
        bone[n, c, t, v, m] = joint[n, c, t, v, m] - joint[n, c, t, PARENTS[layout][v], m]
    config = json.dumps({"kind": "streams", "layout": layout})
    path = Path(__file__).with_name(f"streams.{layout}.npz")
    np.savez(path, config=config, **{"in.joint": joint, "out.motion": motion, "out.bone": bone})


if __name__ == "__main__":
    make("utd-20", 3, False)
    make("coco-17", 3, True)
