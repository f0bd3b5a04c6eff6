"""Arrays of numbers in MATLAB files of level 5, compressed or not ("MAT-File Format", MathWorks).

SciPy reads these too, but a damaged file can end its process. Here every size that a file states is checked.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._words import counted
from skel_data.readers._source import MAX_BYTES

_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Number formats, by the type in a tag."""
_CLASSES = range(6, 16)
"""Arrays of numbers, each of which may be kept in any of the formats."""
_COMPLEX = 0x800


def read_matrix(data: bytes, name: str) -> NDArray[Any]:
    """The variable of this name, in the shape that MATLAB shows.

    Raises:
        ValueError: With the reason, if this is not such a file, the variable is missing or not an array of
            real numbers, or what leads to it is damaged.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise ValueError("not a MATLAB file of level 5")
    (version,) = struct.unpack_from(f"{order}H", data, 124)
    if version != 0x100:
        raise ValueError(f"MATLAB file of version {version:#x}, expected 0x100 (as saved with -v6 or -v7)")
    for kind, content in _elements(data[128:], order):
        if kind == _COMPRESSED:
            try:
                inflated = _inflate(content)
            except zlib.error as error:
                raise ValueError(f"damaged MATLAB file: {error}") from None
            kind, content = next(_elements(inflated, order), (0, b""))
        if kind == _MATRIX:
            parts = _elements(content, order)
            (_, flags), (_, shape), (_, label), values = (next(parts, (0, b"")) for _ in range(4))
            if label == name.encode():
                return _array(flags, shape, *values, order, name)
    raise ValueError(f"no variable {name}")


def _inflate(content: bytes) -> bytes:
    """A compressed element, unpacked no further than the limit of a file."""
    stream = zlib.decompressobj()
    inflated = stream.decompress(content, MAX_BYTES)
    if stream.unconsumed_tail:
        raise ValueError(f"MATLAB file with an element of more than {MAX_BYTES} bytes")
    if not stream.eof:
        raise ValueError("damaged MATLAB file: a compressed element is cut off")
    return inflated


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element."""
    at = 0
    while at < len(data):
        tag = data[at : at + 8]
        if len(tag) < 8:
            raise ValueError("damaged MATLAB file: it ends in the middle of a tag")
        kind, size = struct.unpack(f"{order}II", tag)
        if kind >> 16:  # the content is within the tag
            kind, size = kind & 0xFFFF, kind >> 16
            content = tag[4 : 4 + size]
            at += 8
        else:
            content = data[at + 8 : at + 8 + size]
            at += 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if len(content) < size:
            raise ValueError(
                f"damaged MATLAB file: {len(content)} of {counted(size, 'byte')} of an element are there"
            )
        yield kind, content


def _array(flags: bytes, shape: bytes, kind: int, content: bytes, order: str, name: str) -> NDArray[Any]:
    """The array that these elements tell of."""
    if len(flags) != 8 or not shape or len(shape) % 4:
        raise ValueError(f"damaged MATLAB file: flags or shape of {name}")
    (about,) = struct.unpack_from(f"{order}I", flags)
    if (about & 0xFF) not in _CLASSES or about & _COMPLEX or kind not in _NUMBERS:
        raise ValueError(f"{name} is not an array of real numbers")
    sizes = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    dtype = np.dtype(order + _NUMBERS[kind])
    if min(sizes) < 0 or math.prod(sizes) * dtype.itemsize != len(content):
        raise ValueError(f"damaged MATLAB file: {len(content)} bytes for {name} of shape {sizes}")
    return np.frombuffer(content, dtype).reshape(sizes, order="F")
