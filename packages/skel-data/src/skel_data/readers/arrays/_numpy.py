"""Numpy's files, read within limits: a row after another, or the arrays of an archive by name."""

import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from skel_data._words import counted
from skel_data.readers._source import reason_of
from skel_data.readers.keypoints._unpickle import load_plain

MAX_BYTES = 4 * 2**30
"""Largest array that is read at once."""
_MOST_BYTES = 2**40
"""Largest array that is read a row after another."""


def read_npy(data: bytes) -> NDArray[Any]:
    """The array of an ``.npy`` file; one of objects has plain data in it, see `load_plain`.

    Raises:
        ValueError: With the reason.
    """
    file = io.BytesIO(data)
    shape, fortran, dtype = header_of(file)
    if dtype.hasobject:
        content = load_plain(data[file.tell() :], objects=True)
        if not isinstance(content, np.ndarray):
            raise ValueError("an array of objects that holds none")
        return np.asarray(content)
    size = math.prod(shape) * dtype.itemsize
    if len(data) - file.tell() != size:
        raise ValueError(f"{counted(len(data) - file.tell(), 'byte')} for an array of {dtype} {shape}")
    array = np.frombuffer(data, dtype, offset=file.tell()) if size else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def header_of(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis varies fastest, and type."""
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # numpy raises whatever the bytes lead it to
        raise ValueError(f"not a numpy array: {reason_of(error)}") from error
    if any(size < 0 for size in shape) or dtype.kind not in "biufSUO":
        raise ValueError(f"an array of {dtype} {shape}; only numbers and text are read")
    return shape, fortran, dtype


class NpyRows:
    """The rows of an array of numbers in a file: those along its first axis, read when you index them.

    Args:
        file: The file, at its beginning.

    Attributes:
        shape: Shape of the array.
        dtype: Its type.

    Raises:
        ValueError: If it is no such array.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.shape, fortran, self.dtype = header_of(file)
        if self.dtype.kind not in "iuf" or not self.shape or (fortran and len(self.shape) > 1):
            raise ValueError(f"{self.dtype} {self.shape}; expected numbers in rows, the last axis fastest")
        self._size = math.prod(self.shape[1:]) * self.dtype.itemsize
        if self._size > MAX_BYTES or self.shape[0] * self._size > _MOST_BYTES:
            raise ValueError(f"an array of {self.dtype} {self.shape} is no set of clips")

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """The rows, once.

        Raises:
            ValueError: If the file ends before the array does.
        """
        for row in range(self.shape[0]):
            try:
                data = self._file.read(self._size)
            except Exception as error:  # of an archive: whatever the bytes lead it to
                raise ValueError(f"cannot be read after {counted(row, 'row')}: {reason_of(error)}") from error
            if len(data) < self._size:
                raise ValueError(f"cut off after {row} of {counted(self.shape[0], 'row')}")
            yield np.frombuffer(data, self.dtype).reshape(self.shape[1:])


class Npz:
    """The arrays of an ``.npz`` file by name. Each is read when you index it.

    Args:
        file: The file.

    Raises:
        ValueError: If it is no such file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self._archive = zipfile.ZipFile(file)
        except Exception as error:  # zipfile raises whatever the bytes lead it to
            raise ValueError(f"not an .npz file, or cut off: {reason_of(error)}") from error
        self._members = {
            info.filename.removesuffix(".npy"): info
            for info in self._archive.infolist()
            if info.filename.endswith(".npy")
        }

    @property
    def names(self) -> Sequence[str]:
        """Names of the arrays."""
        return list(self._members)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """An array of at most `MAX_BYTES`.

        Raises:
            ValueError: If there is none of this name, or it cannot be read.
        """
        if name not in self._members:
            raise ValueError(f"no array {name}; the file has {', '.join(self.names)[:200]}")
        info = self._members[name]
        if info.file_size > MAX_BYTES:
            raise ValueError(f"{name} has {info.file_size} bytes, more than the limit of {MAX_BYTES}")
        try:
            return read_npy(self._archive.read(info))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        except Exception as error:
            raise ValueError(f"{name}: cannot be read: {reason_of(error)}") from error

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array that is not read."""
        with self._archive.open(self._members[name]) as file:
            return header_of(file)[0]

    def rows(self, name: str) -> Iterator[NDArray[Any]]:
        """The rows of an array of any size."""
        with ExitStack() as stack:
            try:
                rows = NpyRows(stack.enter_context(self._archive.open(self._members[name])))
                yield from rows
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            except Exception as error:
                raise ValueError(f"{name}: cannot be read: {reason_of(error)}") from error
