"""Row files of a store while they grow: frames and tracks, back to back."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout
from skel_data.files import sync
from skel_data.store._store import Ints


class RowFiles:
    """The two row files while they grow: `.npy` files whose header is written at the end.

    Args:
        folder: Where they lie.
        layout: The joints.
        count: Rows that are there already; what lies behind them is cut off.
    """

    HEADER = 128

    def __init__(self, folder: Path, layout: SkeletonLayout, count: int = 0) -> None:
        self.joint_shape = (layout.num_joints, layout.channels)
        self.count = count
        sizes = {"frames": 4 * layout.num_joints * layout.channels, "tracks": 8}
        self._frames, self._tracks = (self._open(folder / f"{k}.npy", size) for k, size in sizes.items())

    def _open(self, path: Path, size: int) -> Any:
        file = path.open("r+b" if path.exists() else "w+b")
        end = self.HEADER + self.count * size if self.count else 0
        file.truncate(end)
        file.seek(end)
        if not self.count:
            file.write(bytes(self.HEADER))
        return file

    @classmethod
    def held(cls, frames: Path, layout: SkeletonLayout) -> int:
        """Whole rows in both files."""
        sizes = (frames, 4 * layout.num_joints * layout.channels), (frames.with_name("tracks.npy"), 8)
        return min((path.stat().st_size - cls.HEADER) // size for path, size in sizes)

    def add(self, positions: NDArray[np.float32], tracks: Ints) -> None:
        self._frames.write(positions.astype("<f4", copy=False).data)
        self._tracks.write(tracks.astype("<i8", copy=False).data)
        self.count += tracks.size

    def flush(self) -> None:
        self._frames.flush()
        self._tracks.flush()

    def finish(self) -> None:
        for file, descr, shape in (
            (self._frames, "<f4", (self.count, *self.joint_shape)),
            (self._tracks, "<i8", (self.count,)),
        ):
            text = repr({"descr": descr, "fortran_order": False, "shape": shape})
            file.seek(0)  # a header of fixed size, so that it can be written last
            file.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n")
            sync(file)
        self.close()

    def tracks(self) -> Ints:
        """The body ids of all rows, memory-mapped, once they are finished."""
        return np.memmap(self._tracks.name, "<i8", "r", self.HEADER, (self.count,))

    def close(self) -> None:
        self._frames.close()
        self._tracks.close()
