"""Conversion between layouts, joint by joint, by their names."""

import sys
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from skel_data._joint_names import TABLE, joint_names
from skel_data._layout import SkeletonLayout, get_layout

Array = TypeVar("Array")

Found = tuple[str, dict[int, float]]

MOST_PARENTS = 0.25
"""Share of a layout's joints that may take the place of their parents by default."""

_Alternative = str | list[str]
_SIDED: dict[str, list[_Alternative]] = TABLE["sided"]


def _on(side: str, alternative: _Alternative) -> _Alternative:
    if isinstance(alternative, list):
        return [f"{side} {name}" if name in _SIDED else name for name in alternative]
    return f"{side} {alternative}" if alternative in _SIDED else alternative


_ALTERNATIVES: dict[str, list[_Alternative]] = {
    **{name: place for place in TABLE["places"] for name in place if isinstance(name, str)},
    **TABLE["middle"],
    **{
        f"{side} {name}": [_on(side, alternative) for alternative in alternatives]
        for name, alternatives in _SIDED.items()
        for side in ("left", "right")
    },
}
"""What may stand for a joint that a layout lacks, best first: another joint, or the middle of two."""


def conversion(
    source: SkeletonLayout | str,
    target: SkeletonLayout | str,
    *,
    strict: bool = False,
    most_parents: float = MOST_PARENTS,
) -> NDArray[np.float32]:
    """Conversion matrix between layouts: how much of each source joint a target joint is.

    A target joint is, by the first of these that the source allows:

    1. ``same name``: the source joint of its name. Case, ``_``, ``-`` and ``.``, a beginning that all names
       share, such as ``mixamorig:``, and how and where a name tells its side (``ShoulderLeft``,
       ``shoulder.L``, ``LThumb``) make no difference.
    2. ``synonym``: a source joint at, or next to, the same place, such as the hip centre for the spine base,
       the shoulder centre for the neck, the wrist for the hand, the ankle for the foot. Names that
       tell the bone that begins at a joint count here, too: a ``LeftArm`` begins at the left shoulder.
    3. ``midpoint``: the middle of two, such as the hips for the pelvis, the shoulders for the neck, the
       ears or eyes for the head. Where the middle is nearer to the place than any synonym, it comes first.
    4. ``parent``: what the nearest joint up the target's tree became. Its bone has no length then.

    Args:
        source: The layout there is.
        target: The layout that is wanted.
        strict: Make it an error to need the last rule.
        most_parents: Largest share of the target's joints that the last rule may give.

    Returns:
        Weights (V of the target, V of the source), float32, each row of sum 1.

    Raises:
        ValueError: If a joint cannot be had, or more than `most_parents` of them fall onto their parents.
    """
    source, target = get_layout(source), get_layout(target)
    matrix = np.zeros((target.num_joints, source.num_joints), np.float32)
    for joint, (_, weights) in enumerate(_rules(source, target, 0 if strict else most_parents)):
        matrix[joint, list(weights)] = list(weights.values())
    return matrix


def explain_conversion(
    source: SkeletonLayout | str, target: SkeletonLayout | str
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """For each joint of the target, the rule of `conversion` it went by, and the source joints it is made of.

    Raises:
        ValueError: If a joint cannot be had.

    >>> from skel_data import get_layout
    >>> explain_conversion(get_layout("coco-17"), get_layout("h36m-17"))["pelvis"]
    ('midpoint', ('left hip', 'right hip'))
    """
    source, target = get_layout(source), get_layout(target)
    rules = _rules(source, target, 1)
    return {
        joint: (rule, tuple(source.joints[index] for index in weights))
        for joint, (rule, weights) in zip(target.joints, rules, strict=True)
    }


def convert(
    positions: Array,
    source: SkeletonLayout | str,
    target: SkeletonLayout | str,
    *,
    drop_depth: bool = False,
    strict: bool = False,
    most_parents: float = MOST_PARENTS,
) -> Array:
    """Convert positions from one layout to another by the rules of `conversion`.

    A source joint is missing where it has a coordinate that is not finite, zero in all coordinates, or
    confidence 0. A target joint is missing, all zero, where any joint it is made of is. Units and the
    directions of the axes stay as they are.

    Args:
        positions: Positions (..., V, C), a numpy array or a torch tensor of floats, such as `Clip.positions`.
        source: Their layout.
        target: The layout that is wanted. With a confidence channel where the source has none, it is 1 for
            joints that are there; where both have one, it is the lowest of the joints mixed; where only
            the source has one, it is dropped.
        drop_depth: Leave the third coordinate out, for a target of two dimensions.
        strict: Make it an error if a joint has no namesake, synonym or midpoint in the source.
        most_parents: Largest share of the target's joints that may take their parents' places.

    Returns:
        Positions (..., V, C) of the target, of the same kind. The same layout gives them back as they are.

    Raises:
        ValueError: If the positions do not fit the source, a joint cannot be had, or the target has other
            dimensions.
    """
    x: Any = positions
    source, target = get_layout(source), get_layout(target)
    if x.ndim < 2 or tuple(x.shape[-2:]) != (source.num_joints, source.channels):
        raise ValueError(
            f"positions of shape {tuple(x.shape)} do not fit layout {source.name}: "
            f"expected (..., {source.num_joints}, {source.channels})"
        )
    if source.dims < target.dims:
        raise ValueError(
            f"layout {source.name} has 2 dimensions, {target.name} 3: there is no depth to be had; "
            "convert to the same joints with dims=2"
        )
    if source.dims > target.dims and not drop_depth:
        raise ValueError(
            f"layout {target.name} has 2 dimensions, {source.name} 3: drop_depth leaves the third out"
        )
    if source == target:
        return positions
    weights = conversion(source, target, strict=strict, most_parents=most_parents)
    library: Any = np if isinstance(x, np.ndarray) else sys.modules[type(x).__module__.partition(".")[0]]
    present = library.isfinite(x).all(-1) & (x[..., : source.dims] != 0).any(-1)
    if source.confidence:
        present = present & (x[..., source.dims] > 0)
    known = library.where(present[..., None], x, library.zeros_like(x))  # 0 times NaN would be NaN
    made = (weights if library is np else x.new_tensor(weights)) @ known
    mixed = [_filled(np.flatnonzero(row).tolist(), int((weights > 0).sum(1).max())) for row in weights]
    there = present[..., mixed].all(-1)
    channels = [made[..., axis] for axis in range(target.dims)]
    if target.confidence:
        lowest = library.amin(known[..., source.dims][..., mixed], -1) if source.confidence else None
        channels.append(library.ones_like(made[..., 0]) if lowest is None else lowest)
    out = library.stack(channels, -1)
    result: Array = library.where(there[..., None], out, library.zeros_like(out))
    return result


def _filled(joints: list[int], count: int) -> list[int]:
    return joints + joints[:1] * (count - len(joints))


def _rules(source: SkeletonLayout, target: SkeletonLayout, most_parents: float) -> list[Found]:
    """The rule and the weights of each joint of the target."""
    (have, have_places), (want, want_places) = joint_names(source), joint_names(target)
    indices: dict[str, int] = {}
    for index, place in enumerate(have_places):
        indices.setdefault(place, index)
    found = [_find(place, indices) for place in want_places]
    for joint, here in enumerate(found):  # another word for the same place
        if here and here[0] == "same name" and want[joint] not in {have[index] for index in here[1]}:
            found[joint] = "synonym", here[1]
    rules = []
    for joint in range(target.num_joints):
        node = joint
        while found[node] is None and target.parents[node] != node:
            node = target.parents[node]
        stand_in = found[node]
        if stand_in is None or (most_parents == 0 and node != joint):
            raise ValueError(
                f"no joint of layout {source.name} gives {target.joints[joint]!r} of {target.name}; "
                f"it has {', '.join(source.joints)}"
            )
        rules.append(stand_in if node == joint else ("parent", stand_in[1]))
    lost = [name for name, (rule, _) in zip(target.joints, rules, strict=True) if rule == "parent"]
    if len(lost) > most_parents * target.num_joints:
        raise ValueError(
            f"{len(lost)} of the {target.num_joints} joints of {target.name} would fall onto their parents: "
            f"layout {source.name} has nothing like {', '.join(lost[:8])}{', ...' * (len(lost) > 8)}; "
            "name its joints by their places, or allow it with most_parents (in a command: --most-parents 1)"
        )
    return rules


def _find(name: str, indices: dict[str, int]) -> Found | None:
    if name in indices:
        return "same name", {indices[name]: 1.0}
    for alternative in _ALTERNATIVES.get(name, ()):
        if isinstance(alternative, str):
            if alternative in indices:
                return "synonym", {indices[alternative]: 1.0}
            continue
        first, second = (_find(part, indices) for part in alternative)
        if first is None or second is None:
            continue
        weights: dict[int, float] = {}
        for _, half in (first, second):
            for index, weight in half.items():
                weights[index] = weights.get(index, 0) + weight / 2
        return ("midpoint" if len(weights) > 1 else "synonym"), weights
    return None
