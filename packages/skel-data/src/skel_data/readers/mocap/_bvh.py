"""BVH motion capture files: a tree of joints with offsets, and the turns of each joint per frame.

The layout is the tree of the first file, without its end sites, which have no turns of their own; a
user's layout picks joints by their names. The unit is whatever the file was made in. Channels turn a joint in
the order in which they are listed, along with the axes; a position channel replaces that coordinate
of the joint's offset.
"""

from pathlib import PurePosixPath

import numpy as np
from attrs import define

from skel_data._clip import Clip
from skel_data._layout import SkeletonLayout
from skel_data.readers._reader import Find, Reader, Work, find_each
from skel_data.readers._source import Source
from skel_data.readers.mocap._kinematics import Floats, forward, row_numbers, turn
from skel_data.store._info import DatasetInfo

_CHANNELS = {f"{axis}{kind}".encode(): kind[0] + axis for axis in "xyz" for kind in ("position", "rotation")}
_Words = list[tuple[int, bytes]]


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


def parse_bvh(data: bytes) -> tuple[Tree, Floats]:
    """The tree of a file and the positions (T, V, 3) of its joints, in the unit of the file.

    Raises:
        ValueError: With the line and the reason, if the text is malformed.
    """
    lines = [(at, line.split()) for at, line in enumerate(data.split(b"\n"), 1)]
    lines = [(at, words) for at, words in lines if words]
    start = next((i for i, (_, words) in enumerate(lines) if words[0].upper() == b"MOTION"), None)
    if start is None:
        raise ValueError("no MOTION: not a BVH file, or cut off")
    tree = _tree([(at, word) for at, words in lines[:start] for word in words])
    head, rows = lines[start + 1 : start + 3], lines[start + 3 :]
    keys, count = [words[0].lower() for _, words in head], head[0][1][-1] if head else b""
    if keys != [b"frames:", b"frame"] or not count.isdigit() or len(count) > 9:
        raise ValueError(f"line {lines[start][0]}: MOTION must be followed by Frames: and Frame Time:")
    width = sum(map(len, tree.channels))
    for at, words in rows:
        if len(words) != width:
            raise ValueError(f"line {at}: {len(words)} numbers, the joints have {width} channels")
    if int(count) != len(rows) or not rows:
        raise ValueError(f"{int(count)} frames announced, {len(rows)} in the file")
    motion = row_numbers([words for _, words in rows], [at for at, _ in rows]).reshape(len(rows), width)
    return tree, _positions(tree, motion)


def _positions(tree: Tree, motion: Floats) -> Floats:
    turns = np.empty((len(motion), len(tree.joints), 3, 3))
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


def _tree(words: _Words) -> Tree:
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
            if (key == b"ROOT") != (not joints) or (joints and (not inside or inside[-1] < 0)):
                raise ValueError(f"line {at}: {_text(word)} {name} is not where the tree may have one")
            if key == b"END":
                inside.append(-1)
            elif not name or name in joints:
                raise ValueError(f"line {at}: {'a second' if name else 'no'} joint name {name}".rstrip())
            else:
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


def _text(word: bytes) -> str:
    return word[:60].decode(errors="replace")


def parse(name: str, data: bytes, joints: tuple[str, ...], parents: tuple[int, ...] | None) -> Clip:
    """Make a clip of one file, of these joints in their order.

    With their parents given, the file must have this very tree.
    """
    tree, positions = parse_bvh(data)
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
            f"another tree than in the first file: joint {here} is {found[here]}, expected {expected[here]}"
        )
    return Clip(positions[:, None], name)


def _describe(source: Source, layout: SkeletonLayout | None) -> tuple[DatasetInfo, Find]:
    if layout is None:
        tree = _first_tree(source)
        wanted: tuple[tuple[str, ...], tuple[int, ...] | None] = tree.joints, tree.parents
        bones = [[joint, parent] for joint, parent in enumerate(tree.parents) if joint]
        layout = SkeletonLayout.from_dict(
            {"name": PurePosixPath(source.name).stem, "joints": tree.joints, "bones": bones}
        )
    else:
        wanted = layout.joints, None
    return DatasetInfo(layout, (), "unknown"), lambda files: find_each(files, ".bvh", parse, *wanted)


def _first_tree(source: Source) -> Tree:
    """The tree of the first file that can be read; if none can be, the error has the reason for the first."""
    reasons = []
    for work in find_each(source, ".bvh", parse):
        try:
            if isinstance(work, Work):
                return parse_bvh(work.args[1])[0]
            reasons.append(f"{work.name}: {work.reason}")
        except ValueError as error:
            reasons.append(f"{work.name}: {error}")
    raise ValueError(f"{source.name}: no .bvh file that can be read; {', '.join(reasons[:1])}".rstrip("; "))


BVH = Reader("bvh", None, None, (), None, ".bvh", units="unknown", describe=_describe, zeros_there=True)
