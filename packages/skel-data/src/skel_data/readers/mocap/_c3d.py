"""C3D motion capture files (c3d.org): markers per frame, in binary.

A user's layout names the markers that become joints, in its order. What points up is told by
``POINT:Y_SCREEN``, if the file has it. Coordinates are in
metres if the files tell their unit (m, cm, mm), else in the unknown unit they are in. Analog
channels are passed over.
"""

from functools import partial

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._clip import Clip
from skel_data._layout import SkeletonLayout
from skel_data._up import AXES
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, Work, check_joints, find_each, layout_wanted, paths_of
from skel_data.readers._source import Source
from skel_data.store._info import DatasetInfo

_BLOCK = 512
_INTEL, _DEC, _MIPS = 84, 85, 86  # makers of processors, by the order of bytes in their numbers
_SIZES = {-1: 1, 1: 1, 2: 2, 4: 4}
_FASTEST = 1e5
_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}


@define(frozen=True)
class _Numbers:
    """Numbers in bytes, in the order of one maker of processors."""

    maker: int

    def words(self, data: bytes) -> NDArray[np.int16]:
        return np.frombuffer(data, ">i2" if self.maker == _MIPS else "<i2").astype(np.int16)

    def floats(self, data: bytes) -> NDArray[np.float64]:
        if self.maker == _DEC:  # halves swapped, and an exponent that is larger by 2
            halves = np.frombuffer(data, "<u2").reshape(-1, 2)[:, ::-1]
            return np.ascontiguousarray(halves).view("<f4")[:, 0].astype(np.float64) / 4
        return np.frombuffer(data, ">f4" if self.maker == _MIPS else "<f4").astype(np.float64)


def parse_c3d(data: bytes) -> tuple[tuple[str, ...], str, NDArray[np.float64]]:
    """Labels of the markers, their unit ('' if the file does not tell it), and positions (T, markers, 3).

    A marker that was not seen, by its negative residual, is NaN.

    Raises:
        ValueError: With the reason, if the file is malformed.
    """
    numbers, header, parameters = _opened(data)
    count, analog, data_block = header[1], header[2], header[8]
    scale = float(numbers.floats(data[12:16])[0])
    frames = _frames(header[3], header[4], parameters, numbers)
    labels = _labels(parameters)[:count]
    if len(labels) != count or not np.isfinite(scale) or data_block == 0:
        raise ValueError(
            f"{counted(count, 'marker')} with {counted(len(labels), 'label')}, scale {scale}, "
            f"data block {data_block}"
        )
    if count == 0:
        raise ValueError(f"no points in the file: it holds {analog} analog values a frame and nothing else")
    size = 4 if scale < 0 else 2
    at = (data_block - 1) * _BLOCK
    width = (4 * count + _analog(analog, header[9], 4 * count, frames * size, len(data) - at)) * size
    there = max(len(data) - at, 0) // width
    if not 1 <= frames <= there:
        raise ValueError(
            f"cut off: {counted(frames, 'frame')} announced, {there} in the file"
            if frames > 0
            else "no frame"
        )
    rows = np.frombuffer(data[at : at + frames * width], np.uint8).reshape(frames, width)
    rows = np.ascontiguousarray(rows[:, : 4 * count * size])
    with np.errstate(all="ignore"):  # any bytes may be there
        values = numbers.floats(rows.tobytes()) if scale < 0 else numbers.words(rows.tobytes()).astype(float)
        values = values.reshape(frames, count, 4)
        positions = values[..., :3] if scale < 0 else values[..., :3] * scale
        missing = ~(values[..., 3] >= 0) | ~np.isfinite(positions).all(-1)
    units = _strings(parameters.get(("POINT", "UNITS")))
    return labels, units[0] if units else "", np.where(missing[..., None], np.nan, positions)


def _opened(data: bytes) -> tuple[_Numbers, list[int], "_Parameters"]:
    """How numbers are written, the first words of the header, and the parameters."""
    if len(data) < 2 * _BLOCK or data[1] != 0x50 or data[0] == 0:
        raise ValueError("not a C3D file: it does not begin as one")
    start = (data[0] - 1) * _BLOCK
    maker = data[start + 3] if start + 3 < len(data) else 0
    if maker not in (_INTEL, _DEC, _MIPS):
        raise ValueError(f"not a C3D file, or cut off: kind of numbers {maker}, expected 84, 85 or 86")
    numbers = _Numbers(maker)
    header = numbers.words(data[:24]).view(np.uint16).astype(int).tolist()
    end = start + data[start + 2] * _BLOCK if data[start + 2] else len(data)
    return numbers, header, _parameters(data[:end], start + 4, numbers)


def _analog(stated: int, samples: int, markers: int, frame: int, there: int) -> int:
    """Analog values a frame; some files state the channels, of which each has several samples a frame.

    That is so if more than the rest of a block is left over behind the last frame, and so taken it is not.

    Args:
        stated: What the header states.
        samples: Samples per channel and frame, as the header has them.
        markers: Values of the markers a frame.
        frame: Bytes of one value of each frame.
        there: Bytes from the first frame to the end of the file.
    """
    if samples < 2 or there - (markers + stated) * frame < _BLOCK:
        return stated
    more = stated * samples
    return more if 0 <= there - (markers + more) * frame < _BLOCK else stated


def about(data: bytes) -> tuple[str, str, float]:
    """What the file tells of itself: the unit, what points up ('' each if it does not), frames a second or 0.

    Raises:
        ValueError: With the reason, if the file is malformed.
    """
    numbers, _, parameters = _opened(data)
    units, screen = (_strings(parameters.get(("POINT", name))) for name in ("UNITS", "Y_SCREEN"))
    up = screen[0].lower().removeprefix("+") if screen else ""
    rate = parameters.get(("POINT", "RATE"))
    given = numbers.floats(rate.data[:4])[0] if rate is not None and rate.kind == 4 and rate.data else 0.0
    return units[0] if units else "", up if up in AXES else "", float(given) if 0 < given < _FASTEST else 0.0


@define(frozen=True)
class _Parameter:
    kind: int
    dims: tuple[int, ...]
    data: bytes


_Parameters = dict[tuple[str, str], _Parameter]


def _parameters(data: bytes, at: int, numbers: _Numbers) -> _Parameters:
    """The parameters by group and name, in capitals, of a file up to the end of their section."""
    groups: dict[int, str] = {}
    found: list[tuple[int, str, _Parameter]] = []
    while at + 2 <= len(data) and data[at] != 0:
        length, group = np.frombuffer(data[at : at + 2], np.int8).tolist()
        at += 2
        name = data[at : at + abs(length)].decode(errors="replace").upper()
        at += abs(length)
        if at + 4 > len(data):
            break  # a last step in the other order of bytes leads here, or out of the section
        step = int(numbers.words(data[at : at + 2]).view(np.uint16)[0])
        if group < 0:
            groups[-group] = name
        else:
            kind, rank = np.frombuffer(data[at + 2 : at + 4], np.int8).tolist()
            dims = tuple(data[at + 4 : at + 4 + max(rank, 0)])
            begin = at + 4 + len(dims)
            size = int(np.prod(dims, dtype=object)) * _SIZES.get(kind, 0)
            content = data[begin : begin + size]
            if kind not in _SIZES or len(dims) != rank or rank > 7 or len(content) != size:
                raise ValueError(f"parameter {name[:20]!r} is malformed, or cut off")
            found.append((group, name, _Parameter(kind, dims, content)))
        if step == 0:
            break
        at += step
    return {(groups.get(group, ""), name): parameter for group, name, parameter in found}


def _strings(parameter: _Parameter | None) -> list[str]:
    if parameter is None or parameter.kind != -1 or not parameter.dims or not parameter.dims[0]:
        return []
    width = parameter.dims[0]
    pieces = [parameter.data[i : i + width] for i in range(0, len(parameter.data), width)]
    return [piece.split(b"\0")[0].decode(errors="replace").strip() for piece in pieces]


def _labels(parameters: _Parameters) -> tuple[str, ...]:
    labels = _strings(parameters.get(("POINT", "LABELS")))
    number = 2
    while ("POINT", f"LABELS{number}") in parameters:  # a parameter holds no more than 255
        labels += _strings(parameters["POINT", f"LABELS{number}"])
        number += 1
    return tuple(labels)


def _frames(first: int, last: int, parameters: _Parameters, numbers: _Numbers) -> int:
    """Number of frames; the header's own numbers end at 65535."""

    def whole(group: str, name: str) -> int | None:
        parameter = parameters.get((group, name))
        if parameter is None or not parameter.data:
            return None
        if parameter.kind == 4:
            value = float(numbers.floats(parameter.data[:4])[0])
            return int(value) if abs(value) < 1e9 else None
        if parameter.kind != 2:
            return None
        halves = numbers.words(parameter.data[:4]).view(np.uint16).tolist()
        return sum(int(half) << 16 * i for i, half in enumerate(halves))

    if last == 0xFFFF:
        start, end = whole("TRIAL", "ACTUAL_START_FIELD"), whole("TRIAL", "ACTUAL_END_FIELD")
        if start is not None and end is not None:
            return end - start + 1
        for name in ("LONG_FRAMES", "FRAMES"):
            frames = whole("POINT", name)
            if frames is not None:
                return frames
    return last - first + 1


def parse(name: str, data: bytes, joints: tuple[str, ...], metres: bool, up: str = "") -> Clip:
    """Make a clip of one file.

    The joints are labels of markers, with or without the subject's name and a colon before them. `metres`
    says whether the file must tell its unit, so that the clip is in metres, or must not; `up` what points up
    in the first file, if it is told.
    """
    labels, unit, positions = parse_c3d(data)
    _, own, rate = about(data)
    if own and up and own != up:
        raise ValueError(f"{own} points up, but {up} in the first file; import them apart, or give --up {up}")
    scale = _METRES.get(unit.lower())
    if (scale is not None) != metres:
        raise ValueError(f"unit {unit!r}, but the first file is {'' if metres else 'not '}in m, cm or mm")
    indices = [_marker_index(joint, labels) for joint in joints]
    positions = positions[:, indices] * (scale or 1.0)
    check_joints(positions[:, None], len(joints), 3)
    return Clip(positions[:, None], name, rate=rate)


def _marker_index(joint: str, labels: tuple[str, ...]) -> int:
    found = [i for i, label in enumerate(labels) if label == joint]
    found = found or [i for i, label in enumerate(labels) if label.rpartition(":")[2] == joint]
    if len(found) != 1:
        what = counted(len(found), "marker") if found else "no marker"
        raise ValueError(f"{what} {joint}; the file has {', '.join(labels)[:500]}")
    return found[0]


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    if layout is None:
        raise ValueError(
            f"{source.name}: markers have no bones, {layout_wanted()}; skel data layout FILE writes one"
        )
    unit, up = _first(source)
    metres = unit.lower() in _METRES
    info = DatasetInfo(layout, (), "metres" if metres else "unknown", up=up)
    return info, lambda files: find_each(files, ".c3d", parse, layout.joints, metres, up)


def _first(source: Source) -> tuple[str, str]:
    """The unit and the up axis of the first file that can be read; '' each if none can be."""
    for work in find_each(source, ".c3d", parse):
        if isinstance(work, Work):
            try:
                return about(work.args[1])[:2]
            except ValueError:  # reported when it is imported
                continue
    return "", ""


C3D = Reader(
    "c3d",
    None,
    None,
    (),
    None,
    ".c3d",
    units="unknown",
    describe=_describe,
    zeros_there=True,
    folders=partial(paths_of, suffix=".c3d"),
)
