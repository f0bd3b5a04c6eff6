"""Default pipeline, for any layout."""

from typing import ClassVar

from attrs import define, field, validators

from skel_data._layout import SkeletonLayout
from skel_data.pipelines import _steps as steps
from skel_data.pipelines._pipeline import Floats, Ints, at_least
from skel_data.pipelines._steps import BODIES_BY, pick_bodies

METRE = 0.25
"""What `Default` scales the mean bone to. It is about that of an adult in metres, so that settings found for
metres, such as an amount of noise, keep their sense."""


@define(frozen=True)
class Default:
    """Default preprocessing for any layout, in two dimensions or three.

    Keeps the most active bodies, trims frames without a body, fills gaps, puts the first body's
    centre joint of the first frame at the origin (so the way it walks stays), turns it about the
    vertical to face one way (by the shoulders and hips that the layout names, not at all where it
    names neither, as of a hand; three dimensions only; y is up), scales the mean bone to 0.25 and
    resamples in time.

    Which bodies are kept, and in which order, is `bodies_by`:

    - ``motion``: by how much they move, times their share of the frames.
    - ``track``: those that are there longest.
    - ``confidence``: by their mean confidence, times their share of the frames; for layouts that have one.
    - ``file``: the slots of the recording as they are.

    All but ``file`` go by tracked ids: two bodies that swap slots are put back together, and a body that is
    never there at the same time as a kept one shares its slot, as tracking has lost and found it again.
    A body that comes late keeps its time. A third body and more are dropped, unless they share a slot.
    A ghost, that is a false detection, is in few frames or hardly has an extent: it ranks low, and
    `ghosts` leaves it out even where a slot is free.

    Attributes:
        frames: Frames of the clips that come out.
        bodies: Bodies of the clips that come out; 0: as many as go in, at most 2.
        scale: Scale by bone length.
        face: Turn about the vertical.
        bodies_by: One of `BODIES_BY`.
        ghosts: Leave out bodies seen in less than this share of the frames of the one seen longest, or of
            less than this share of the size of the largest. 0: none.
        centre_bodies: Joint that is put at the origin in the first frame of each body, for methods that see
            one body at a time; root: the layout's. Empty: bodies keep their places.
    """

    name: ClassVar[str] = "default"
    version: ClassVar[int] = 1

    frames: int = field(default=64, validator=at_least(1))
    bodies: int = field(default=0, validator=at_least(0))
    scale: bool = True
    face: bool = True
    bodies_by: str = field(default="motion", validator=validators.in_(BODIES_BY))
    ghosts: float = field(default=0.0, validator=[validators.ge(0), validators.lt(1)])
    centre_bodies: str = ""

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, M), M at most `bodies`."""
        dims = layout.dims
        x, mask = steps.known_joints(x, dims)
        bodies = 1 if x.shape[2] == 1 else self.bodies or 2  # one slot can hold one body at a time
        x, mask = pick_bodies(x, mask, tracks, dims, bodies, by=self.bodies_by, ghosts=self.ghosts)
        x, mask, lengths = steps.trim(x, mask)
        x, mask = steps.fill(x, mask, dims)
        x = steps.centre(x, mask, layout.center, dims)
        if self.face and dims == 3 and layout.facing:
            x = steps.face(x, mask, layout.facing)
        if self.scale and layout.bones:
            x[..., :dims] *= steps.scale_to(METRE, x, mask, layout.bones, dims)[:, None, None, None, None]
        x, mask = steps.resample(x, mask, lengths, self.frames)
        if self.centre_bodies:
            x = steps.centre_each(x, mask, self.centre_bodies, layout)
        return x.transpose(0, 4, 1, 3, 2)
