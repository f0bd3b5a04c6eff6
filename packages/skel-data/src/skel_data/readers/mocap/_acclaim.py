"""Acclaim motion capture: a skeleton (``.asf``) and motions of it (``.amc``), and where the joints are.

A skeleton says of each bone its direction and length at rest, the axes it turns about and which turns are
free. A motion says for each frame where the root is and how far each bone has turned. A joint is the far
end of the bone of the same name; the root is a joint of its own.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import PurePosixPath

import numpy as np
from attrs import define, evolve
from numpy.typing import NDArray

from skel_data._clip import BadFile, Clip
from skel_data._layout import SkeletonLayout
from skel_data.readers._reader import Work, find_each
from skel_data.readers._source import Source

Floats = NDArray[np.float64]

INCH = 0.0254  # metres
_FAR = 1e9
_ROOT = b"root"

_Fields = dict[bytes, tuple[int, list[bytes]]]


@define(frozen=True, eq=False)
class Skeleton:
    """The bones of one actor, V of them with the root, which comes first; parents come before children.

    Attributes:
        bones: Name of each bone.
        parents: Parent of each bone; the root is its own.
        offsets: From the start to the end of each bone at rest (V, 3), in the unit of the file.
        axes: The axes that each bone turns about, as columns (V, 3, 3).
        orders: Which axis each bone turns about first, second and third, such as ``xyz``.
        channels: What a motion says of each bone, ``tx`` to ``rz``, in its order.
        length: What the file's unit of length is divided by.
        degrees: Whether the file's angles are degrees.
    """

    bones: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Floats
    axes: Floats
    orders: tuple[str, ...]
    channels: tuple[tuple[str, ...], ...]
    length: float
    degrees: bool


def turn(angles: Sequence[Floats | float], axes: str) -> Floats:
    """Rotation matrices (T, 3, 3): the product, from left to right, of turns about coordinate axes.

    Args:
        angles: One array (T) of radians, or one number, per axis.
        axes: Letters x, y, z. ``zyx`` turns about x first if the axes stand still, last if they turn along.
    """
    total = np.eye(3)[None]
    for angle, axis in zip(angles, axes, strict=True):
        one = np.zeros((np.size(angle), 3, 3))
        here = "xyz".index(axis)
        a, b = (here + 1) % 3, (here + 2) % 3
        one[:, here, here] = 1
        one[:, a, a] = one[:, b, b] = np.cos(angle)
        one[:, b, a] = np.sin(angle)
        one[:, a, b] = -one[:, b, a]
        total = total @ one
    return total


def forward(parents: Sequence[int], turns: Floats, steps: Floats, carriers: Sequence[int]) -> Floats:
    """Forward kinematics of a tree whose root comes first and whose parents come before their children.

    Args:
        parents: Parent of each joint; that of the root is not used.
        turns: How each joint is turned against its parent (T, V, 3, 3).
        steps: From the parent to the joint (T, V, 3), in the axes of the joint's carrier; for the root,
            where it is.
        carriers: The joint whose turning carries the step: a joint itself, or its parent.

    Returns:
        Positions (T, V, 3), in the unit of the steps.
    """
    world = turns.copy()
    positions = np.empty(turns.shape[:-1])
    positions[:, 0] = steps[:, 0]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        world[:, joint] = world[:, parent] @ turns[:, joint]
        step = world[:, carriers[joint]] @ steps[:, joint, :, None]
        positions[:, joint] = positions[:, parent] + step[..., 0]
    return positions


def pose(skeleton: Skeleton, motion: Floats) -> Floats:
    """Positions (T, V, 3) of the bones' ends, in the unit of the file.

    Args:
        skeleton: The bones.
        motion: A column for each channel (T, sum of channels), angles in radians, as `parse_amc` gives it.
    """
    frames, count = len(motion), len(skeleton.bones)
    turns, steps = np.empty((frames, count, 3, 3)), np.tile(skeleton.offsets, (frames, 1, 1))
    column = 0
    for bone, channels in enumerate(skeleton.channels):
        values = {channel: motion[:, column + i] for i, channel in enumerate(channels)}
        column += len(channels)
        order = [axis for axis in reversed(skeleton.orders[bone]) if "r" + axis in values]
        own = turn([values["r" + axis] for axis in order], "".join(order))
        turns[:, bone] = skeleton.axes[bone] @ own @ skeleton.axes[bone].T
        for i, axis in enumerate("xyz"):
            if "t" + axis in values:
                steps[:, bone, i] = values["t" + axis]
    return forward(skeleton.parents, turns, steps, range(count))


@lru_cache(maxsize=8)  # a skeleton serves many motions
def parse_asf(data: bytes) -> Skeleton:
    """Read a skeleton.

    Raises:
        ValueError: With the line and the reason, if the text is not a skeleton, or has what is not supported:
            free lengths and displacements of bones, a root that is moved or turned at rest.
    """
    units: _Fields = {}
    root: _Fields = {}
    blocks: list[_Fields] = []
    tree: list[tuple[int, list[bytes]]] = []
    section = b""
    for at, line in enumerate(data.split(b"\n"), 1):
        parts = line.split()
        if not parts or parts[0].startswith(b"#"):
            continue
        key = parts[0].lower()
        if key.startswith(b":"):
            section = key
        elif section == b":units":
            units[key] = at, parts[1:]
        elif section == b":root":
            root[key] = at, parts[1:]
        elif section == b":bonedata" and key == b"begin":
            blocks.append({b"begin": (at, [])})
        elif section == b":bonedata" and blocks:
            blocks[-1][key] = at, parts[1:]
        elif section == b":hierarchy" and key not in (b"begin", b"end"):
            tree.append((at, parts))
    if not blocks or not tree:
        raise ValueError(f"no {':hierarchy' if blocks else ':bonedata'} section: not a skeleton, or cut off")

    at, word = units.get(b"angle", (0, [b"deg"]))
    if word not in ([b"deg"], [b"rad"]):
        raise ValueError(f"line {at}: the unit of angles is {_text(word)}, expected deg or rad")
    degrees = word == [b"deg"]
    length = float(_numbers(units, b"length", 1)[0]) if b"length" in units else 1.0
    if not length >= 1e-6:
        raise ValueError(f"line {units[b'length'][0]}: a unit of length of {length}")
    for key in (b"position", b"orientation"):
        if key in root and _numbers(root, key, 3).any():
            raise ValueError(f"line {root[key][0]}: a root with another {key.decode()} than 0 0 0")
    root.setdefault(b"order", (0, b"tx ty tz rx ry rz".split()))
    bones = {_ROOT: (np.zeros(3), np.eye(3), _order(root, [b"xyz"]), _channels(root, b"order", "tr"))}
    for block in blocks:
        name, bone = _bone(block, degrees)
        if name in bones:
            raise ValueError(f"line {block[b'begin'][0]}: a second bone {_text([name])}")
        bones[name] = bone
    parents = _parents(tree, bones.keys())
    offsets, axes, orders, channels = zip(*(bones[name] for name in parents), strict=True)
    places = {name: place for place, name in enumerate(parents)}
    return Skeleton(
        tuple(_text([name]) for name in parents),
        tuple(places[parent] for parent in parents.values()),
        np.array(offsets),
        np.array(axes),
        orders,
        channels,
        length,
        degrees,
    )


def _bone(block: _Fields, degrees: bool) -> tuple[bytes, tuple[Floats, Floats, str, tuple[str, ...]]]:
    """Name of a bone, and its offset, axes, order and channels."""
    at, words = block.get(b"name", (block[b"begin"][0], []))
    if len(words) != 1:
        raise ValueError(f"line {at}: a bone must have a name of one word, found {_text(words)!r}")
    for key in (b"direction", b"length", b"axis"):
        if key not in block:
            raise ValueError(f"line {block[b'begin'][0]}: bone {_text(words)} has no {key.decode()}")
    offset = _numbers(block, b"direction", 3) * _numbers(block, b"length", 1)
    at, values = block[b"axis"]
    order = _order(block, values[3:])
    angles = dict(zip(order, row_numbers([values[:3]], [at]), strict=True))
    axes = turn([np.deg2rad(angles[x]) if degrees else angles[x] for x in reversed(order)], order[::-1])[0]
    return words[0], (offset, axes, order, _channels(block, b"dof", "r") if b"dof" in block else ())


def _numbers(fields: _Fields, key: bytes, count: int) -> Floats:
    at, values = fields[key]
    if len(values) != count:
        raise ValueError(f"line {at}: {key.decode()} must have {count} numbers, found {_text(values)!r}")
    return row_numbers([values], [at])


def _order(fields: _Fields, usual: list[bytes]) -> str:
    """Order of the axes at the end of the line `axis`, in small letters."""
    at, values = fields.get(b"axis", (0, usual))
    order = _text(values[-1:]).lower()
    if len(values) not in (1, 4) or sorted(order) != ["x", "y", "z"]:
        raise ValueError(f"line {at}: axis must end with an order such as XYZ, found {_text(values)!r}")
    return order


def _channels(fields: _Fields, key: bytes, kinds: str) -> tuple[str, ...]:
    at, values = fields[key]
    known = [kind + axis for kind in kinds for axis in "xyz"]
    channels = tuple(_text([value]).lower() for value in values)
    if not set(channels) <= set(known) or len(set(channels)) != len(channels):
        raise ValueError(
            f"line {at}: {key.decode()} may have {' '.join(known)} once each, found {_text(values)}"
        )
    return channels


def _parents(tree: list[tuple[int, list[bytes]]], bones: Collection[bytes]) -> dict[bytes, bytes]:
    """Parent of each bone, from the root down."""
    parents = {_ROOT: _ROOT}
    for at, (parent, *children) in tree:
        if parent not in parents:
            raise ValueError(f"line {at}: {_text([parent])} has children before it has a parent")
        for child in children:
            if child not in bones or child in parents:
                what = "a second parent" if child in parents else "no :bonedata"
                raise ValueError(f"line {at}: bone {_text([child])} has {what}")
            parents[child] = parent
    if len(parents) != len(bones):
        lost = [name for name in bones if name not in parents]
        raise ValueError(f"bones that are not in the :hierarchy: {_text(lost[:5])}; cut off?")
    return parents


def parse_amc(data: bytes, skeleton: Skeleton) -> Floats:
    """Read a motion of a skeleton.

    A bone that a frame leaves out is not turned there. Only the last frame may not have fewer bones than
    the one before: that is how a file that is cut off looks.

    Returns:
        A column for each channel of each bone (T, sum of channels): radians, and the unit of the file.

    Raises:
        ValueError: With the line and the reason, if the text is not a motion of this skeleton.
    """
    bones = {name.encode(): bone for bone, name in enumerate(skeleton.bones)}
    sizes = [len(channels) for channels in skeleton.channels]
    degrees = skeleton.degrees
    numbers: list[int] = []  # of the frames
    where: list[int] = []  # bone and frame of each row, as one number
    rows: list[list[bytes]] = []
    lines: list[int] = []
    for at, line in enumerate(data.split(b"\n"), 1):
        parts = line.split()
        if not parts:
            continue
        name = parts[0]
        if name in bones and numbers:
            bone = bones[name]
            if len(parts) - 1 != sizes[bone]:
                raise ValueError(
                    f"line {at}: {len(parts) - 1} numbers for {_text([name])}, expected {sizes[bone]}"
                )
            where.append((len(numbers) - 1) * len(bones) + bone)
            rows.append(parts[1:])
            lines.append(at)
        elif len(parts) == 1 and name.isdigit() and len(name) < 10:
            numbers.append(int(name))
            if numbers[-1] != numbers[0] + len(numbers) - 1:
                raise ValueError(f"line {at}: frame {numbers[-1]} follows frame {numbers[-2]}")
        elif name.startswith(b":"):
            if name.lower() in (b":degrees", b":radians"):
                degrees = name.lower() == b":degrees"
        elif not name.startswith(b"#"):
            raise ValueError(
                f"line {at}: the skeleton has no bone {_text([name])!r}"
                if numbers
                else f"line {at}: expected the number of a frame, found {_text([line])!r}"
            )
    if not numbers:
        raise ValueError("no frame")
    frames, bone_of = np.divmod(np.array(where, dtype=np.int64), len(bones))
    _check_frames(numbers, np.array(where, dtype=np.int64), frames, bone_of, lines)

    values = row_numbers(rows, lines)
    widths = np.array(sizes)
    counts = widths[bone_of]
    within = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    motion = np.zeros((len(numbers), widths.sum()))
    motion[np.repeat(frames, counts), np.repeat((np.cumsum(widths) - widths)[bone_of], counts) + within] = (
        values
    )
    if degrees:
        angles = [channel.startswith("r") for channel in chain(*skeleton.channels)]
        motion[:, angles] = np.deg2rad(motion[:, angles])
    return motion


def _check_frames(
    numbers: list[int],
    where: NDArray[np.int64],
    frames: NDArray[np.int64],
    bones: NDArray[np.int64],
    lines: list[int],
) -> None:
    again = np.setdiff1d(np.arange(len(where)), np.unique(where, return_index=True)[1])
    if again.size:
        raise ValueError(f"line {lines[again[0]]}: a bone for the second time in a frame")
    rooted = np.bincount(frames[bones == 0], minlength=len(numbers)) > 0
    if not rooted.all():
        raise ValueError(f"frame {numbers[int(rooted.argmin())]} has no root")
    sizes = np.bincount(frames)
    if len(sizes) > 1 and sizes[-1] < sizes[-2]:
        raise ValueError(f"cut off in the last frame: {sizes[-1]} bones, the frame before has {sizes[-2]}")


def row_numbers(rows: list[list[bytes]], lines: list[int]) -> Floats:
    """The numbers of several lines, one after another.

    Args:
        rows: The words of each line.
        lines: Where in the file each line is, for errors.

    Raises:
        ValueError: With the line, if a word is not a number, or one that is not finite or far off.
    """
    words = list(chain.from_iterable(rows))
    try:
        values = np.array(list(map(float, words)), dtype=np.float64)
        if b"_" not in b"".join(words) and (np.abs(values) < _FAR).all():
            return values
    except ValueError:
        pass
    line, word = next(
        (at, word) for row, at in zip(rows, lines, strict=True) for word in row if not _is_number(word)
    )
    raise ValueError(f"line {line}: not a number, or one that is not finite or far off: {_text([word])!r}")


def _is_number(word: bytes) -> bool:
    try:
        return b"_" not in word and abs(float(word)) < _FAR
    except ValueError:
        return False


def _text(words: Sequence[bytes]) -> str:
    return b" ".join(words).decode(errors="replace").strip()[:60]


def find_motions(
    source: Source, parse: Callable[..., Clip], skeleton_of: Callable[[str], str]
) -> Iterator[Work | BadFile]:
    """One share of work for each motion of a source: its path, its content and that of its skeleton.

    The skeleton lies in the motion's folder, or else anywhere in the source.

    Args:
        source: The files.
        parse: Makes a clip of them.
        skeleton_of: Name of a motion's skeleton, without suffix, from the name of the motion without suffix;
            raises ValueError with the reason if there is none.
    """
    skeletons: dict[PurePosixPath, bytes] = {}
    anywhere: dict[str, bytes] = {}
    for entry in source:
        if not isinstance(entry, BadFile) and entry[0].lower().endswith(".asf"):
            path = PurePosixPath(entry[0].lower())
            try:
                skeletons[path] = anywhere[path.name] = entry[1]()
            except ValueError:  # then its motions have none
                continue
    for work in find_each(source, ".amc", parse):
        if isinstance(work, BadFile):
            yield work
            continue
        name, data = work.args
        path = PurePosixPath(work.name.lower())
        try:
            file = skeleton_of(name) + ".asf"
        except ValueError as error:
            yield BadFile(work.name, str(error))
            continue
        skeleton = skeletons.get(path.with_name(file.lower()), anywhere.get(file.lower()))
        if skeleton is None:
            yield BadFile(work.name, f"its skeleton {file} is not in {source.name}, or cannot be read")
        else:
            yield evolve(work, args=(work.name, data, skeleton))


def positions_in_metres(data: bytes, skeleton_data: bytes, layout: SkeletonLayout) -> Floats:
    """Positions (T, V, 3) of the joints of a layout, from files whose unit of length is 1/`length` inch.

    Args:
        data: Content of the motion.
        skeleton_data: Content of the skeleton.
        layout: Its joints have the names and the parents of the skeleton's bones, in any order.

    Raises:
        ValueError: With the reason, if one is malformed or has other bones.
    """
    try:
        skeleton = parse_asf(skeleton_data)
    except ValueError as error:
        raise ValueError(f"in its skeleton: {error}") from error
    found = {
        bone: skeleton.bones[parent] for bone, parent in zip(skeleton.bones, skeleton.parents, strict=True)
    }
    wanted = {
        joint: layout.joints[parent] for joint, parent in zip(layout.joints, layout.parents, strict=True)
    }
    differ = sorted(name for name, _ in found.items() ^ wanted.items())
    if differ:
        raise ValueError(f"the skeleton is not that of layout {layout.name}: {', '.join(differ[:5])} differ")
    positions = pose(skeleton, parse_amc(data, skeleton))
    order = [skeleton.bones.index(joint) for joint in layout.joints]
    return positions[:, order] * (INCH / skeleton.length)
