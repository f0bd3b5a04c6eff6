"""Unpickling of plain data and numpy arrays, by an allow-list of what a pickle may call.

A pickle is a program; `pickle.Unpickler` runs it, and `find_class` decides on each name that it asks for
(https://docs.python.org/3/library/pickle.html#restricting-globals). Only the names that numpy arrays are
pickled with are given, and what they give builds arrays of numbers and text, nothing else.
"""

import io
import math
import pickle
import re
import sys
from collections.abc import Callable
from pickletools import (
    TAKEN_FROM_ARGUMENT1,
    TAKEN_FROM_ARGUMENT4,
    TAKEN_FROM_ARGUMENT4U,
    TAKEN_FROM_ARGUMENT8U,
    opcodes,
)
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skel_data._words import counted

_NUMBERS = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|[SU]\d{1,4})")


def load_plain(data: bytes, *, objects: bool = False) -> Any:
    """The content of a pickle of plain data.

    Args:
        data: The file.
        objects: Whether an array may hold objects, which are plain data themselves.

    Returns:
        Lists, tuples, dicts and sets of text, bytes, numbers, None and numpy arrays of numbers or text.

    Raises:
        ValueError: With the reason, if anything else is in it, or it is cut off or damaged.
    """
    _check_announced(data)
    try:
        return (_ObjectsUnpickler if objects else _Unpickler)(io.BytesIO(data)).load()
    except _RefusedError:
        raise
    except Exception as error:  # damage may lead to any, MemoryError included
        raise ValueError(f"cut off or damaged pickle: {type(error).__name__}: {error}") from error


_PUT, _PLACED = pickle.PUT[0], pickle.LONG_BINPUT[0]
_COUNTS = {
    TAKEN_FROM_ARGUMENT1: 1,
    TAKEN_FROM_ARGUMENT4: 4,
    TAKEN_FROM_ARGUMENT4U: 4,
    TAKEN_FROM_ARGUMENT8U: 8,
}
_BYTES = {ord(op.code): op.arg.n if op.arg else 0 for op in opcodes if op.code != "."}
"""Bytes of the argument of each operation; below 0: a line, or as many as its first 1, 4 or 8 bytes tell."""
_FIXED = [max(1 + _BYTES.get(kind, -1), 0) if kind != _PLACED else 0 for kind in range(256)]
_LINES = {pickle.GLOBAL[0]: 2, pickle.INST[0]: 2}


def _check_announced(data: bytes) -> None:
    """Refuse a pickle that announces more than it holds: memory would be taken for values and its memo."""
    at, end = 0, len(data)
    while at < end:
        if step := _FIXED[kind := data[at]]:  # nearly all
            at += step
            continue
        size = _BYTES.get(kind)
        if size is None:
            return  # the end, or what no pickle has
        start = at = at + 1
        if kind == _PLACED:
            at += size
            place = int.from_bytes(data[start:at], "little")
        elif size in _COUNTS:
            at += _COUNTS[size]
            at += int.from_bytes(data[start:at], "little")
            place = 0
        else:
            for _ in range(_LINES.get(kind, 1)):
                at = (data.find(b"\n", at) + 1) or end
            text = data[start:at].strip()
            place = 0 if kind != _PUT else int(text) if text.isdigit() and len(text) < 20 else end + 1
        if max(at, place) > end:
            raise ValueError("cut off or damaged pickle: it announces more than it holds")


class _RefusedError(ValueError):
    """A pickle holds what is not plain data."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> "_Call":
        call = _CALLS.get(f"{module.replace('numpy._core', 'numpy.core')}.{name}")
        if call is None:
            asked = f"{module}.{name}"[:100]
            raise _RefusedError(
                f"refused: the pickle asks for {asked!r}; only plain data and arrays are read"
            )
        return call


class _ObjectsUnpickler(_Unpickler):
    def find_class(self, module: str, name: str) -> "_Call":
        call = super().find_class(module, name)
        return _Call(_DtypeOrObject) if call is _CALLS["numpy.dtype"] else call


class _Call(NamedTuple):  # a tuple, as a pickle could change the attributes of a function
    make: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.make(*args)


class _Dtype:
    """Type of an array, of numbers or text."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not _NUMBERS.fullmatch(code):
            what = repr(code[:40]) if isinstance(code, str) else f"a {type(code).__name__}"
            raise _RefusedError(
                f"refused: an array of type {what}; only numbers and text are read, no objects"
            )
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        order, fields = state[1], state[2:5]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in fields):
            raise _RefusedError("refused: an array of records")
        if order in "<>":
            self.dtype = self.dtype.newbyteorder(order)


class _DtypeOrObject(_Dtype):
    """Type of an array, of numbers, text or objects."""

    def __init__(self, code: Any, *more: Any) -> None:
        self.plain = code not in ("O", "O8")
        super().__init__(code if self.plain else "b1", *more)

    def __setstate__(self, state: Any) -> None:
        if self.plain:
            super().__setstate__(state)


class _Array(np.ndarray):
    """Array whose content, the state of its pickle, is checked."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, raw = state
        if isinstance(kind, _DtypeOrObject) and not kind.plain:
            if not isinstance(raw, list) or math.prod(shape) != len(raw) or min(shape, default=0) < 0:
                raise ValueError(f"an array of objects of shape {shape} that is not a list of as many")
            super().__setstate__((1, shape, np.dtype("O"), fortran, raw))
            return
        array = _array(raw, kind, shape, "F" if fortran else "C")
        super().__setstate__((1, shape, array.dtype, fortran, bytes(raw)))


def _array(raw: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> NDArray[Any]:
    """Array of the bytes there are."""
    if not isinstance(kind, _Dtype) or not isinstance(raw, bytes | bytearray):
        raise _RefusedError(f"refused: an array of {type(kind).__name__} made of a {type(raw).__name__}")
    if math.prod(shape) * kind.dtype.itemsize != len(raw) or min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape} and {kind.dtype} that has {counted(len(raw), 'byte')}")
    if kind.dtype.kind == "U":
        text = np.frombuffer(raw, f"{kind.dtype.str[0]}u4")
        if text.max(initial=0) > sys.maxunicode:
            raise ValueError("an array of text holds a number that is no character")
    array = np.frombuffer(raw, kind.dtype) if len(raw) else np.zeros(0, kind.dtype)
    array = array.reshape(shape, order="F" if order == "F" else "C")
    return array if axes is None else array.transpose(axes)


def _empty(kind: Any, *_: Any) -> _Array:
    if kind is not _CALLS["numpy.ndarray"]:
        raise _RefusedError("refused: an array of another class than numpy's")
    return _Array(0)


def _never(*_: Any) -> Any:
    raise _RefusedError("refused: a call of numpy.ndarray")


def _encode(text: str, coding: str) -> bytes:
    if coding not in ("latin1", "latin-1"):
        raise _RefusedError("refused: _codecs.encode for anything but bytes")
    return text.encode("latin1")


_CALLS = {
    "numpy.ndarray": _Call(_never),
    "numpy.dtype": _Call(_Dtype),
    "numpy.core.multiarray._reconstruct": _Call(_empty),
    "numpy.core.multiarray.scalar": _Call(lambda kind, raw: _array(raw, kind, (), "C").item()),
    "numpy.core.numeric._frombuffer": _Call(_array),
    "_codecs.encode": _Call(_encode),  # bytes in protocols before 3
    "__builtin__.bytes": _Call(lambda: b""),  # empty ones
}
