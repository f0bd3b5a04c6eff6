"""Skeleton: the bones of a stick figure, and the colours of its sides."""

from collections.abc import Sequence

from attrs import define, field

SIDES = ("middle", "left", "right")
"""Names of the sides, in the order of their numbers; the middle is drawn first, the limbs over it."""
COLOURS = ("#44444c", "#0072b2", "#d55e00")
"""Colours of the sides on a light page: ones that stay apart for colour-blind eyes."""
SHADES = (1.0, 0.5, 0.75, 0.3)
"""Opacity of the first body and of further ones."""


def _pairs(bones: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(child), int(parent)) for child, parent in bones)


def _numbers(sides: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(side) for side in sides)


@define(frozen=True)
class Skeleton:
    """Bones and sides of a skeleton, as far as drawing needs them.

    Attributes:
        bones: (child, parent) pairs of joints; a pair of equal joints is passed over.
        sides: Side of each joint: 0 the middle, 1 left, 2 right. Empty if the skeleton has none: it is then
            drawn in one colour.
    """

    bones: tuple[tuple[int, int], ...] = field(default=(), converter=_pairs)
    sides: tuple[int, ...] = field(default=(), converter=_numbers)

    def by_side(self, joints: int) -> list[tuple[list[tuple[int, int]], list[int]]]:
        """Bones and joints of each side; a bone between left and right belongs to the middle.

        Args:
            joints: Number of joints of the clip that is drawn.

        Raises:
            ValueError: If a bone names a joint that does not exist, or the sides do not fit.
        """
        if not all(0 <= joint < joints for bone in self.bones for joint in bone):
            raise ValueError(f"bones must name joints 0..{joints - 1}, got {self.bones}")
        sides = self.sides or (0,) * joints
        if len(sides) != joints or not set(sides) <= {0, 1, 2}:
            raise ValueError(f"sides must hold 0, 1 or 2 for each of {joints} joints, got {self.sides}")
        parts: list[tuple[list[tuple[int, int]], list[int]]] = [([], []) for _ in SIDES]
        for child, parent in self.bones:
            if child != parent:
                of_ends = {sides[child], sides[parent]} - {0}
                parts[of_ends.pop() if len(of_ends) == 1 else 0][0].append((child, parent))
        for joint, side in enumerate(sides):
            parts[side][1].append(joint)
        return parts
