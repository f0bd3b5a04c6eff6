"""Forward kinematics of motion capture, and the rows of numbers in its text files."""

from collections.abc import Sequence
from functools import reduce
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from skel_data._rotation import about

Floats = NDArray[np.float64]

_FAR = 1e9


def turn(angles: Sequence[Floats | float], axes: str) -> Floats:
    """Rotation matrices (T, 3, 3): the product, from left to right, of turns about coordinate axes.

    Args:
        angles: One array (T) of radians, or one number, per axis.
        axes: Letters x, y, z. ``zyx`` turns about x first if the axes stand still, last if they turn along.
    """
    turns = [about("xyz".index(axis), np.atleast_1d(angle)) for angle, axis in zip(angles, axes, strict=True)]
    return reduce(np.matmul, turns) if turns else np.eye(3)[None]


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
    world = [turns[:, 0]]
    positions = np.empty(turns.shape[:-1])
    positions[:, 0] = steps[:, 0]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        world.append(world[parent] @ turns[:, joint])
        step = world[carriers[joint]] @ steps[:, joint, :, None]
        positions[:, joint] = positions[:, parent] + step[..., 0]
    return positions


def row_numbers(rows: list[list[bytes]], lines: Sequence[int]) -> Floats:
    """The numbers of several lines, one after another.

    Args:
        rows: The words of each line.
        lines: Where in the file each line is, for errors.

    Raises:
        ValueError: With the line, if a word is not a number, or one that is not finite or far off.
    """
    count = sum(map(len, rows))
    try:
        values = np.fromiter(map(float, chain.from_iterable(rows)), np.float64, count)
        if not any(b"_" in b"".join(row) for row in rows) and (np.abs(values) < _FAR).all():
            return values
    except ValueError:
        pass
    line, word = next(
        (at, word) for row, at in zip(rows, lines, strict=True) for word in row if not _is_number(word)
    )
    raise ValueError(f"line {line}: not a number, or one that is not finite or far off: {text_of([word])!r}")


def _is_number(word: bytes) -> bool:
    try:
        return b"_" not in word and abs(float(word)) < _FAR
    except ValueError:
        return False


def text_of(words: Sequence[bytes]) -> str:
    return b" ".join(words).decode(errors="replace").strip()[:60]
