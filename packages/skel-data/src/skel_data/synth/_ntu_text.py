"""Writers for the text format of NTU RGB+D, so that its reader can be tried without its recordings."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from skel_data._clip import Clip
from skel_data.files import partial_folder, write_file

_FIRST_ID = 2**56 + 1  # ids of a Kinect v2 have 17 digits
_BODY = "0 1 0 1 1 0 0 0 2"
_SEEN, _UNSEEN = "0 0 0 0 0 0 0 0 2", "0 0 0 0 0 0 0 0 0"


def write_ntu_skeleton(
    file: str | Path | IO[bytes], positions: NDArray[np.floating], tracks: NDArray[np.int64] | None = None
) -> None:
    """Write one clip as a ``.skeleton`` file. Coordinates come back exactly as float32.

    The bodies of a frame come in the order of their slots, absent ones left out; so the reader finds them in
    the first slots. A joint whose coordinates are all zero is marked as not tracked. Other fields that this
    library does not read (image coordinates, orientations, hand states, lean) are constant.

    Args:
        file: Path, which appears when it is complete, or a file open for bytes.
        positions: Coordinates (T, M, 25, 3).
        tracks: Body ids (T, M), 0 where there is none. None: each slot is a body with an id of its
            own, where its frame is not all zero.

    Raises:
        ValueError: If the shapes are others, or a coordinate of a body is not finite.
    """
    positions = np.asarray(positions, dtype=np.float32)
    if positions.ndim != 4 or positions.shape[2:] != (25, 3):
        raise ValueError(f"positions must be (T, M, 25, 3), got {positions.shape}")
    if tracks is None:
        ids = _FIRST_ID + np.arange(positions.shape[1])
        tracks = np.where((positions != 0).any((2, 3)), ids, 0)
    if tracks.shape != positions.shape[:2] or (tracks < 0).any():
        raise ValueError(
            f"tracks must be ids of shape {positions.shape[:2]}, none negative, got {tracks.shape}"
        )
    if not np.isfinite(positions[tracks != 0]).all():
        raise ValueError("positions must be finite where there is a body")
    lines = [str(len(positions))]
    for bodies, ids in zip(positions, tracks, strict=True):
        lines.append(str(np.count_nonzero(ids)))
        for joints, track in zip(bodies[ids != 0], ids[ids != 0], strict=True):
            lines += [f"{track} {_BODY}", "25"]
            lines += [
                f"{x:.9g} {y:.9g} {z:.9g} {_SEEN if x or y or z else _UNSEEN}" for x, y, z in joints.tolist()
            ]
    data = ("\r\n".join(lines) + "\r\n").encode()
    if isinstance(file, (str, Path)):
        with write_file(Path(file)) as target:
            target.write(data)
    else:
        file.write(data)


def write_ntu_folder(path: str | Path, clips: Iterable[Clip]) -> int:
    """Write clips as a folder of ``SsssCcccPpppRrrrAaaa.skeleton`` files, all or nothing.

    The names come from setup (1 where it is unknown), camera, subject, replication and label + 1. Nothing
    says what the classes are called: the reader of NTU RGB+D gives them its own names.

    Args:
        path: Folder to make.
        clips: Clips on the layout ntu-25.

    Returns:
        How many files there are.

    Raises:
        FileExistsError: If there is something at `path`.
        ValueError: If there is no clip, a code does not fit the name, two clips have one name, or a clip
            cannot be written; the message names the clip.
    """
    path = Path(path)
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} exists already")
    written: dict[str, str] = {}
    with partial_folder(path) as folder:
        for clip in clips:
            name = _name(clip)
            if name in written:
                raise ValueError(f"clips {written[name]!r} and {clip.name!r} would both be {name}.skeleton")
            try:
                write_ntu_skeleton(folder / f"{name}.skeleton", clip.positions, clip.tracks)
            except ValueError as error:
                raise ValueError(f"clip {clip.name!r}: {error}") from error
            written[name] = clip.name
        if not written:
            raise ValueError("no clip to write")
    return len(written)


def _name(clip: Clip) -> str:
    codes = {
        "S": 1 if clip.setup < 0 else clip.setup,
        "C": clip.camera,
        "P": clip.subject,
        "R": clip.replication,
        "A": clip.label + 1 if clip.label >= 0 else -1,
    }
    if not all(0 <= number <= 999 for number in codes.values()):
        raise ValueError(
            f"clip {clip.name!r}: setup, camera, subject, replication and label + 1 must be known and at "
            f"most 999, got {tuple(codes.values())}"
        )
    return "".join(f"{letter}{number:03}" for letter, number in codes.items())
