"""Which joints are on the left of the body, which on the right."""

import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skel_data import SkeletonLayout

TRUNK, LEFT, RIGHT = range(3)


@cache
def joint_sides(layout: SkeletonLayout) -> tuple[int, ...]:
    """Side of each joint.

    Of a mirrored pair the left joint is told by its name, or by that of a part that it is in; failing
    that by the `across` pairs: it is on the side of the nearest of their joints. A joint that
    is its own mirror image, or whose side cannot be told, is of the trunk.
    """
    words = [
        [joint.lower(), *(part.lower() for part, group in layout.parts if place in group)]
        for place, joint in enumerate(layout.joints)
    ]
    sides = [TRUNK] * layout.num_joints
    lefts, rights = ([pair[side] for pair in layout.across] for side in (0, 1))
    hops = _hops(layout)
    for joint, twin in enumerate(layout.mirror):
        if joint >= twin:
            continue
        lead = _named_left(words[joint], words[twin]) - _named_left(words[twin], words[joint])
        if lead == 0 and layout.across:
            lead = int(hops[joint, rights].min() - hops[joint, lefts].min())
        if lead != 0:
            sides[joint], sides[twin] = (LEFT, RIGHT) if lead > 0 else (RIGHT, LEFT)
    return tuple(sides)


def _named_left(words: list[str], twins: list[str]) -> bool:
    """Whether "left" or "l" in a word, taken as "right" or "r", gives a word of the twin."""
    swapped = {
        re.sub(left, right, word)
        for word in words
        for left, right in (("left", "right"), (r"(?<![a-z])l", "r"))
        if re.search(left, word)
    }
    return not swapped.isdisjoint(twins)


def _hops(layout: SkeletonLayout) -> NDArray[np.int64]:
    """Bones between each two joints (V, V)."""
    count = layout.num_joints
    hops = np.where(np.eye(count, dtype=bool), 0, count)
    for child, parent in layout.bones:
        hops[child, parent] = hops[parent, child] = 1
    for joint in range(count):
        hops = np.minimum(hops, hops[:, joint, None] + hops[joint])
    return hops
