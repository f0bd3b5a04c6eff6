"""Joint names: one spelling of each, and the place on the body that it means within its layout."""

import re
import tomllib
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from skel_data._layout import SkeletonLayout

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("synonyms.toml").read_text(encoding="utf-8"))
"""Words for joints, and what may stand for one."""

_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
_MOST_PREFIX = 5
"""Number of joints above which a prefix that all names share is removed, as in ``mixamorigHips``."""


def _squeezed(name: str) -> str:
    return name.replace(" ", "")


_SIDED_WORDS: dict[str, str] = {_squeezed(name): name for name in TABLE["sided"]}
_SIDED_WORDS |= {_squeezed(word): word for words in TABLE["words"].values() for word in words}
_SIDED_PLACES = {word: place for place, words in TABLE["words"].items() for word in words}
_MIDDLE_WORDS = {_squeezed(word): place for place, words in TABLE["middle_words"].items() for word in words}
_MIDDLE_WORDS |= {
    _squeezed(name): name
    for name in (*TABLE["middle"], *(name for place in TABLE["places"] for name in place))
    if isinstance(name, str)
}
_ARMS = {"arm", "upper arm", "up arm"}
_LEGS = {"leg", "lower leg", "low leg", "shin", "calf", "thigh", "upper leg", "up leg"}


@lru_cache(maxsize=64)
def joint_names(layout: SkeletonLayout) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Spelling of each joint's name, such as "left up leg", and the place that it means, "left hip".

    Case, separators, a namespace (``mixamorig:``), a beginning that all names share (``J_Bip``), and where
    and how the name tells its side make no difference. What a word means depends on the others: beside
    a "left arm" a "left shoulder" is the collar bone's start, and a "left hand" the wrist if there is none.
    """
    words = [_words(name) for name in layout.joints]
    words = _without_prefix(words)
    parted = [_part(words[joint], words[twin]) for joint, twin in enumerate(layout.mirror)]
    spelled = tuple(f"{side} {base}".strip() for side, base in parted)
    return spelled, tuple(_places(parted, words[layout.root] == ["spine"]))


def _words(name: str) -> list[str]:
    text = re.sub(r"[()\[\]]", " ", name.rpartition(":")[2] or name)
    text = re.sub(r"^mixamorig\d*_?(?=[A-Z])", "", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])|[\s_./|-]+", " ", text)
    words = text.lower().replace("centre", "center").split()
    return [str(int(word)) if word.isdecimal() else word for word in words] or [name]


def _without_prefix(words: list[list[str]]) -> list[list[str]]:
    if len(words) < _MOST_PREFIX:
        return words
    shared = len(list(takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))))
    while shared and (sum(len(own) == shared for own in words) > 1 or words[0][shared - 1] in _SIDES):
        shared -= 1
    words = [own[shared:] or ["root"] for own in words]
    if any(own[0] in ("l", "r") for own in words):  # as in VRoid's J_Bip_C_Hips beside J_Bip_L_Foot
        words = [own[1:] if own[0] == "c" and len(own) > 1 else own for own in words]
    return words


def _part(words: list[str], twin: list[str]) -> tuple[str, str]:
    """Side of a joint, "" in the middle, and the rest of its name; the name of its mirror image helps."""
    differ = [at for at, (a, b) in enumerate(zip(words, twin, strict=False)) if a != b]
    if len(words) == len(twin) and len(differ) == 1:
        at = differ[0]
        for left, right in (("left", "right"), ("l", "r")):
            for mine, other, side in ((left, right, "left"), (right, left, "right")):
                for starts in (True, False):
                    left_over = _cut(words[at], mine, starts)
                    if left_over is not None and left_over == _cut(twin[at], other, starts):
                        return side, _base(words[:at] + [left_over] * bool(left_over) + words[at + 1 :])
    text = "".join(words)
    for at, rest in ((0, words[1:]), (-1, words[:-1])):
        if words[at] in _SIDES and (base := "".join(rest)) in _SIDED_WORDS:
            return _SIDES[words[at]], _SIDED_WORDS[base]
    match = re.fullmatch(r"(left|l|right|r)(.+)|(.+)(left|right)", text)
    if match and (match[2] or match[3]) in _SIDED_WORDS:
        return _SIDES[match[1] or match[4]], _SIDED_WORDS[match[2] or match[3]]
    return "", _MIDDLE_WORDS.get(text, " ".join(words))


def _cut(word: str, side: str, starts: bool) -> str | None:
    if starts:
        return word[len(side) :] if word.startswith(side) else None
    return word[: -len(side)] if word.endswith(side) else None


def _base(words: list[str]) -> str:
    return _SIDED_WORDS.get("".join(words), " ".join(words))


def _places(parted: list[tuple[str, str]], spine_root: bool) -> list[str]:
    """Place that each name means among all names."""
    sided = {base for side, base in parted if side}
    places = {base: _SIDED_PLACES.get(base, base) for base in sided}
    have = set(places.values())
    if sided & _ARMS:
        places["shoulder"] = "collar"
        if "wrist" not in have:
            places["hand"] = "wrist"
    if sided & _LEGS and "ankle" not in have:
        places["foot"] = "ankle"
    if "shoulder" in have and sided & (_ARMS | {"shoulder"}):
        places["clavicle"] = "collar"
    if "hip" in have:
        places["hipjoint"] = "hip root"
    middle = _spine({base for side, base in parted if not side}, spine_root)
    return [f"{side} {places[base]}" if side else middle.get(base, base) for side, base in parted]


def _spine(names: set[str], spine_root: bool) -> dict[str, str]:
    """Places of numbered joints along the spine, from the pelvis up."""
    places: dict[str, str] = {}
    if {"spine 4", "spine 6"} <= names and "head" not in names:  # Rigify
        places |= {"spine 4": "neck", "spine 6": "head"}
    if spine_root and not names & {"pelvis", "hips", "hip"}:
        places["spine"] = "pelvis"
    elif {"spine", "chest"} <= names:
        places |= {"spine": "spine 1", "chest": "spine 2", "upper chest": "spine 3"}
    elif {"spine", "spine 1", "lowerback"} <= names:
        places |= {"spine": "spine 2", "spine 1": "spine 3"}
    elif {"spine", "spine 1"} <= names:
        places |= {"spine": "spine 1", "spine 1": "spine 2", "spine 2": "spine 3"}
    elif "spine 5" in names:  # Unreal Engine 5
        places |= {"spine 2": "spine 2 of 5", "spine 3": "spine 2", "spine 5": "spine 3"}
    if "neck" in names:
        places["neck 1"] = "upperneck"
    elif "neck 1" in names:
        places |= {"neck 1": "neck", "neck 2": "upperneck"}
    return places
