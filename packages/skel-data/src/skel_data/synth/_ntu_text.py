"""Writer for the text format of NTU RGB+D, so that its reader can be tried without its recordings."""

import io
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

_BODY = "0 1 0 1 1 0 0 0 2"
_JOINT = "0 0 0 0 0 0 0 0 2"


def write_ntu_skeleton(
    file: str | Path | IO[bytes], positions: NDArray[np.floating], tracks: NDArray[np.int64] | None = None
) -> None:
    """Write one clip as a ``.skeleton`` file. Coordinates come back exactly as float32.

    Fields that this library does not read (image coordinates, orientations, hand and tracking states) are
    constant.

    Args:
        file: Path, or a file open for bytes.
        positions: Coordinates (T, M, 25, 3).
        tracks: Body ids (T, M), 0 where there is none. None: slot m is body m + 1 where its frame
            is not all zero.

    Raises:
        ValueError: If the shapes are others, or a coordinate of a body is not finite.
    """
    positions = np.asarray(positions, dtype=np.float32)
    if positions.ndim != 4 or positions.shape[2:] != (25, 3):
        raise ValueError(f"positions must be (T, M, 25, 3), got {positions.shape}")
    if tracks is None:
        tracks = np.where((positions != 0).any((2, 3)), np.arange(1, positions.shape[1] + 1), 0)
    if tracks.shape != positions.shape[:2] or (tracks < 0).any():
        raise ValueError(
            f"tracks must be ids of shape {positions.shape[:2]}, none negative, got {tracks.shape}"
        )
    if not np.isfinite(positions[tracks != 0]).all():
        raise ValueError("positions must be finite where there is a body")
    text = io.StringIO()
    lines = [str(len(positions))]
    for bodies, ids in zip(positions, tracks, strict=True):
        lines.append(str(np.count_nonzero(ids)))
        for joints, track in zip(bodies[ids != 0], ids[ids != 0], strict=True):
            lines += [f"{track} {_BODY}", "25"]
            lines += [f"{x:.9g} {y:.9g} {z:.9g} {_JOINT}" for x, y, z in joints.tolist()]
    text.write("\r\n".join(lines) + "\r\n")
    data = text.getvalue().encode()
    if isinstance(file, (str, Path)):
        Path(file).write_bytes(data)
    else:
        file.write(data)
