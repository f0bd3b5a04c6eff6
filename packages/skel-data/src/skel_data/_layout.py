"""Joint layouts: which joints a skeleton has and how they hang together.

Nothing in this project knows the number 25. Everything that depends on the joints asks a
`SkeletonLayout`: presets ship as TOML files beside this module, and a user's own layout is a
TOML file of the same form.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrs import define, field


@define(frozen=True)
class SkeletonLayout:
    """The joints of a skeleton. Indices count from 0.

    Attributes:
        name: Name of the layout, such as ``ntu-25``.
        joints: Name of each joint.
        parents: Parent of each joint; the root is its own parent, so its bone is zero.
        center: Joint that clips are centred on and that graph partitions refer to.
        mirror: Left-right permutation: ``mirror[j]`` is the joint on the other side.
        across: (left, right) pairs that tell where the body faces: shoulders, hips.
        parts: Named groups of joints, for masks and drawings.
        dims: Spatial coordinates a joint has, 2 or 3.
        confidence: Whether a confidence channel follows the coordinates.

    Raises:
        ValueError: If the fields contradict each other; the message names the field.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    center: int
    mirror: tuple[int, ...]
    across: tuple[tuple[int, int], ...]
    parts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    dims: int = field(default=3)
    confidence: bool = False

    def __attrs_post_init__(self) -> None:
        count = len(self.joints)
        if count == 0 or len(set(self.joints)) != count:
            raise ValueError(f"layout {self.name!r}: joints must be distinct names, got {self.joints}")
        if self.dims not in (2, 3):
            raise ValueError(f"layout {self.name!r}: dims must be 2 or 3, got {self.dims}")
        indices = {
            "parents": self.parents,
            "mirror": self.mirror,
            "center": (self.center,),
            "across": sum(self.across, ()),
            "parts": sum((group for _, group in self.parts), ()),
        }
        for key, values in indices.items():
            if any(not 0 <= value < count for value in values):
                raise ValueError(f"layout {self.name!r}: {key} must lie in 0..{count - 1}, got {values}")
        if len(self.parents) != count:
            raise ValueError(f"layout {self.name!r}: {count} joints but {len(self.parents)} parents")
        if len(self.mirror) != count or any(self.mirror[self.mirror[j]] != j for j in range(count)):
            raise ValueError(f"layout {self.name!r}: mirror must swap joints in pairs, got {self.mirror}")
        roots = [joint for joint, parent in enumerate(self.parents) if joint == parent]
        if len(roots) != 1:
            names = [self.joints[root] for root in roots]
            raise ValueError(f"layout {self.name!r}: exactly one joint is its own parent, got {names}")
        for joint in range(count):
            node = joint
            for _ in range(count):
                node = self.parents[node]
            if node != roots[0]:
                raise ValueError(
                    f"layout {self.name!r}: joint {self.joints[joint]!r} does not lead to the root"
                )

    @property
    def num_joints(self) -> int:
        """Number of joints, V."""
        return len(self.joints)

    @property
    def channels(self) -> int:
        """Channels of a clip, C: coordinates, and confidence where there is one."""
        return self.dims + int(self.confidence)

    @property
    def root(self) -> int:
        """The joint that is its own parent."""
        return next(joint for joint, parent in enumerate(self.parents) if joint == parent)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) pairs, without the root's own."""
        return tuple((joint, parent) for joint, parent in enumerate(self.parents) if joint != parent)

    def to_dict(self) -> dict[str, Any]:
        """A plain form of the layout that `from_dict` reads and JSON or TOML can hold."""
        names = self.joints
        return {
            "name": self.name,
            "dims": self.dims,
            "confidence": self.confidence,
            "joints": list(names),
            "bones": [[names[child], names[parent]] for child, parent in self.bones],
            "center": names[self.center],
            "mirror": [[names[a], names[b]] for a, b in enumerate(self.mirror) if a < b],
            "across": [[names[left], names[right]] for left, right in self.across],
            "parts": {part: [names[joint] for joint in group] for part, group in self.parts},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SkeletonLayout":
        """Build a layout from names and edges.

        Args:
            data: ``joints`` (names) and ``bones`` ([child, parent] pairs) are required. Optional:
                ``name``, ``dims``, ``confidence``, ``center`` (default: the root), ``mirror``
                ([left, right] pairs; default: found by names such as "left knee", "r_knee", "lknee"),
                ``across`` ([left, right] pairs; default: the mirror pairs nearest to the centre),
                ``parts`` (name to joints). Joints are given by name or by index from 0.

        Raises:
            ValueError: If a key is missing or unknown, or a joint does not exist.
        """
        unknown = set(data) - {*_REQUIRED, *_OPTIONAL}
        missing = set(_REQUIRED) - set(data)
        name = str(data.get("name", "custom"))
        if unknown or missing:
            raise ValueError(
                f"layout {name!r}: missing keys {sorted(missing)}, unknown keys {sorted(unknown)}; "
                f"known are {[*_REQUIRED, *_OPTIONAL]}"
            )
        joints = tuple(str(joint) for joint in data["joints"])

        def index(joint: str | int) -> int:
            if isinstance(joint, str) and joint in joints:
                return joints.index(joint)
            if isinstance(joint, int) and not isinstance(joint, bool) and 0 <= joint < len(joints):
                return joint
            raise ValueError(f"layout {name!r}: no joint {joint!r}; joints are {list(joints)}")

        parents = list(range(len(joints)))
        for child, parent in _pairs(name, "bones", data["bones"]):
            if parents[index(child)] != index(child):
                raise ValueError(f"layout {name!r}: joint {child!r} has two parents")
            parents[index(child)] = index(parent)
        roots = [joint for joint, parent in enumerate(parents) if joint == parent]
        center = index(data["center"]) if "center" in data else roots[0] if roots else 0

        if "mirror" in data:
            sides = [(index(left), index(right)) for left, right in _pairs(name, "mirror", data["mirror"])]
        else:
            sides = _sides_by_name(joints)
        mirror = list(range(len(joints)))
        for left, right in sides:
            mirror[left], mirror[right] = right, left

        if "across" in data:
            across = [(index(left), index(right)) for left, right in _pairs(name, "across", data["across"])]
        else:
            hops = _hops(parents, center)
            nearest = min((hops[left] for left, _ in sides), default=0)
            across = [(left, right) for left, right in sides if hops[left] == nearest]
        return cls(
            name=name,
            joints=joints,
            parents=tuple(parents),
            center=center,
            mirror=tuple(mirror),
            across=tuple(across),
            parts=tuple(
                (part, tuple(index(j) for j in group)) for part, group in data.get("parts", {}).items()
            ),
            dims=int(data.get("dims", 3)),
            confidence=bool(data.get("confidence", False)),
        )


_REQUIRED = ("joints", "bones")
_OPTIONAL = ("name", "dims", "confidence", "center", "mirror", "across", "parts")


def _pairs(name: str, key: str, pairs: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"layout {name!r}: {key} must hold pairs of joints, got {pair!r}")
    return pairs


def _sides_by_name(joints: Sequence[str]) -> list[tuple[int, int]]:
    """(left, right) pairs whose names differ in the side only."""
    places = {joint.lower(): place for place, joint in enumerate(joints)}
    sides = []
    for joint, place in places.items():
        for left, right in (("left", "right"), (r"(?<![a-z])l", "r")):  # "left knee"; "l_knee", "lknee"
            twin = re.sub(left, right, joint)
            if twin != joint and twin in places:
                sides.append((place, places[twin]))
                break
    return sides


def _hops(parents: Sequence[int], center: int) -> list[int]:
    """Edges between each joint and the centre, along the tree."""
    count = len(parents)
    hops = [count] * count
    hops[center] = 0
    for _ in range(count):
        for joint, parent in enumerate(parents):
            hops[joint] = min(hops[joint], hops[parent] + 1)
            hops[parent] = min(hops[parent], hops[joint] + 1)
    return hops


@cache
def layout_names() -> tuple[str, ...]:
    """Names of the preset layouts."""
    folder = files("skel_data") / "layouts"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir()))


@cache
def _preset(name: str) -> SkeletonLayout:
    text = (files("skel_data") / "layouts" / f"{name}.toml").read_text(encoding="utf-8")
    return SkeletonLayout.from_dict(tomllib.loads(text))


def get_layout(name: str | Path) -> SkeletonLayout:
    """The preset of this name, or the layout in a TOML file.

    Args:
        name: A preset (`layout_names` lists them) or the path of a ``.toml`` file.

    Raises:
        ValueError: If there is no such preset, or the file does not describe a layout.
        FileNotFoundError: If a ``.toml`` file is named that does not exist.

    >>> get_layout("ntu-25").num_joints
    25
    """
    if str(name) in layout_names():
        return _preset(str(name))
    path = Path(name)
    if path.suffix != ".toml":
        raise ValueError(
            f"no layout {str(name)!r}; presets are {', '.join(layout_names())}, or give a .toml file"
        )
    try:
        return SkeletonLayout.from_dict(
            {"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))}
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from error
