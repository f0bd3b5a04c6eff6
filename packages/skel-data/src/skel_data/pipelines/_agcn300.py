"""Preprocessing of 2s-AGCN: clips of 300 frames."""

from typing import ClassVar

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout
from skel_data.pipelines import _steps as steps
from skel_data.pipelines._pipeline import Floats, Ints, at_least
from skel_data.pipelines._steps import Mask, any_of


@define(frozen=True)
class AGCN300:
    """Preprocessing of 2s-AGCN (Shi et al., CVPR 2019), as ISC, CMD, HiCo and SCD-Net use it, exactly.

    The first 300 frames; of the first four bodies in the order of the file the two with the largest spread
    of coordinates. A body that is absent in the first frame loses all its empty frames, and so comes early;
    one that is there keeps those in between. Each body then repeats to the end. The spine of body 1 is
    subtracted in each frame, and the clip is turned twice by what its first frame tells: spine base to
    spine along z, left shoulder to right shoulder along x.

    These joints come from the layout: the one between the hips, the next on the way to the shoulders, and the
    shoulders; a layout must name its shoulders and hips. Where the hips do not hang on one joint in the
    middle of the body, the centre joint takes the place of the spine, and nothing is turned. In two
    dimensions nothing is turned either.

    A body with empty frames repeats a little before the recording ends.

    The published program takes a joint whose coordinates happen to add up to zero for absent; this does not.

    Attributes:
        frames: Frames of the clips that come out; a recording's further frames are dropped.
        bodies: Bodies of the clips that come out.
        candidates: Bodies of the file that are looked at.
        repeat: Fill the frames behind a recording by repeating it, as published. False leaves them zero, for
            views that take their windows from the recording alone, as the published programs do.
        centre_bodies: Joint that is put at the origin in the first frame of each body, for methods that see
            one body at a time; root: the layout's. Empty: bodies keep their places, as published.
    """

    name: ClassVar[str] = "agcn300"
    version: ClassVar[int] = 1

    frames: int = field(default=300, validator=at_least(1))
    bodies: int = field(default=2, validator=at_least(1))
    candidates: int = field(default=4, validator=at_least(1))
    repeat: bool = True
    centre_bodies: str = ""

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, M), M at most `bodies`."""
        del tracks  # the published clips go by the slots of the file
        dims = layout.dims
        x, mask = steps.known_joints(x[:, : self.frames, : self.candidates], dims)
        if x.shape[2] > 1:
            order = np.argsort(_spread(x, mask, dims), axis=1, kind="stable")[:, None, ::-1]
            order = order[..., : self.bodies]
            at = np.arange(len(x))[:, None, None], np.arange(x.shape[1])[:, None], order
            x, mask = x[at], mask[at]
        x, mask = _repeat(x, mask, self.frames)
        spine = steps.spine(layout, self.name)
        centre = layout.center if spine is None else spine[1]
        x[..., :dims] -= x[:, :, :1, centre, None, :dims]
        x *= mask[..., None]
        if spine is not None and layout.shoulders is not None and dims == 3:
            left, right = layout.shoulders
            first = x[:, 0, 0, :, :3].astype(np.float64)
            upright = _turn_to(first[:, spine[1]] - first[:, spine[0]], 2)
            shoulders = upright @ (first[:, right] - first[:, left])[..., None]
            turn = (_turn_to(shoulders[..., 0], 0) @ upright).astype(np.float32)
            flat = x[..., :3].reshape(len(x), -1, 3) @ turn.transpose(0, 2, 1)
            x[..., :3] = flat.reshape(*x.shape[:-1], 3)
        if self.centre_bodies:
            x = steps.centre_each(x, mask, self.centre_bodies, layout)
        if not self.repeat:
            x *= (np.arange(self.frames) < lengths[:, None])[..., None, None, None]
        return x.transpose(0, 4, 1, 3, 2)


def _spread(x: Floats, mask: Mask, dims: int) -> NDArray[np.float64]:
    """Sum over coordinates of each body's standard deviation over frames and joints (N, M)."""
    count = mask.sum((1, 3))[..., None].clip(1)
    mean = x[..., :dims].sum((1, 3), dtype=np.float64) / count
    square = np.square(x[..., :dims] - mean[:, None, :, None]) * mask[..., None]
    total: NDArray[np.float64] = np.sqrt(square.sum((1, 3)) / count).sum(-1)
    return total


def _repeat(x: Floats, mask: Mask, frames: int) -> tuple[Floats, Mask]:
    """Fill `frames` frames with what there is of each body, over and over."""
    there = any_of(mask, 3)
    late = ~there[:, 0]
    # Where a body's frames come from: those it is seen in if it comes late, else all until it leaves
    source = np.argsort(~there & late[:, None], axis=1, kind="stable")
    period = np.where(late, there.sum(1), there.shape[1] - there[:, ::-1].argmax(1)).clip(1)
    at = np.arange(frames)[:, None] % period[:, None]
    rows, slots = np.arange(len(x))[:, None, None], np.arange(x.shape[2])
    at = source[rows, at, slots]
    return x[rows, at, slots], mask[rows, at, slots]


def _turn_to(vector: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Rotations (N, 3, 3) that turn vectors (N, 3) to an axis the short way; none for one along it."""
    cross = np.cross(vector, np.eye(3)[axis])
    turned = np.abs(cross).sum(1) >= 1e-6
    size = np.where(turned, np.linalg.norm(cross, axis=1), 1)[:, None, None]
    length = np.where(turned, np.linalg.norm(vector, axis=1), 1)[:, None, None]
    # Rodrigues' formula; column i of `about` is the cross product of the rotation's axis and unit vector i
    about = np.cross(cross[:, None] / size, np.eye(3)).transpose(0, 2, 1)
    sin, cos = size / length, vector[:, axis, None, None] / length
    turn = np.eye(3) + sin * about + (1 - cos) * (about @ about)
    return np.where(turned[:, None, None], turn, np.eye(3))
