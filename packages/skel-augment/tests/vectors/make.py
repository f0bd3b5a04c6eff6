"""Make the small golden vectors in this folder, in plain loops that share nothing with the package.

Run ``python make.py``. Same form as the larger set in $SKEL_VECTORS: ``config`` is JSON, ``in.*`` go in,
``out.*`` come out. Clips are (C, T, V, M).
"""

import json
import math
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
# NTU RGB+D, 0-based: the joints that change places when left and right are exchanged
PAIRS = [(4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)]
# its bones, 0-based
BONES = [
    *[(0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6), (8, 20), (9, 8), (10, 9), (11, 10)],
    *[(12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18)],
    *[(21, 22), (22, 7), (23, 24), (24, 11)],
]


def save(name, config, x, y, **more):
    config = {"kind": "augment", **config}
    inputs = {f"in.{key}": np.asarray(value) for key, value in more.items()}
    np.savez_compressed(
        HERE / f"{name}.npz", config=json.dumps(config), **{"in.x": x}, **inputs, **{"out.y": y}
    )


def crop(x, start, padding):
    last = x.shape[1] - 1
    y = np.empty_like(x)
    for t in range(last + 1):
        frame = start + t - padding
        if frame < 0:
            frame = -frame - 1
        elif frame > last:
            frame = last - (frame - last - 1)
        y[:, t] = x[:, frame]
    return y


def linear(x, matrix):
    y = np.zeros_like(x)
    for row in range(3):
        for column in range(3):
            y[row] += matrix[row][column] * x[column]
    return y


def rotate(x, degrees):
    y = x.copy()
    for axis, angle in enumerate(degrees):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        a, b = y[first].copy(), y[second].copy()
        y[first], y[second] = cos * a + sin * b, cos * b - sin * a
    return y


def blur(x, kernel, sigma, normalised):
    y = np.zeros_like(x)
    for t in range(x.shape[1]):
        total = 0.0
        for s in range(x.shape[1]):
            if abs(t - s) <= kernel // 2:
                weight = math.exp(-((t - s) ** 2) / (2 * sigma**2))
                y[:, t] += weight * x[:, s]
                total += weight
        if normalised:
            y[:, t] /= total
    return y


def resize(x, start, length, frames):
    y = np.empty((x.shape[0], frames, *x.shape[2:]))
    for t in range(frames):
        place = min(max((t + 0.5) * length / frames - 0.5, 0.0), length - 1.0)
        low = int(place)
        high = min(low + 1, length - 1)
        part = place - low
        y[:, t] = (1 - part) * x[:, start + low] + part * x[:, start + high]
    return y


def structural(x, seeds, count):
    near = [{j} for j in range(25)]
    for child, parent in BONES:
        near[child].add(parent)
        near[parent].add(child)
    scores = [sum(len(near[seed] & near[joint]) for seed in seeds) for joint in range(25)]
    y = x.copy()
    for joint in sorted(range(25), key=lambda joint: -scores[joint])[:count]:
        y[:, :, joint] = 0
    return y


def segmented(x, segments, masked):
    y = x.copy()
    for t in range(x.shape[1]):
        if t * segments // x.shape[1] in masked:
            y[:, t] = 0
    return y


def main():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, 25, 2))

    for start in (0, 3, 4):
        config = {"op": "temporal_crop", "padding_ratio": 2, "start": start}
        save(f"temporal_crop.{start}", config, x, crop(x, start, 2))

    a, b, c, d, e, f = factors = rng.uniform(-0.5, 0.5, 6)
    save("shear", {"op": "shear"}, x, linear(x, [[1, a, d], [b, 1, e], [c, f, 1]]), factors=factors)

    for axis in range(3):
        angles = rng.uniform(0, 1, 3)
        angles[axis] *= 30
        save(f"rotate.{axis}", {"op": "rotate", "main_axis": axis}, x, rotate(x, angles), angles=angles)
        masked = x.copy()
        masked[axis] = 0
        save(f"axis_mask.{axis}", {"op": "axis_mask", "axis": axis}, x, masked)

    flipped = x.copy()
    for left, right in PAIRS:
        flipped[:, :, left], flipped[:, :, right] = x[:, :, right], x[:, :, left]
    save("spatial_flip", {"op": "spatial_flip"}, x, flipped)
    save("time_flip", {"op": "time_flip"}, x, np.stack([x[:, 4 - t] for t in range(5)], 1))

    for kernel, sigma, normalised in ((15, 0.4, False), (5, 1.7, False), (5, 1.7, True)):
        config = {"op": "gaussian_blur", "kernel": kernel, "sigma": sigma, "normalised": normalised}
        save(f"gaussian_blur.{kernel}.{normalised}", config, x, blur(x, kernel, sigma, normalised))

    for start, length, frames in ((1, 4, 5), (2, 3, 8), (0, 5, 3)):
        config = {
            "op": "temporal_crop_resize",
            "start": start,
            "crop_length": length,
            "output_frames": frames,
        }
        save(f"temporal_crop_resize.{length}.{frames}", config, x, resize(x, start, length, frames))

    for seeds in ((20, 3, 19, 0, 0), (22, 6, 12)):
        config = {"op": "structural_spatial_mask", "joints": 8}
        save(f"structural_spatial_mask.{len(seeds)}", config, x, structural(x, seeds, 8), seeds=seeds)
    for segments, masked in ((5, (3, 1)), (3, (1,)), (16, (0, 6, 9, 15))):
        config = {"op": "temporal_segment_mask", "segments": segments}
        save(f"temporal_segment_mask.{segments}", config, x, segmented(x, segments, masked), segments=masked)


if __name__ == "__main__":
    main()
