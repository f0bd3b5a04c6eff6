"""Columns of a table by the names in its header: joints with their axes, frames, bodies, facts of clips."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from attrs import define, evolve

from skel_data._joint_names import joint_names
from skel_data._layout import SkeletonLayout, get_layout, layout_names
from skel_data._words import counted
from skel_data.readers._reader import layout_wanted

FACTS: Mapping[str, tuple[str, ...]] = {
    "clip": (
        "clip",
        "clip id",
        "video",
        "video id",
        "video name",
        "sequence",
        "sequence id",
        "sample",
    ),
    "label": ("label", "class", "action", "activity", "category", "gesture", "class name"),
    "frame": (
        "frame",
        "frame id",
        "frame index",
        "frame idx",
        "frame number",
        "frame num",
        "frame no",
        "image id",
    ),
    "body": (
        "person",
        "person id",
        "track",
        "track id",
        "body",
        "body id",
        "individual",
        "player",
        "id",
        "idx",
    ),
    "subject": ("subject", "subject id", "actor", "performer", "participant"),
    "camera": ("camera", "camera id", "view"),
    "split": ("split", "part", "subset"),
    "joint": (
        "joint",
        "joint name",
        "joint id",
        "landmark",
        "landmark id",
        "landmark index",
        "landmark name",
        "keypoint",
        "keypoint id",
        "keypoint name",
        "bodypart",
        "marker",
    ),
}
"""What the column of each fact may be called, best first."""

_CONFIDENCE = (
    "visibility",
    "likelihood",
    "confidence",
    "score",
    "conf",
    "vis",
    "probability",
    "v",
    "c",
    "p",
    "s",
)
_AXES = {axis: axis for axis in "xyz"} | dict.fromkeys(_CONFIDENCE, "c")
_LONG_AXIS = "|".join(("x", "y", "z", *_CONFIDENCE))
_BEHIND = re.compile(
    rf"(.+?)(?:[\s_.:\-/\[(]+|(?<=[\d\]])|(?<=[a-z])(?=[XYZ]$))({_LONG_AXIS})[\])]?", re.IGNORECASE
)
_BEFORE = re.compile(rf"({_LONG_AXIS})[\s_.:\-/\[(]*(\d+|(?<=[\s_.:\-/\[(])\D.*?)[\])]?", re.IGNORECASE)


@define(frozen=True)
class Columns:
    """Where in a table what is.

    Attributes:
        facts: Column of each fact that the table has.
        joints: Column of each axis, x, y, z and c for confidence, by joint. A long table, which has a row for
            each joint, has one entry here, whose name is empty.
    """

    facts: dict[str, int]
    joints: dict[str, dict[str, int]]

    @property
    def long(self) -> bool:
        """Whether each row has one joint only."""
        return set(self.joints) == {""}

    @property
    def axes(self) -> str:
        """The axes that every joint has, of xyzc."""
        return "".join(axis for axis in "xyzc" if all(axis in found for found in self.joints.values()))


def find_columns(header: Sequence[str]) -> Columns:
    """The columns of a header.

    Raises:
        ValueError: If no joint is in it.
    """
    names = [name.strip().strip('"').lstrip("\ufeff") for name in header]
    plain = [re.sub(r"[\s_\-#]+", " ", name).strip().lower() for name in names]
    facts = {}
    for fact, words in FACTS.items():
        column = next((plain.index(word) for word in words if word in plain), None)
        if column is not None:
            facts[fact] = column
    if "joint" in facts and {"x", "y"} <= set(plain):
        axes = {}
        for word, axis in _AXES.items():
            if word in plain and axis not in axes:
                axes[axis] = plain.index(word)
        return Columns(facts, {"": axes})
    joints: dict[str, dict[str, int]] = {}
    taken = set(facts.values())
    for column, name in enumerate(names):
        behind, before = _BEHIND.fullmatch(name), _BEFORE.fullmatch(name)
        found = (behind[1], behind[2]) if behind else (before[2], before[1]) if before else None
        if found is None or column in taken:
            continue
        joint, axis = found[0].rstrip("_ .[("), _AXES[found[1].lower()]
        joints.setdefault(joint, {}).setdefault(axis, column)
    joints = {joint: axes for joint, axes in joints.items() if {"x", "y"} <= set(axes)}
    if not joints:
        raise ValueError(
            "no columns of joints, such as nose_x, nose_y or x0, y0 (or joint, x, y); "
            f"the columns are {', '.join(names)[:200]}"
        )
    return Columns(facts, joints)


def match_joints(names: Sequence[str], layout: SkeletonLayout) -> list[str]:
    """The name, as the table has it, of each joint of a layout: by name, or by number from 0 or 1.

    Raises:
        ValueError: If the table lacks a joint.
    """
    numbers = _numbers(names)
    if numbers is not None:
        first = min(numbers)
        if sorted(numbers) != list(range(first, first + layout.num_joints)) or first > 1:
            raise ValueError(
                f"joints numbered {first} to {max(numbers)}, "
                f"layout {layout.name} has {counted(layout.num_joints, 'joint')}"
            )
        return [names[numbers.index(first + joint)] for joint in range(layout.num_joints)]
    spelled, places = joint_names(_star(tuple(names)))
    found = dict(zip(reversed(spelled), reversed(names), strict=True))
    alike = {place: name for place, name in zip(places, names, strict=True) if places.count(place) == 1}
    wanted = [
        found.get(spelling) or alike.get(place) for spelling, place in zip(*joint_names(layout), strict=True)
    ]
    missing = [joint for joint, name in zip(layout.joints, wanted, strict=True) if name is None]
    if missing or len(set(wanted)) < len(wanted):
        lacking = f"no joint {', '.join(missing[:5])}" if missing else "not all joints"
        raise ValueError(f"{lacking} of layout {layout.name}; there are {', '.join(names)[:500]}")
    return [str(name) for name in wanted]


@lru_cache(maxsize=64)
def _star(names: tuple[str, ...]) -> SkeletonLayout:
    """A layout of these joints, in which only their names matter."""
    return SkeletonLayout.from_dict({"joints": names, "bones": [[i, 0] for i in range(1, len(names))]})


def _numbers(names: Sequence[str]) -> list[int] | None:
    found = [re.fullmatch(r"\D{0,12}?(\d{1,4})", name) for name in names]
    if not all(found) or len({re.sub(r"\d+$", "", name) for name in names}) > 1:
        return None
    return [int(match[1]) for match in found if match]


def choose_layout(names: Sequence[str], axes: str, layout: SkeletonLayout | None) -> SkeletonLayout:
    """The layout of joints with these names and axes: the user's, else the one preset that has just these.

    Raises:
        ValueError: If the user's does not fit, or there is no such preset.
    """
    dims = 3 if "z" in axes else 2
    if layout is None:
        fitting = [preset for preset in map(get_layout, layout_names()) if _fits(names, preset)]
        if _numbers(names) is not None:
            fitting = [preset for preset in fitting if preset.name == "mediapipe-33"]
        if not fitting:
            raise ValueError(
                f"{counted(len(names), 'joint')}, {', '.join(names)[:500]}, of which no preset has all, "
                f"{layout_wanted()}"
            )
        layout = evolve(fitting[0], dims=dims)
    if layout.dims != dims:
        raise ValueError(
            f"{counted(dims, 'coordinate')} for each joint, but layout {layout.name} has {layout.dims}"
        )
    match_joints(names, layout)
    return evolve(layout, confidence="c" in axes)


def _fits(names: Sequence[str], layout: SkeletonLayout) -> bool:
    if len(names) != layout.num_joints:
        return False
    try:
        match_joints(names, layout)
    except ValueError:
        return False
    return True
