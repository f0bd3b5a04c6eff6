"""Pickles of plain data, read without running anything that they name.

A pickle is a program for a small stack machine, and Python's own runs whatever it says. This one knows
the instructions that build lists, tuples, dicts, sets, text, bytes and numbers, and of the names a
pickle may call only the few that numpy arrays are pickled with. It calls none of them: it makes the
array itself from a type of numbers, a shape, and bytes that must have that size. Everything else is
refused by its name. No memory is taken for what a file announces but does not hold (Python's own takes it
for ``BYTEARRAY8`` and ``LONG_BINPUT``), and arrays are views of the file's bytes, not copies.
"""

import math
import pickletools
import re
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

MOST_STEPS = 50_000_000
"""Instructions of one file. NTU RGB+D 120 takes some 6 million."""

_CALLS = {
    "numpy.ndarray": "ndarray",
    "numpy.dtype": "dtype",
    "numpy.core.multiarray._reconstruct": "reconstruct",
    "numpy._core.multiarray._reconstruct": "reconstruct",
    "numpy.core.multiarray.scalar": "scalar",
    "numpy._core.multiarray.scalar": "scalar",
    "numpy.core.numeric._frombuffer": "from_buffer",
    "numpy._core.numeric._frombuffer": "from_buffer",
    "_codecs.encode": "encode",  # bytes in protocols before 3
    "__builtin__.bytes": "no_bytes",  # empty ones
}
_NUMBERS = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|[SU]\d{1,4})")
_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
_CODES = {name: code for code, name in _NAMES.items()}
_KEYS = (str, int, float, bool, bytes, type(None))


def load_plain(data: bytes) -> Any:
    """The content of a pickle, of protocol 0 to 5, as Python 3 writes them.

    Args:
        data: The file.

    Returns:
        Lists, tuples, dicts and sets of text, numbers, None, numpy arrays of numbers or text, and bytes, or
        views of them. Arrays are read-only views of `data` where its protocol allows it.

    Raises:
        ValueError: With the reason, if anything else is in it, or it is cut off or damaged.
    """
    try:
        return _Machine(data).run()
    except (IndexError, KeyError, TypeError, OverflowError, RecursionError, struct.error) as error:
        # An instruction found something else on the stack than it takes
        raise ValueError(f"damaged pickle: {type(error).__name__}: {error}") from error


@define(frozen=True)
class _Name:
    """Stands for one of the names in `_CALLS`."""

    call: str


@define(eq=False)
class _Type:
    """Stands for a dtype."""

    dtype: np.dtype[Any]


@define(eq=False)
class _Array:
    """Stands for an array until its content is known."""

    array: NDArray[Any] | None = None


class _Machine:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.view = memoryview(data)
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        steps, data, stop = _STEPS, self.data, _CODES["STOP"]
        for _ in range(MOST_STEPS):
            if self.at >= len(data):
                raise ValueError("cut off: the pickle does not come to its end")
            code = data[self.at]
            self.at += 1
            if code == stop:
                return self.stack.pop()
            step = steps.get(code)
            if step is None:
                name = _NAMES.get(code)
                raise ValueError(f"refused: instruction {name}" if name else "not a pickle, or damaged")
            step(self)
        raise ValueError(f"refused: more than {MOST_STEPS} instructions")

    def take(self, count: int) -> memoryview:
        """The next bytes; no memory is taken for them."""
        if not 0 <= count <= len(self.data) - self.at:
            raise ValueError(f"cut off: {count} bytes announced, {len(self.data) - self.at} are left")
        self.at += count
        return self.view[self.at - count : self.at]

    def number(self, form: str) -> Any:
        (number,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return number

    def counted(self, form: str) -> memoryview:
        return self.take(self.number(form))

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise ValueError("cut off within a line")
        line = self.data[self.at : end]
        self.at = end + 1
        return line

    def text(self, data: bytes | memoryview, coding: str) -> None:
        text = str(data, coding, "surrogatepass")
        below = self.stack[-1] if self.stack else None
        # Bytes as protocols before 3 write them: made at once, or the memo would hold both forms of them
        is_bytes = isinstance(below, _Name) and below.call == "encode"
        self.stack.append(text.encode("latin1") if is_bytes else text)

    def pop(self) -> Any:
        if self.marks and self.marks[-1] == len(self.stack):
            return self.marks.pop()
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def group(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("damaged pickle: a tuple of too few items")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def fill(self, add: Callable[[Any, Any], None], items: Any) -> None:
        add(self.stack[-1], items)

    def put(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def get(self, key: int) -> None:
        value = self.memo[key]
        self.stack.append(value.array if isinstance(value, _Array) else value)

    def call(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or name.call not in _MAKE:
            raise ValueError(f"refused: a call of {type(name).__name__}")
        self.stack.append(_MAKE[name.call](*arguments))

    def build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, _Array):
            if type(state) is not tuple or len(state) != 5:
                raise ValueError("damaged pickle: not the five parts of an array")
            _, shape, kind, fortran, raw = state
            made.array = self.stack[-1] = _array(raw, kind, shape, "F" if fortran else "C")
        elif isinstance(made, _Type):
            order, fields = state[1], state[2:5]
            if order not in ("<", ">", "|", "=") or any(part is not None for part in fields):
                raise ValueError("refused: an array of records")
            if order in "<>":
                made.dtype = made.dtype.newbyteorder(order)
        else:
            raise ValueError(f"refused: instruction BUILD for a {type(made).__name__}")


def _integer(line: bytes) -> int:
    return line == b"01" if line in (b"00", b"01") else int(line)


def _keys(items: list[Any]) -> list[Any]:
    for item in items:
        if type(item) not in _KEYS:  # hashing a tuple that is nested deep would end the process
            raise ValueError(f"refused: a {type(item).__name__} as a key")
    return items


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(_keys(items[::2]), items[1::2], strict=True)


def _name(module: Any, name: Any) -> _Name:
    full = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "no name"
    if full not in _CALLS:
        raise ValueError(f"refused: the pickle asks for {full[:100]!r}; only plain data and arrays are read")
    return _Name(_CALLS[full])


def _dtype(code: Any, *_: Any) -> _Type:
    if not isinstance(code, str) or not _NUMBERS.fullmatch(code):
        what = repr(code[:40]) if isinstance(code, str) else f"a {type(code).__name__}"
        raise ValueError(f"refused: an array of type {what}; only numbers and text are read, no objects")
    return _Type(np.dtype(code))


def _array(raw: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    if not isinstance(kind, _Type) or not isinstance(raw, bytes | memoryview):
        raise ValueError(f"refused: an array of {type(kind).__name__} made of a {type(raw).__name__}")
    if type(shape) is not tuple or len(shape) > 32 or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError("damaged pickle: the shape of an array is not a tuple of sizes")
    if math.prod(shape) * kind.dtype.itemsize != len(raw):
        raise ValueError(f"an array of shape {shape} and {kind.dtype} that has {len(raw)} bytes")
    if len(raw) == 0:
        if math.prod(shape) > 1:
            raise ValueError(f"an array of shape {shape} without content")
        return np.zeros(shape, kind.dtype)
    if kind.dtype.kind == "U" and np.frombuffer(raw, f"{kind.dtype.str[0]}u4").max() > sys.maxunicode:
        raise ValueError("damaged pickle: an array of text holds what is no character")
    return np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if order == "F" else "C")


def _from_buffer(raw: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> NDArray[Any]:
    array = _array(raw, kind, shape, order)
    if axes is None:
        return array
    if type(axes) is not tuple or sorted(axes) != list(range(array.ndim)):
        raise ValueError("damaged pickle: the axes of an array are no permutation")
    return array.transpose(axes)


def _reconstruct(kind: Any, *_: Any) -> _Array:
    if kind != _Name("ndarray"):
        raise ValueError("refused: an array of another class than numpy's")
    return _Array()


def _encode(data: bytes, coding: str) -> bytes:
    if type(data) is not bytes or coding not in ("latin1", "latin-1"):
        raise ValueError("refused: _codecs.encode for anything but bytes")
    return data


_MAKE: dict[str, Callable[..., Any]] = {
    "dtype": _dtype,
    "reconstruct": _reconstruct,
    "scalar": lambda kind, raw: _array(raw, kind, (), "C").item(),
    "from_buffer": _from_buffer,
    "encode": _encode,
    "no_bytes": lambda: b"",
}

_STEPS: dict[int, Callable[[_Machine], Any]] = {
    _CODES[name]: step
    for name, step in {
        "PROTO": lambda m: m.number("<B"),
        "FRAME": lambda m: m.number("<Q"),
        "MARK": lambda m: m.marks.append(len(m.stack)),
        "POP": _Machine.pop,
        "POP_MARK": _Machine.since_mark,
        "DUP": lambda m: m.stack.append(m.stack[-1]),
        "NONE": lambda m: m.stack.append(None),
        "NEWTRUE": lambda m: m.stack.append(True),
        "NEWFALSE": lambda m: m.stack.append(False),
        "INT": lambda m: m.stack.append(_integer(m.line())),
        "BININT": lambda m: m.stack.append(m.number("<i")),
        "BININT1": lambda m: m.stack.append(m.number("<B")),
        "BININT2": lambda m: m.stack.append(m.number("<H")),
        "LONG": lambda m: m.stack.append(int(m.line().rstrip(b"L"))),
        "LONG1": lambda m: m.stack.append(int.from_bytes(m.counted("<B"), "little", signed=True)),
        "LONG4": lambda m: m.stack.append(int.from_bytes(m.counted("<i"), "little", signed=True)),
        "FLOAT": lambda m: m.stack.append(float(m.line())),
        "BINFLOAT": lambda m: m.stack.append(m.number(">d")),
        "UNICODE": lambda m: m.text(m.line(), "raw-unicode-escape"),
        "SHORT_BINUNICODE": lambda m: m.text(m.counted("<B"), "utf-8"),
        "BINUNICODE": lambda m: m.text(m.counted("<I"), "utf-8"),
        "BINUNICODE8": lambda m: m.text(m.counted("<Q"), "utf-8"),
        "SHORT_BINBYTES": lambda m: m.stack.append(bytes(m.counted("<B"))),
        "BINBYTES": lambda m: m.stack.append(m.counted("<I")),
        "BINBYTES8": lambda m: m.stack.append(m.counted("<Q")),
        "BYTEARRAY8": lambda m: m.stack.append(m.counted("<Q")),
        "EMPTY_LIST": lambda m: m.stack.append([]),
        "LIST": lambda m: m.stack.append(m.since_mark()),
        "APPEND": lambda m: list.append(m.stack[-2], m.stack.pop()),
        "APPENDS": lambda m: m.fill(list.extend, m.since_mark()),
        "EMPTY_TUPLE": lambda m: m.stack.append(()),
        "TUPLE": lambda m: m.stack.append(tuple(m.since_mark())),
        "TUPLE1": lambda m: m.group(1),
        "TUPLE2": lambda m: m.group(2),
        "TUPLE3": lambda m: m.group(3),
        "EMPTY_DICT": lambda m: m.stack.append({}),
        "DICT": lambda m: m.stack.append(dict(_pairs(m.since_mark()))),
        "SETITEM": lambda m: m.fill(dict.update, _pairs([m.pop(), m.pop()][::-1])),
        "SETITEMS": lambda m: m.fill(dict.update, _pairs(m.since_mark())),
        "EMPTY_SET": lambda m: m.stack.append(set()),
        "ADDITEMS": lambda m: m.fill(set.update, _keys(m.since_mark())),
        "FROZENSET": lambda m: m.stack.append(frozenset(_keys(m.since_mark()))),
        "GET": lambda m: m.get(int(m.line())),
        "BINGET": lambda m: m.get(m.number("<B")),
        "LONG_BINGET": lambda m: m.get(m.number("<I")),
        "PUT": lambda m: m.put(int(m.line())),
        "BINPUT": lambda m: m.put(m.number("<B")),
        "LONG_BINPUT": lambda m: m.put(m.number("<I")),
        "MEMOIZE": lambda m: m.put(len(m.memo)),
        "GLOBAL": lambda m: m.stack.append(_name(str(m.line(), "utf-8"), str(m.line(), "utf-8"))),
        "STACK_GLOBAL": lambda m: m.stack.append(_name(*[m.pop(), m.pop()][::-1])),
        "REDUCE": _Machine.call,
        "BUILD": _Machine.build,
    }.items()
}
