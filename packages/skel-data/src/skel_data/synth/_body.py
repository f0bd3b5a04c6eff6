"""A body of rigid bones on the ntu-25 joints, posed by the angles of its joints."""

import tomllib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skel_data._rotation import about

Floats = NDArray[np.float64]

_BODY = tomllib.loads(Path(__file__).with_name("body.toml").read_text(encoding="utf-8"))
BONES: list[tuple[int, int, float, float, float]] = _BODY["bones"]
"""Joint, parent, and the bone from parent to joint."""
JOINTS = 25
ANGLES: dict[str, tuple[int, int, int]] = _BODY["angles"]
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
    for joint, parent, *offset in BONES:
        bone = np.array(offset) * bones[:, joint, None]
        positions[:, :, joint] = positions[:, :, parent] + np.einsum("ntij,nj->nti", frame[parent], bone)
        frame[joint] = frame[parent] @ turned[joint] if joint in turned else frame[parent]
    return positions
