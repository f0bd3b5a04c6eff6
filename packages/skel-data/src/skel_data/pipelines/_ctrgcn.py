"""Preprocessing of CTR-GCN: denoised clips of 300 frames."""

from typing import Any, ClassVar

import numpy as np
from attrs import define, field, validators
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout
from skel_data.pipelines import _steps as steps
from skel_data.pipelines._pipeline import Floats, Ints, at_least
from skel_data.pipelines._steps import Mask, any_of


@define(frozen=True)
class CTRGCN:
    """Preprocessing of CTR-GCN (Chen et al., ICCV 2021) with denoising, as MS-G3D and MAMP use it, exactly.

    Bodies go by their tracked ids. Frames without any body are dropped, and a body's own frames follow its
    first one without a gap. In a recording of several bodies those in few frames are dropped; then, while
    more than one is left, those that are mostly wide. The rest are ranked by the variance of their
    coordinates, with or without their wide frames, whichever is less: the first takes slot 1, each other
    one the first slot that is free at its time, or none. Frames in which no slot holds a body are
    dropped. The spine of body 1 in its first frame is subtracted; nothing is turned or resampled.

    After the last frame with a body clips are zero.

    The spine is that of `AGCN300`: where clips are centred, a layout must name its shoulders and hips. Where
    all bodies are in few frames, which stops the published program, all are kept.

    Attributes:
        frames: Frames of the clips that come out; further ones are dropped.
        bodies: Bodies of the clips that come out.
        few: A body that is in this many frames or fewer is dropped.
        wide: A frame is noise where a body is wider than this many times its height (x and y).
        noisy: A body with at least this share of such frames is dropped.
        centred: Subtract the spine. MAMP's clips of PKU-MMD go without.
    """

    name: ClassVar[str] = "ctrgcn"
    version: ClassVar[int] = 1

    frames: int = field(default=300, validator=at_least(1))
    bodies: int = field(default=2, validator=at_least(1))
    few: int = field(default=11, validator=at_least(0))
    wide: float = field(default=0.8, validator=validators.ge(0))
    noisy: float = field(default=0.69754, validator=validators.ge(0))
    centred: bool = True

    def process(self, x: Floats, lengths: Ints, tracks: Ints | None, layout: SkeletonLayout) -> Floats:
        """Process a padded batch (N, T, M, V, C) to clips (N, C, frames, V, bodies)."""
        del lengths
        dims = layout.dims
        x, mask = steps.known_joints(x, dims)
        there = any_of(mask, 3)
        if tracks is None:
            tracks = np.broadcast_to(np.arange(1, x.shape[2] + 1), there.shape)
        found = _Bodies.find(x, mask, tracks, there & (tracks != 0))
        motion, kept = self._denoised(found, dims)
        x, mask = self._in_slots(found, motion, kept, x.shape)
        x, mask = _close_gaps(x, mask)
        if self.centred:
            spine = steps.spine(layout, self.name)
            x = steps.centre(x, mask, layout.center if spine is None else spine[1], dims)
        out = np.zeros((len(x), x.shape[4], self.frames, x.shape[3], self.bodies), np.float32)
        out[:, :, : x.shape[1]] = x[:, : self.frames].transpose(0, 4, 1, 3, 2)
        return out

    def _denoised(self, found: "_Bodies", dims: int) -> tuple[NDArray[np.float64], Mask]:
        """Motion of each body, and whether it is kept."""
        alone = found.siblings(np.ones(len(found.clip), bool)) == 1
        if alone.all():
            return np.zeros(len(alone)), alone
        kept = alone | (found.length > self.few)
        kept |= found.siblings(kept) == 0
        low = np.where(found.mask[..., None], found.x[..., :2], np.inf).min(1)
        high = np.where(found.mask[..., None], found.x[..., :2], -np.inf).max(1)
        extent = (high - low).astype(np.float32)
        good = extent[:, 0] <= np.float32(self.wide) * extent[:, 1]
        share = 1 - found.total(good) / found.length
        bad = kept & (share >= self.noisy)
        spared = bad & (found.siblings(kept & ~bad) == 0)  # if all are bad, the last one stays
        spared &= found.last(spared)
        kept &= ~bad | spared
        motion = found.variance(np.ones(len(good), bool), dims)
        return np.where(share > 0, np.minimum(motion, found.variance(good, dims)), motion), kept

    def _in_slots(
        self, found: "_Bodies", motion: NDArray[np.float64], kept: Mask, shape: tuple[int, ...]
    ) -> tuple[Floats, Mask]:
        """The kept bodies in their slots (N, T, bodies, V, C), and mask."""
        out = np.zeros((*shape[:2], self.bodies, *shape[3:]), np.float32)
        out_mask = np.zeros(out.shape[:-1], bool)
        # The span of frames that each slot is taken for. Those after the first count as taken from frame 0 on
        start, end = np.zeros((2, len(out), self.bodies), int)
        start[:, 0], end[:, 0] = shape[1], -1
        body = np.flatnonzero(kept)
        body = body[np.lexsort((body, -motion[body], found.clip[body]))]
        rank = np.arange(len(body)) - np.searchsorted(found.clip[body], found.clip[body])
        for position in range(int(rank.max(initial=-1)) + 1):
            now = body[rank == position]
            clip, first = found.clip[now], found.start[now]
            last = first + found.length[now] - 1
            overlap = np.minimum(end[clip], last[:, None]) - np.maximum(start[clip], first[:, None])
            slot = (overlap <= 0).argmax(1)
            fits = any_of(overlap <= 0, 1)
            now, clip, slot, first, last = (values[fits] for values in (now, clip, slot, first, last))
            start[clip, slot] = np.minimum(start[clip, slot], first)
            end[clip, slot] = np.maximum(end[clip, slot], last)
            into = np.full(len(found.clip), -1)
            into[now] = slot
            rows = np.flatnonzero(into[found.body] >= 0)
            at = found.clip[found.body[rows]], found.frame[rows], into[found.body[rows]]
            out[at], out_mask[at] = found.x[rows], found.mask[rows]
        return out, out_mask


@define(frozen=True, eq=False)
class _Bodies:
    """The tracked bodies of a batch, P in all, and the frames they are seen in, R in all, body after body.

    Attributes:
        clip: Clip of each body (P,), ascending; within a clip bodies come in the order they appear.
        start: Its first frame, not counting frames without any body.
        length: How many frames it has.
        body: Body of each row (R,), ascending.
        frame: Frame of each row: the body's rows follow its first one without a gap.
        x: Coordinates (R, V, C).
        mask: Where there are joints (R, V).
    """

    clip: Ints
    start: Ints
    length: Ints
    body: Ints
    frame: Ints
    x: Floats
    mask: Mask

    @classmethod
    def find(cls, x: Floats, mask: Mask, tracks: Ints, there: Mask) -> "_Bodies":
        """The bodies in a batch (N, T, M, V, C), where `there` (N, T, M) says that one is in a slot."""
        number = np.cumsum(any_of(there, 2), axis=1) - 1
        clip, frame, slot = np.nonzero(there)
        ids = tracks[clip, frame, slot]
        order = np.lexsort((frame, ids, clip))
        clip, frame, slot, ids = (values[order] for values in (clip, frame, slot, ids))
        same = (clip[1:] == clip[:-1]) & (ids[1:] == ids[:-1])
        once = np.r_[True, ~(same & (frame[1:] == frame[:-1]))][: len(clip)]  # an id given twice in a frame
        new = np.r_[True, ~same][: len(clip)]
        group = np.cumsum(new) - 1
        # From the order of ids to the order in which bodies appear
        heads = np.flatnonzero(new)
        appear = np.argsort(np.lexsort((slot[heads], frame[heads], clip[heads])))
        body = appear[group]
        rows = np.argsort(body, kind="stable")
        rows = rows[once[rows]]
        clip, frame, slot, body = (values[rows] for values in (clip, frame, slot, body))
        heads = np.flatnonzero(np.r_[True, body[1:] != body[:-1]][: len(body)])
        length = np.diff(np.r_[heads, len(body)])
        start = number[clip[heads], frame[heads]]
        frames = start[body] + np.arange(len(body)) - heads[body]
        return cls(clip[heads], start, length, body, frames, x[clip, frame, slot], mask[clip, frame, slot])

    def siblings(self, which: Mask) -> Ints:
        """For each body how many of the bodies of its clip are among those (P,)."""
        return np.bincount(self.clip, which, minlength=1).astype(np.int64)[self.clip]

    def last(self, which: Mask) -> Mask:
        """Which (P,) are the last of those in their clips."""
        index = np.where(which, np.arange(len(which)), -1)
        highest = np.full(int(self.clip.max(initial=-1)) + 1, -1)
        np.maximum.at(highest, self.clip, index)
        latest: Mask = which & (highest[self.clip] == index)
        return latest

    def total(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Sum of values (R, ...) over the rows of each body (P, ...)."""
        if len(rows) == 0:
            return np.zeros(rows.shape)
        heads = np.cumsum(self.length) - self.length
        totals: NDArray[np.float64] = np.add.reduceat(rows, heads, axis=0, dtype=np.float64)
        return totals

    def variance(self, rows: Mask, dims: int) -> NDArray[np.float64]:
        """Sum over coordinates of each body's variance over those rows (R,) and their joints (P,)."""
        mask = (self.mask & rows[:, None])[..., None]
        count = self.total(mask.sum(1)).clip(1)
        mean = self.total((self.x[..., :dims] * mask).sum(1)) / count
        square = np.square(self.x[..., :dims] - mean[self.body][:, None]) * mask
        variance: NDArray[np.float64] = (self.total(square.sum(1)) / count).sum(-1)
        return variance


def _close_gaps(x: Floats, mask: Mask) -> tuple[Floats, Mask]:
    """Move the frames with a body (N, T, M, V, C) to the front of each clip."""
    there = any_of(mask, (2, 3))
    order = np.argsort(~there, axis=1, kind="stable")
    rows = np.arange(len(x))[:, None]
    return x[rows, order], mask[rows, order]
