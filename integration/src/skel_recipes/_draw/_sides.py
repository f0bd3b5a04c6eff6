"""Names and colours of the sides of `SkeletonLayout.sides`."""

TRUNK, LEFT, RIGHT = range(3)
SIDES = ("trunk", "left", "right")
"""Names of the sides, in the order of their numbers."""
SHADES = (1.0, 0.5, 0.75, 0.3)
"""How strong the colours of the first and the further bodies are."""
