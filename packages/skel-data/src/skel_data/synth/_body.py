"""A body of rigid bones on the ntu-25 joints, posed by the angles of its joints."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# (joint, parent, bone in metres from parent to joint), from the pelvis outwards; standing, arms down. As in a
# Kinect recording y is up and the body faces the camera, towards -z, with its right side at larger x.
_SPINE = (
    (1, 0, (0.0, 0.25, 0.0)), (20, 1, (0.0, 0.25, 0.0)), (2, 20, (0.0, 0.08, 0.0)), (3, 2, (0.0, 0.14, 0.0)),
)  # fmt: skip


def _limbs(
    side: int, shoulder: int, hip: int, tip: int
) -> tuple[tuple[int, int, tuple[float, float, float]], ...]:
    return (
        (shoulder, 20, (side * 0.17, -0.03, 0.0)), (shoulder + 1, shoulder, (0.0, -0.28, 0.0)),
        (shoulder + 2, shoulder + 1, (0.0, -0.25, 0.0)), (shoulder + 3, shoulder + 2, (0.0, -0.08, 0.0)),
        (tip, shoulder + 3, (0.0, -0.08, 0.0)), (tip + 1, shoulder + 3, (0.0, -0.03, -0.05)),
        (hip, 0, (side * 0.09, -0.04, 0.0)), (hip + 1, hip, (0.0, -0.40, 0.0)),
        (hip + 2, hip + 1, (0.0, -0.40, 0.0)), (hip + 3, hip + 2, (0.0, -0.05, -0.13)),
    )  # fmt: skip


BONES = (*_SPINE, *_limbs(-1, 4, 12, 21), *_limbs(1, 8, 16, 23))
JOINTS = 25

# What can be turned: name, axis, and (joint, sign) of each pivot, so that a positive angle is
# forwards for arms, thighs, elbows and the trunk, backwards for knees, outwards for `spread`.
# `left`/`right` is put in front for limbs.
_TRUNK = {"bend": (0, 1, -1), "twist": (1, 1, 1), "lean": (2, 1, 1), "nod": (0, 2, -1)}
_LIMB = {"raise": (0, 0, 1, 1), "spread": (2, 0, -1, 1), "elbow": (0, 1, 1, 1)}
_LEG = {"thigh": (0, 0, 1, 1), "knee": (0, 1, -1, -1)}
ANGLES: dict[str, tuple[int, int, int]] = {
    **_TRUNK,
    **{f"{side} {name}": (axis, 4 + 4 * i + j, sign[i]) for name, (axis, j, *sign) in _LIMB.items()
       for i, side in enumerate(("left", "right"))},
    **{f"{side} {name}": (axis, 12 + 4 * i + j, sign[i]) for name, (axis, j, *sign) in _LEG.items()
       for i, side in enumerate(("left", "right"))},
}  # fmt: skip
"""Name of each angle: axis it turns about (0 x, 1 y, 2 z), pivot joint, sign."""


def pose(angles: dict[str, Floats], bones: Floats, root: Floats) -> Floats:
    """Positions of the joints.

    Args:
        angles: Angles in radians by name, each (N, T); those left out are zero.
        bones: Factor on the length of each bone (N, V), by the joint it leads to.
        root: Position of the pelvis (N, T, 3).

    Returns:
        Positions (N, T, V, 3).
    """
    turned: dict[int, Floats] = {}
    for name, angle in angles.items():
        axis, joint, sign = ANGLES[name]
        rotation = about(axis, sign * angle)
        turned[joint] = turned[joint] @ rotation if joint in turned else rotation
    positions = np.zeros((*root.shape[:2], JOINTS, 3))
    positions[:, :, 0] = root
    frame = {0: turned.get(0, np.broadcast_to(np.eye(3), (*root.shape[:2], 3, 3)))}
    for joint, parent, offset in BONES:
        bone = np.array(offset) * bones[:, joint, None]
        positions[:, :, joint] = positions[:, :, parent] + np.einsum("ntij,nj->nti", frame[parent], bone)
        frame[joint] = frame[parent] @ turned[joint] if joint in turned else frame[parent]
    return positions


def about(axis: int, angle: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) about one axis by angles (...)."""
    matrix = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -matrix[..., j, i]
    return matrix
