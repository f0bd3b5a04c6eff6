"""Arrays with digests: ``.npy`` files that say of themselves whether they are what was written.

Behind the array, where `numpy.load` does not look, come a digest of each block of `BLOCK` bytes, what the
array is (its key), and a digest of all this. The file's time is set to a stamp in the past that follows from
the digests: a program that writes to the file afterwards sets it to the present. At each opening the digests,
the time and some blocks are checked, and every block if the time is another one.
"""

import hashlib
import io
import json
import os
import random
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from skel_data.files._atomic import write_file

BLOCK = 1 << 17
SAMPLED = 8
"""Blocks that are checked at each opening, beside the first and the last."""
_SIZE = 8
_MAGIC = b"\nskel-digests-1\n"
_END = 16 + 8 + len(_MAGIC)


def write_checked(
    path: Path, key: str, shape: tuple[int, ...], dtype: DTypeLike, chunks: Iterable[NDArray[Any]]
) -> None:
    """Write an array with digests, atomically.

    Args:
        path: The ``.npy`` file.
        key: What the array is, such as what it was computed from.
        shape: Its shape.
        dtype: Its type.
        chunks: Its rows, some at a time.

    Raises:
        OSError: If it cannot be written.
    """
    head = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(
        head, {"descr": descr, "fortran_order": False, "shape": tuple(shape)}
    )
    digests = _Digests()
    # Not into a memory map: there a full disk kills the process
    with write_file(path) as file:
        for chunk in chain([np.frombuffer(head.getvalue(), np.uint8)], chunks):
            if not chunk.size:
                continue
            data = np.ascontiguousarray(chunk).data.cast("B")
            file.write(data)
            digests.add(data)
        table, size = digests.table(), digests.size
        about = json.dumps({"key": key, "block": BLOCK, "bytes": size}).encode()
        end = table + about
        seal = hashlib.blake2b(end, digest_size=16).digest()
        file.write(end + seal + len(about).to_bytes(8, "little") + _MAGIC)
        file.flush()
        stamp = _stamp(seal)
        os.utime(file.name, ns=(stamp, stamp))


def open_checked(
    path: Path, key: str, shape: tuple[int, ...], dtype: DTypeLike, *, every: bool = False
) -> NDArray[Any]:
    """Open an array with digests, memory-mapped and read-only.

    Args:
        path: The file.
        key: What it must be.
        shape: Its shape.
        dtype: Its type.
        every: Check every block in any case.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it has no digests, is of another key or shape, or is damaged; the message says so.
    """
    found = check_all_blocks(path) if every else _check(path)
    if found != key:
        raise ValueError(f"{path} is something else than its name says")
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if array.shape != tuple(shape) or array.dtype != np.dtype(dtype):
        raise ValueError(f"{path} holds {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")
    return array


def check_all_blocks(path: Path) -> str:
    """Check every block of an array with digests; returns its key.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it has no digests or is damaged; the message says where.
    """
    return _check(path, every=True)


def _check(path: Path, *, every: bool = False) -> str:
    with path.open("rb") as file:
        about, table, seal = _end(file, path)
        stamp = _stamp(seal)
        touched = os.fstat(file.fileno()).st_mtime_ns != stamp
        count = len(table) // _SIZE
        chosen: Iterable[int] = range(count)
        if not (every or touched) and count > SAMPLED + 2:
            chosen = sorted({0, count - 1, *random.SystemRandom().sample(range(count), SAMPLED)})
        for block in chosen:
            file.seek(block * BLOCK)
            data = file.read(min(BLOCK, about["bytes"] - block * BLOCK))
            if _digest(data) != table[block * _SIZE : (block + 1) * _SIZE]:
                raise ValueError(f"{path} is damaged: block {block + 1} of {count} is not what was written")
    if touched:
        with suppress(OSError):  # copied, or touched; or a folder that is read-only
            os.utime(path, ns=(stamp, stamp))
    return str(about["key"])


def _end(file: Any, path: Path) -> tuple[dict[str, Any], bytes, bytes]:
    """What a file says of itself, the digests of its blocks, and the digest of these."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _END, 0))
    end = file.read()
    if not end.endswith(_MAGIC):
        raise ValueError(f"{path} has no digests: an earlier version wrote it, or it is cut off")
    damaged = ValueError(f"{path} is damaged: its digests are not what was written")
    seal, length = end[:16], int.from_bytes(end[16:24], "little")
    if length > min(size - _END, 1 << 20):
        raise damaged
    file.seek(size - _END - length)
    text = file.read(length)
    try:
        about = json.loads(text)
        data = int(about["bytes"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise damaged from None
    file.seek(max(data, 0))
    table = file.read(max(size - _END - length - data, 0))
    if hashlib.blake2b(table + text, digest_size=16).digest() != seal or about["block"] != BLOCK:
        raise damaged
    if len(table) != -(-data // BLOCK) * _SIZE:
        raise damaged
    return about, table, seal


class _Digests:
    """Digests of the blocks of what is written piece by piece."""

    def __init__(self) -> None:
        self.size = 0
        self._done: list[bytes] = []
        self._hash = hashlib.blake2b(digest_size=_SIZE)

    def add(self, data: memoryview) -> None:
        while data:
            piece = data[: BLOCK - self.size % BLOCK]
            self._hash.update(piece)
            self.size += len(piece)
            data = data[len(piece) :]
            if self.size % BLOCK == 0:
                self._done.append(self._hash.digest())
                self._hash = hashlib.blake2b(digest_size=_SIZE)

    def table(self) -> bytes:
        """One behind the other."""
        last = [self._hash.digest()] if self.size % BLOCK else []
        return b"".join(self._done + last)


def _digest(data: Any) -> bytes:
    return hashlib.blake2b(data, digest_size=_SIZE).digest()


def _stamp(seal: bytes) -> int:
    """A time from 2001 to 2018 in nanoseconds, of even seconds as the coarsest file systems have them."""
    return (978307200 + 2 * (int.from_bytes(seal[:4], "little") % (1 << 28))) * 10**9
