"""Acclaim skeletons (``.asf``): the bones of one actor, their axes at rest and their free turns."""

from collections.abc import Collection
from functools import lru_cache

import numpy as np
from attrs import define

from skel_data._words import counted
from skel_data.readers.mocap._kinematics import Floats, row_numbers, text_of, turn

INCH = 0.0254  # metres
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
        raise ValueError(f"line {at}: the unit of angles is {text_of(word)}, expected deg or rad")
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
            raise ValueError(f"line {block[b'begin'][0]}: a second bone {text_of([name])}")
        bones[name] = bone
    parents = _parents(tree, bones.keys())
    offsets, axes, orders, channels = zip(*(bones[name] for name in parents), strict=True)
    indices = {name: index for index, name in enumerate(parents)}
    return Skeleton(
        tuple(text_of([name]) for name in parents),
        tuple(indices[parent] for parent in parents.values()),
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
        raise ValueError(f"line {at}: a bone must have a name of one word, found {text_of(words)!r}")
    for key in (b"direction", b"length", b"axis"):
        if key not in block:
            raise ValueError(f"line {block[b'begin'][0]}: bone {text_of(words)} has no {key.decode()}")
    offset = _numbers(block, b"direction", 3) * _numbers(block, b"length", 1)
    at, values = block[b"axis"]
    order = _order(block, values[3:])
    angles = dict(zip(order, row_numbers([values[:3]], [at]), strict=True))
    axes = turn([np.deg2rad(angles[x]) if degrees else angles[x] for x in reversed(order)], order[::-1])[0]
    return words[0], (offset, axes, order, _channels(block, b"dof", "r") if b"dof" in block else ())


def _numbers(fields: _Fields, key: bytes, count: int) -> Floats:
    at, values = fields[key]
    if len(values) != count:
        raise ValueError(
            f"line {at}: {key.decode()} must have {counted(count, 'number')}, found {text_of(values)!r}"
        )
    return row_numbers([values], [at])


def _order(fields: _Fields, usual: list[bytes]) -> str:
    """Order of the axes at the end of the line `axis`, in small letters."""
    at, values = fields.get(b"axis", (0, usual))
    order = text_of(values[-1:]).lower()
    if len(values) not in (1, 4) or sorted(order) != ["x", "y", "z"]:
        raise ValueError(f"line {at}: axis must end with an order such as XYZ, found {text_of(values)!r}")
    return order


def _channels(fields: _Fields, key: bytes, kinds: str) -> tuple[str, ...]:
    at, values = fields[key]
    known = [kind + axis for kind in kinds for axis in "xyz"]
    channels = tuple(text_of([value]).lower() for value in values)
    if not set(channels) <= set(known) or len(set(channels)) != len(channels):
        raise ValueError(
            f"line {at}: {key.decode()} may have {' '.join(known)} once each, found {text_of(values)}"
        )
    return channels


def _parents(tree: list[tuple[int, list[bytes]]], bones: Collection[bytes]) -> dict[bytes, bytes]:
    """Parent of each bone, from the root down."""
    parents = {_ROOT: _ROOT}
    for at, (parent, *children) in tree:
        if parent not in parents:
            raise ValueError(f"line {at}: {text_of([parent])} has children before it has a parent")
        for child in children:
            if child not in bones or child in parents:
                what = "a second parent" if child in parents else "no :bonedata"
                raise ValueError(f"line {at}: bone {text_of([child])} has {what}")
            parents[child] = parent
    if len(parents) != len(bones):
        lost = [name for name in bones if name not in parents]
        raise ValueError(f"bones that are not in the :hierarchy: {text_of(lost[:5])}; cut off?")
    return parents
