"""Joint layouts: which joints a skeleton has and how they hang together.

Nothing in this project knows the number 25. Everything that depends on the joints asks a
`SkeletonLayout`: presets ship as TOML files beside this module, and a user's own layout is a
TOML file of the same form.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from attrs import define, field

from skel_data._words import counted

Pair = tuple[int, int]

_PRESETS = Path(__file__).with_name("layouts")

MIDDLE, LEFT, RIGHT = range(3)
"""Sides of the body, as in `SkeletonLayout.sides`."""


@define(frozen=True, slots=False)
class SkeletonLayout:
    """Joint layout of a skeleton: names, tree, and left and right. Joint indices count from 0.

    Attributes:
        name: Name of the layout, such as ``ntu-25``.
        joints: Name of each joint.
        parents: Parent of each joint; the root is its own parent, so its bone is zero.
        center: Joint that clips are centred on and that graph partitions refer to.
        mirror: Left-right permutation: ``mirror[j]`` is the joint on the other side.
        shoulders: The (left, right) shoulder joints; None: the layout names none.
        hips: The (left, right) hip joints; None: the layout names none.
        parts: Named groups of joints, for masks and drawings.
        dims: Spatial coordinates a joint has, 2 or 3.
        confidence: Whether a confidence channel follows the coordinates.
        across: More than two left-right pairs that `facing` gives, of a file of an earlier version.

    Raises:
        ValueError: If the fields contradict each other; the message names the field.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    center: int
    mirror: tuple[int, ...]
    shoulders: Pair | None = None
    hips: Pair | None = None
    parts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    dims: int = 3
    confidence: bool = False
    _across: tuple[Pair, ...] = field(default=(), repr=False)

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
            "shoulders": self.shoulders or (),
            "hips": self.hips or (),
            "across": tuple(chain.from_iterable(self._across)),
            "parts": tuple(chain.from_iterable(group for _, group in self.parts)),
        }
        for key, values in indices.items():
            if any(not 0 <= value < count for value in values):
                raise ValueError(f"layout {self.name!r}: {key} must lie in 0..{count - 1}, got {values}")
        if len(self.parents) != count:
            raise ValueError(
                f"layout {self.name!r}: {counted(count, 'joint')} but {counted(len(self.parents), 'parent')}"
            )
        if len(self.mirror) != count or any(self.mirror[self.mirror[j]] != j for j in range(count)):
            raise ValueError(f"layout {self.name!r}: mirror must swap joints in pairs, got {self.mirror}")
        roots = [joint for joint, parent in enumerate(self.parents) if joint == parent]
        if len(roots) != 1:
            names = [self.joints[root] for root in roots]
            raise ValueError(f"layout {self.name!r}: exactly one joint is its own parent, got {names}")
        top = list(self.parents)
        for _ in range(count.bit_length()):  # each time twice as far up
            top = [top[joint] for joint in top]
        lost = [name for name, end in zip(self.joints, top, strict=True) if end != roots[0]]
        if lost:
            raise ValueError(f"layout {self.name!r}: joint {lost[0]!r} does not lead to the root")

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

    @property
    def facing(self) -> tuple[Pair, ...]:
        """(left, right) pairs whose mean direction tells where a body faces: shoulders and hips, if known."""
        return self._across or tuple(pair for pair in (self.shoulders, self.hips) if pair is not None)

    @cached_property
    def sides(self) -> tuple[int, ...]:
        """Side of each joint (V): 0 in the middle, 1 left, 2 right.

        Of a mirrored pair the left joint is known by its name, or by that of a part that it is in; failing
        that by `facing`: it is on the side of the nearest of those joints. A joint that is its own mirror
        image, or whose side cannot be told, is in the middle.
        """
        words = [{joint.lower()} for joint in self.joints]
        for part, group in self.parts:
            for joint in group:
                words[joint].add(part.lower())
        sides = [MIDDLE] * self.num_joints
        for joint, twin in enumerate(self.mirror):
            if joint >= twin:
                continue
            lead = _named_left(words[joint], words[twin]) - _named_left(words[twin], words[joint])
            if lead == 0 and self.facing:
                near = [min(self.hops[joint][pair[side]] for pair in self.facing) for side in (0, 1)]
                lead = near[1] - near[0]
            if lead != 0:
                sides[joint], sides[twin] = (LEFT, RIGHT) if lead > 0 else (RIGHT, LEFT)
        return tuple(sides)

    @cached_property
    def hops(self) -> tuple[tuple[int, ...], ...]:
        """Bones on the way between each two joints (V, V)."""
        neighbours = self._neighbours()
        return tuple(_distances(joint, neighbours) for joint in range(self.num_joints))

    def hops_from(self, joint: int) -> tuple[int, ...]:
        """Bones on the way from a joint to each other one (V,)."""
        return _distances(joint, self._neighbours())

    def _neighbours(self) -> list[list[int]]:
        neighbours: list[list[int]] = [[] for _ in self.joints]
        for child, parent in self.bones:
            neighbours[child].append(parent)
            neighbours[parent].append(child)
        return neighbours

    def to_dict(self) -> dict[str, Any]:
        """A plain form of the layout that `from_dict` reads and JSON or TOML can hold."""
        names = self.joints
        sides = self.sides
        mirror = [(b, a) if sides[a] == RIGHT else (a, b) for a, b in enumerate(self.mirror) if a < b]
        known = {"shoulders": self.shoulders, "hips": self.hips}
        return {
            "name": self.name,
            "dims": self.dims,
            "confidence": self.confidence,
            "joints": list(names),
            "bones": [[names[child], names[parent]] for child, parent in self.bones],
            "center": names[self.center],
            "mirror": [[names[left], names[right]] for left, right in mirror],
            **{key: [names[joint] for joint in pair or ()] for key, pair in known.items()},
            **({"across": [[names[a], names[b]] for a, b in self._across]} if self._across else {}),
            "parts": {part: [names[joint] for joint in group] for part, group in self.parts},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SkeletonLayout":
        """Build a layout from names and edges.

        Args:
            data: ``joints`` (names) and ``bones`` ([child, parent] pairs) are required. Optional:
                ``name``, ``dims``, ``confidence``, ``center`` (default: the root), ``mirror``
                ([left, right] pairs; default: found by names such as "left knee", "r_knee", "lknee"),
                ``shoulders``, ``hips`` ([left, right]; ``[]``: none; default: the mirror pair that is called
                so, if there is exactly one), ``parts`` (name to joints). Joints are given by name or by
                index from 0. Earlier versions wrote ``across``, [left, right] pairs of which the first are
                the shoulders and, of several, the last the hips.

        Raises:
            ValueError: If a key is missing or unknown, a value is of another kind, or a joint does not exist.
        """
        try:
            return cls._from_dict(data)
        except (TypeError, AttributeError, KeyError, IndexError, OverflowError) as error:
            raise ValueError(f"a layout has a value of the wrong kind: {error}") from error

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> "SkeletonLayout":
        unknown = set(data) - {*_REQUIRED, *_OPTIONAL}
        missing = set(_REQUIRED) - set(data)
        name = str(data.get("name", "custom"))
        if unknown or missing:
            raise ValueError(
                f"layout {name!r}: missing keys {sorted(missing)}, unknown keys {sorted(unknown)}; "
                f"known are {[*_REQUIRED, *_OPTIONAL]}"
            )
        joints = tuple(str(joint) for joint in data["joints"])

        indices = {joint: index for index, joint in reversed([*enumerate(joints)])}

        def index(joint: str | int) -> int:
            if isinstance(joint, str) and joint in indices:
                return indices[joint]
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

        def pairs(key: str) -> list[Pair]:
            return [(index(left), index(right)) for left, right in _pairs(name, key, data[key])]

        sides = pairs("mirror") if "mirror" in data else _sides_by_name(joints)
        mirror = list(range(len(joints)))
        for left, right in sides:
            mirror[left], mirror[right] = right, left

        # Files of earlier versions have `across`; their clips stay what they were, so nothing is added to it
        known = {
            key: None if key in data and "across" not in data else _pair_by_name(joints, sides, words)
            for key, words in _PAIR_WORDS.items()
        }
        across = pairs("across") if "across" in data else []
        if len(across) == 1:
            known = {key: pair if pair == across[0] else None for key, pair in known.items()}
            if across[0] not in known.values():
                known["shoulders"] = across[0]
        elif "across" in data:
            known = dict(zip(known, (across[0], across[-1]) if across else (None, None), strict=True))
        for key in known.keys() & data.keys():
            named = _pairs(name, key, [data[key]] if data[key] else [])
            known[key] = next(((index(left), index(right)) for left, right in named), None)
        return cls(
            name=name,
            joints=joints,
            parents=tuple(parents),
            center=center,
            mirror=tuple(mirror),
            **known,
            parts=tuple(
                (part, tuple(index(j) for j in group)) for part, group in data.get("parts", {}).items()
            ),
            dims=int(data.get("dims", 3)),
            confidence=bool(data.get("confidence", False)),
            across=tuple(across) if len(across) > 2 else (),
        )


_REQUIRED = ("joints", "bones")
_OPTIONAL = ("name", "dims", "confidence", "center", "mirror", "shoulders", "hips", "parts", "across")
_PAIR_WORDS = {"shoulders": ("shoulder", "clavicle"), "hips": ("hip", "upleg")}
"""What joints of these pairs are called; clavicle by the bone that ends there, upleg by that which begins."""


def _pairs(name: str, key: str, pairs: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"layout {name!r}: {key} must hold pairs of joints, got {pair!r}")
    return pairs


def _sides_by_name(joints: Sequence[str]) -> list[tuple[int, int]]:
    """(left, right) pairs whose names differ in the side only."""
    indices = {joint.lower(): index for index, joint in enumerate(joints)}
    sides = []
    for joint, index in indices.items():
        twins = [twin for twin in _other_sides(joint) if twin in indices]
        if twins:
            sides.append((index, indices[twins[0]]))
    return sides


def _pair_by_name(joints: Sequence[str], sides: Sequence[Pair], words: Sequence[str]) -> Pair | None:
    """The one (left, right) pair whose left name contains the first of the words that any name contains."""
    names = [joint.lower() for joint in joints]
    sides = [(b, a) if _named_left({names[b]}, {names[a]}) else (a, b) for a, b in sides]
    for word in words:
        found = [pair for pair in sides if word in names[pair[0]]]
        if found:
            exact = [pair for pair in found if re.fullmatch(rf"(left|l)?\W*_*{word}", names[pair[0]])]
            return found[0] if len(found) == 1 else exact[0] if len(exact) == 1 else None
    return None


def _named_left(words: set[str], twins: set[str]) -> bool:
    """Whether "left" or "l" in a word, taken as "right" or "r", gives a word of the twin."""
    return any(twin in twins for word in words for twin in _other_sides(word))


def _other_sides(name: str) -> list[str]:
    """A name with its "left", or its "l" as in "l_knee" and "lknee", taken as "right" or "r"."""
    sides = (("left", "right"), (r"(?<![a-z])l", "r"))
    return [re.sub(left, right, name) for left, right in sides if re.search(left, name)]


def _distances(start: int, neighbours: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Steps from one joint to each other, breadth first."""
    hops = {start: 0}
    queue = [start]
    for joint in queue:
        for other in neighbours[joint]:
            if other not in hops:
                hops[other] = hops[joint] + 1
                queue.append(other)
    return tuple(hops[joint] for joint in range(len(neighbours)))


@cache
def layout_names() -> tuple[str, ...]:
    """Names of the preset layouts."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.toml")))


@cache
def _preset(name: str) -> SkeletonLayout:
    text = (_PRESETS / f"{name}.toml").read_text(encoding="utf-8")
    return SkeletonLayout.from_dict(tomllib.loads(text))


def get_layout(name: SkeletonLayout | str | Path) -> SkeletonLayout:
    """The preset of this name, or the layout in a TOML file.

    Args:
        name: A preset (`layout_names` lists them) or the path of a ``.toml`` file; a layout is given back.

    Raises:
        ValueError: If there is no such preset, or the file does not describe a layout.
        FileNotFoundError: If a ``.toml`` file is named that does not exist.

    >>> get_layout("ntu-25").num_joints
    25
    """
    if isinstance(name, SkeletonLayout):
        return name
    if str(name) in layout_names():
        return _preset(str(name))
    path = Path(name)
    if path.suffix != ".toml":
        raise ValueError(
            f"no layout {str(name)!r}; presets are {', '.join(layout_names())}, or give a .toml file"
        )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from error
    try:
        return SkeletonLayout.from_dict({"name": path.stem, **data})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
