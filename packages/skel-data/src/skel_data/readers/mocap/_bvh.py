"""BVH motion capture files: a tree of joints with offsets, and the turns of each joint per frame.

The layout is the tree that most files have, without its end sites, which have no turns of their own; a
user's layout picks joints by their names. The unit is whatever the file was made in. Channels turn a joint in
the order in which they are listed, along with the axes; a position channel replaces that coordinate
of the joint's offset.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import PurePosixPath

import numpy as np
from attrs import define

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data._words import counted
from skel_data.readers._reader import Find, Reader, find_each, paths_of
from skel_data.readers._source import Source
from skel_data.readers.arrays._open import open_file
from skel_data.readers.mocap._kinematics import Floats, forward, row_numbers, turn
from skel_data.store._info import DatasetInfo

_CHANNELS = {f"{axis}{kind}".encode(): kind[0] + axis for axis in "xyz" for kind in ("position", "rotation")}
_HEAD = re.compile(rb"frames\s*:?\s*(\d{1,9})\s+frame\s*time\s*:?\s*(\S+)", re.IGNORECASE)
_COMMENT = re.compile(rb"(?:(?<=\s)|^)(?:#|//)[^\n]*", re.MULTILINE)
_MOTION = re.compile(rb"[\r\n]\s*MOTION[^\r\n]*", re.IGNORECASE)
_FASTEST = 1e5
_Words = tuple[tuple[int, bytes], ...]


@define(frozen=True)
class Tree:
    """The joints of a file, in its order: the root comes first, parents come before children.

    Attributes:
        joints: Name of each joint.
        parents: Parent of each joint; the root is its own.
        offsets: From the parent to the joint.
        channels: What a frame says of each joint, ``px`` to ``rz``, in its order.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: tuple[tuple[float, ...], ...]
    channels: tuple[tuple[str, ...], ...]


@define(frozen=True, eq=False)
class Motion:
    """What a file holds.

    Attributes:
        tree: The joints.
        positions: Where they are (T, V, 3), in the unit of the file; NaN in frames that are damaged.
        rate: Frames a second; 0 if the file does not tell.
        damaged: What is wrong with which line, for each damaged frame.
    """

    tree: Tree
    positions: Floats
    rate: float
    damaged: list[str]


def parse_bvh(data: bytes) -> tuple[Tree, Floats]:
    """The tree of a file and the positions (T, V, 3) of its joints, in the unit of the file.

    Raises:
        ValueError: With the line and the reason, if the text is malformed.
    """
    motion = read_bvh(data)
    return motion.tree, motion.positions


def read_bvh(data: bytes) -> Motion:
    """Read a file.

    A byte order mark, any ends of lines, comments behind ``#`` or ``//``, rows that are wrapped, equal names
    of joints (the second gets a 2), and one frame more or fewer than announced are no faults. A row that has
    another number of numbers, or one that is none, is a damaged frame, if most rows are good.

    Raises:
        ValueError: With the line and the reason, if the text is malformed.
    """
    numbers, lines, start = _lines(data)
    tree = _tree(_words(numbers, lines[:start]))
    head, rows, places = lines[start + 1 : start + 3], lines[start + 3 :], numbers[start + 3 :]
    text = b" ".join(word for words in head for word in words)
    match = _HEAD.fullmatch(text) if len(head) == 2 else None
    if match is None:
        raise ValueError(f"line {numbers[start]}: MOTION must be followed by Frames: and Frame Time:")
    width, count = sum(map(len, tree.channels)), int(match[1])
    total = sum(map(len, rows))
    uneven = width > 0 and total % width == 0 and set(map(len, rows)) != {width}
    if uneven and abs(total // width - count) <= 1:  # wrapped
        every = _words(places, rows)
        places = [every[i][0] for i in range(0, total, width)]
        rows = [[word for _, word in every[i : i + width]] for i in range(0, total, width)]
    if not rows or abs(len(rows) - count) > 1:
        raise ValueError(
            f"{counted(count, 'frame')} announced, {len(rows)} in the file"
            + (f"; cut off? To read what is there, write Frames: {len(rows)}" if rows else "")
        )
    motion, damaged = _numbers(rows, places, width)
    try:
        rate = round(1 / float(match[2]), 3)
    except (ValueError, ZeroDivisionError):
        rate = 0.0
    return Motion(tree, _positions(tree, motion), rate if 0 < rate < _FASTEST else 0.0, damaged)


def _lines(data: bytes) -> tuple[Sequence[int], list[list[bytes]], int]:
    """Number and words of each line that has any, and which of these is MOTION."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"#" in data or b"//" in data:
        data = _COMMENT.sub(b"", data)
    lines = [line.split() for line in data.rstrip().split(b"\n")]
    numbers: Sequence[int] = range(1, len(lines) + 1)
    if not all(lines):
        numbers = [at for at, words in enumerate(lines, 1) if words]
        lines = [words for words in lines if words]
    start = next((i for i, words in enumerate(lines) if words[0].upper() == b"MOTION"), None)
    if start is None:
        raise ValueError("no MOTION: not a BVH file, or cut off")
    return numbers, lines, start


def _words(numbers: Sequence[int], lines: list[list[bytes]]) -> _Words:
    """The words of lines, each with the number of its line."""
    return tuple((at, word) for at, words in zip(numbers, lines, strict=False) for word in words)


def _numbers(rows: list[list[bytes]], places: Sequence[int], width: int) -> tuple[Floats, list[str]]:
    """The numbers of each row (T, width), NaN in those that are damaged, and what is wrong with these."""
    if set(map(len, rows)) == {width}:
        try:
            return row_numbers(rows, places).reshape(len(rows), width), []
        except ValueError:
            pass
    motion, damaged = np.full((len(rows), width), np.nan), []
    for frame, (at, words) in enumerate(zip(places, rows, strict=True)):
        try:
            if len(words) != width:
                raise ValueError(
                    f"line {at}: {counted(len(words), 'number')}, the joints have {counted(width, 'channel')}"
                )
            motion[frame] = row_numbers([words], [at])
        except ValueError as error:
            damaged.append(str(error))
            if 2 * len(damaged) > len(rows):
                raise ValueError(damaged[0]) from None
    return motion, damaged


def _positions(tree: Tree, motion: Floats) -> Floats:
    turns = np.empty((len(tree.joints), len(motion), 3, 3)).swapaxes(0, 1)  # what is used together, together
    steps = np.tile(tree.offsets, (len(motion), 1, 1))
    column = 0
    for joint, channels in enumerate(tree.channels):
        own = [motion[:, column + i] for i in range(len(channels))]
        column += len(channels)
        angles = [
            np.deg2rad(values) for values, channel in zip(own, channels, strict=True) if channel[0] == "r"
        ]
        turns[:, joint] = turn(angles, "".join(channel[1] for channel in channels if channel[0] == "r"))
        for values, channel in zip(own, channels, strict=True):
            if channel[0] == "p":
                steps[:, joint, "xyz".index(channel[1])] = values
    return forward(tree.parents, turns, steps, tree.parents)


@lru_cache(maxsize=4)
def _tree(words: _Words) -> Tree:
    """The tree that the words before MOTION tell; most files of a folder have the same."""
    joints: list[str] = []
    parents: list[int] = []
    offsets: dict[int, tuple[float, ...]] = {}
    channels: dict[int, tuple[str, ...]] = {}
    inside: list[int] = []  # the open joints, -1 for an end site
    i = 0
    while i < len(words):
        at, word = words[i]
        key = word.upper()
        if key in (b"ROOT", b"JOINT", b"END"):
            brace = next((j for j in range(i, len(words)) if words[j][1] == b"{"), len(words))
            name = _text(b" ".join(word for _, word in words[i + 1 : brace]))
            if key == b"ROOT" and joints and not inside:
                raise ValueError(
                    f"line {at}: a second ROOT {name}: two figures in one file; save each to its own"
                )
            if (key == b"ROOT") != (not joints) or (joints and (not inside or inside[-1] < 0)):
                raise ValueError(f"line {at}: {_text(word)} {name} is not where the tree may have one")
            if key == b"END":
                inside.append(-1)
            elif not name:
                raise ValueError(f"line {at}: no joint name")
            else:
                name = _distinct(name, joints)
                parents.append(inside[-1] if inside else 0)
                inside.append(len(joints))
                joints.append(name)
            i = brace + 1
        elif key == b"HIERARCHY" and i == 0:
            i += 1
        elif not inside:
            raise ValueError(f"line {at}: expected ROOT, found {_text(word)!r}")
        elif key == b"}":
            inside.pop()
            i += 1
        elif key == b"OFFSET":
            values = [word for _, word in words[i + 1 : i + 4]]
            if len(values) != 3:
                raise ValueError(f"line {at}: cut off in OFFSET")
            offsets[inside[-1]] = tuple(row_numbers([values], [at]).tolist())
            i += 4
        elif key == b"CHANNELS":
            count = words[i + 1][1] if i + 1 < len(words) else b""
            stop = i + 2 + (int(count) if count.isdigit() and len(count) == 1 else 0)
            named = [word.lower() for _, word in words[i + 2 : stop]]
            known = [_CHANNELS.get(word, "") for word in named]
            if str(len(named)).encode() != count or "" in known or len(set(known)) != len(known):
                raise ValueError(
                    f"line {at}: CHANNELS must give their number, then Xposition to Zrotation once each"
                )
            channels[inside[-1]] = tuple(known)
            i = stop
        else:
            raise ValueError(f"line {at}: unexpected {_text(word)!r}")
    if not joints or inside:
        raise ValueError("the tree of joints is cut off" if joints else "no ROOT")
    places = range(len(joints))
    if not set(places) <= set(offsets):
        raise ValueError(f"joint {joints[min(set(places) - set(offsets))]} has no OFFSET")
    return Tree(
        tuple(joints),
        tuple(parents),
        tuple(offsets[joint] for joint in places),
        tuple(channels.get(joint, ()) for joint in places),
    )


def _distinct(name: str, taken: list[str]) -> str:
    """The name, or with the first number from 2 on that makes it another."""
    names = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    return next(each for each in names if each not in taken)


def _text(word: bytes) -> str:
    return word[:60].decode(errors="replace")


def parse(
    name: str, data: bytes, joints: tuple[str, ...], parents: tuple[int, ...] | None
) -> Iterator[Clip | BadFile]:
    """Make a clip of one file, of these joints in their order, and tell its damaged frames.

    With their parents given, the file must have this very tree.
    """
    motion = read_bvh(data)
    tree, positions = motion.tree, motion.positions
    if parents is None:
        missing = [joint for joint in joints if joint not in tree.joints]
        if missing:
            raise ValueError(
                f"no joint {', '.join(missing[:5])}; the file has {', '.join(tree.joints)[:500]}"
            )
        positions = positions[:, [tree.joints.index(joint) for joint in joints]]
    elif (tree.joints, tree.parents) != (joints, parents):
        found, expected = (
            [f"{joint} under {names[parent]}" for joint, parent in zip(names, tops, strict=True)]
            + ["the end"]
            for names, tops in ((tree.joints, tree.parents), (joints, parents))
        )
        here = next(i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b)
        raise ValueError(
            f"another tree than most files have: joint {here} is {found[here]}, expected {expected[here]}"
        )
    yield from (BadFile(name, f"{reason}; the frame is missing in the clip") for reason in motion.damaged)
    yield Clip(positions[:, None], name, rate=motion.rate)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    if layout is not None:
        return DatasetInfo(layout, (), "unknown"), lambda files: find_each(
            files, ".bvh", parse, layout.joints, None
        )
    tree, others, count = _usual_tree(source)
    bones = [[joint, parent] for joint, parent in enumerate(tree.parents) if joint]
    layout = SkeletonLayout.from_dict(
        {"name": PurePosixPath(source.name).stem, "joints": tree.joints, "bones": bones}
    )
    have = "has" if others == 1 else "have"
    told = f"{others} of {count} files {have} another tree than most; a layout can pick joints that all have"
    info = DatasetInfo(layout, (), "unknown", notes=(told,) if others else ())
    return info, lambda files: find_each(files, ".bvh", parse, tree.joints, tree.parents)


def _usual_tree(source: Source) -> tuple[Tree, int, int]:
    """The tree that most files have, how many have another, and how many there are.

    Of trees that are equally frequent it is the first. If no file can be read, the error has the reason for
    the first.
    """
    reasons = []
    trees: dict[tuple[tuple[str, ...], tuple[int, ...]], Tree] = {}
    counts: Counter[tuple[tuple[str, ...], tuple[int, ...]]] = Counter()
    for path, head in _heads(source):
        try:
            tree = _tree_of(head())
            counts[trees.setdefault((tree.joints, tree.parents), tree).joints, tree.parents] += 1
        except ValueError as error:
            reasons.append(f"{path}: {error}")
    if not counts:
        raise ValueError(
            f"{source.name}: no .bvh file that can be read; {', '.join(reasons[:1])}".rstrip("; ")
        )
    usual, most = counts.most_common(1)[0]
    return trees[usual], counts.total() - most, counts.total()


@lru_cache(maxsize=64)  # most files of a folder have the same
def _tree_of(data: bytes) -> Tree:
    numbers, lines, start = _lines(data)
    return _tree(_words(numbers, lines[:start]))


def _heads(source: Source) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each file up to its frames, which are the most of it."""
    if source.in_any_order:
        for path in paths_of(source, ".bvh"):
            yield path, partial(_head, source, path)
        return
    for entry in source:
        if not isinstance(entry, BadFile) and entry[0].lower().endswith(".bvh"):
            yield entry[0], partial(_up_to_motion, entry[1])


def _head(source: Source, path: str) -> bytes:
    head, size = b"", 1 << 14
    with open_file(source, path) as file:
        while (piece := file.read(size)) and len(head) <= source.max_bytes:
            head += piece
            size *= 2
            if match := _MOTION.search(head):
                return head[: match.end()]
    return _not_empty(head)


def _up_to_motion(read: Callable[[], bytes]) -> bytes:
    data = _not_empty(read())
    match = _MOTION.search(data)
    return data if match is None else data[: match.end()]


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise ValueError("empty file")
    return data


BVH = Reader(
    "bvh",
    None,
    None,
    (),
    None,
    ".bvh",
    units="unknown",
    describe=_describe,
    zeros_there=True,
    folders=partial(paths_of, suffix=".bvh"),
)
