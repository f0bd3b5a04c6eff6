"""Preprocessing of CrosSCLR: clips of 50 frames."""

from typing import ClassVar

import numpy as np
from attrs import define, field, validators

from skel_data._layout import SkeletonLayout
from skel_data.pipelines import _steps as steps
from skel_data.pipelines._pipeline import Floats, Ints, at_least


@define(frozen=True)
class CrosSCLR50:
    """Preprocessing of CrosSCLR (Li et al., CVPR 2021), as AimCLR and CMCS use it, exactly.

    First two bodies in the order of the file; of a longer recording its middle 300 frames; as many of the
    first of these as there are frames with joint 0 of body 0; the centre joint subtracted per frame and
    body; stretched to 50 frames; and every frame of every body turned about y by the angle of its shoulder
    line: not in two dimensions, nor in a layout that names neither shoulders nor hips, as of a hand.

    Attributes:
        frames: Frames of the clips that come out.
        bodies: Bodies of the clips that come out.
        longest: Most frames that are taken of a recording.
        keep: Which frames of a longer recording: the "middle" ones, as the program of AimCLR does for
            PKU-MMD, or the "first" ones, as version 1 of this pipeline did.
    """

    name: ClassVar[str] = "crossclr50"
    version: ClassVar[int] = 2

    frames: int = field(default=50, validator=at_least(1))
    bodies: int = field(default=2, validator=at_least(1))
    longest: int = field(default=300, validator=at_least(1))
    keep: str = field(default="middle", validator=validators.in_(("middle", "first")))

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, M), M at most `bodies`."""
        del tracks  # the published clips go by the order in the file
        x = x[:, :, : self.bodies]
        if self.keep == "middle" and x.shape[1] > self.longest:
            start = np.maximum(lengths - self.longest, 0) // 2
            x = x[np.arange(len(x))[:, None], start[:, None] + np.arange(self.longest)]
        x = x[:, : self.longest]
        if not np.isfinite(x).all():
            x = np.nan_to_num(x)
        # The number of frames with a first body, whichever they are: this is how it was published
        counted = (x[:, :, 0, 0, : layout.dims] != 0).any(-1).sum(1).clip(1)
        # Stretched before it is centred, which comes to the same and touches fewer frames
        x = self._stretched(x, counted)
        # From here on by coordinate (C, N, frames, M, V): numpy is slow along an axis of 3
        out = np.moveaxis(x, -1, 0).copy()
        out[: layout.dims] -= out[: layout.dims, ..., layout.center, None]
        if layout.dims == 3 and layout.facing:
            ((left, right),) = steps.require(layout, self.name, "shoulders")
            across, away = (
                out[axis, ..., right].astype(np.float64) - out[axis, ..., left] for axis in (0, 2)
            )
            cos = across / (np.hypot(across, away) + 1e-4)
            sin = np.where(away.sum(1) >= 0, 1, -1)[:, None] * np.sqrt(1 - cos**2)
            c, s = cos.astype(np.float32)[..., None], sin.astype(np.float32)[..., None]
            out[0], out[2] = c * out[0] + s * out[2], c * out[2] - s * out[0]
        return out.transpose(1, 0, 2, 4, 3)

    def _stretched(self, x: Floats, lengths: Ints) -> Floats:
        """The first `lengths` (N,) frames, resampled as `steps.resample` does where there is no gap."""
        at = (np.arange(self.frames) + 0.5) * lengths[:, None] / self.frames - 0.5
        at = at.clip(0, lengths[:, None] - 1)
        low = at.astype(np.int64)
        high = np.minimum(low + 1, lengths[:, None] - 1)
        rows = np.arange(len(x))[:, None] * x.shape[1]
        flat = x.reshape(len(x) * x.shape[1], -1)
        out: Floats = flat.take((rows + low).reshape(-1), axis=0)
        step = flat.take((rows + high).reshape(-1), axis=0)
        step -= out
        step *= (at - low).astype(np.float32).reshape(-1, 1)
        out += step
        return out.reshape(len(x), self.frames, *x.shape[2:])
