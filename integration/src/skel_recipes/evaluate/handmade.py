"""Hand-made features of clips: coordinates, and distances between joints."""

import numpy as np
from numpy.typing import NDArray

from skel_data import SkeletonLayout

Floats = NDArray[np.float32]
LARGEST = 2**27
"""Numbers of a hand-made feature set, of all clips together: 512 MiB."""
_FRAMES, _BLOCK = 8, 2**24


def handmade_features(name: str, clips: Floats, layout: SkeletonLayout, width: int) -> Floats:
    """Coordinates, or distances between joints, in each frame of a clip: features without any learning.

    Distances are those between any two joints of all bodies, in the coordinates of the layout without its
    confidence; those of a body that is absent from a frame (all zeros) are 0.

    Features of more than `width` numbers are thinned. Both keep evenly spaced frames. Distances keep 8 frames
    at least, and then evenly spaced pairs of joints.

    Args:
        name: "coordinates" or "distances".
        clips: (N, C, T, V, M).
        layout: The joints.
        width: Largest D; the coordinates of one frame are kept in any case.

    Returns:
        (N, D).

    Raises:
        ValueError: If there are no such features.
    """
    if name == "coordinates":
        count, frames = len(clips), clips.shape[2]
        kept = _spaced(frames, width * frames // clips[0].size)
        chosen = clips if len(kept) == frames else clips[:, :, kept]
        return chosen.reshape(count, -1)
    if name == "distances":
        return _distances(clips, layout.dims, width)
    raise ValueError(f"no hand-made features {name!r}; there are coordinates, distances")


def _distances(clips: Floats, dims: int, width: int) -> Floats:
    count, _, frames, joints, bodies = clips.shape
    first, second = np.triu_indices(joints * bodies, 1)
    kept = _spaced(frames, max(min(frames, _FRAMES), width // max(1, len(first))))
    pairs = _spaced(len(first), width // len(kept))
    first, second = first[pairs], second[pairs]
    found = np.empty((count, len(kept), len(pairs)), np.float32)
    step = max(1, _BLOCK // max(1, len(kept) * len(pairs) * dims))
    for start in range(0, count, step):
        some = clips[start : start + step, :dims][:, :, kept]
        present = (some != 0).any((1, 3))  # (N, T, M)
        points = some.transpose(1, 0, 2, 3, 4).reshape(dims, len(some), len(kept), -1)
        there = np.repeat(present[:, :, None], joints, 2).reshape(len(some), len(kept), -1)
        squared = sum((axis[..., first] - axis[..., second]) ** 2 for axis in points)
        found[start : start + step] = np.sqrt(squared) * (there[..., first] & there[..., second])
    return found.reshape(count, -1)


def _spaced(length: int, count: int) -> NDArray[np.int64]:
    """`count` of the numbers 0..length - 1, evenly spaced; one at least, all at most."""
    count = max(1, min(length, count))
    return np.linspace(0, length - 1, count).round().astype(np.int64)
