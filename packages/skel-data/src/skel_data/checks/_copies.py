"""Near-duplicate detection: test clips that are training clips, moved, turned, cut, mirrored or reversed.

A frame is described by the distances between some of its joints, as shares of their sum, where a distance
and that between the mirrored joints enter by their sum and their difference without its sign. This does not
change when a frame is shifted, turned, scaled or mirrored. Descriptions, brought to a few numbers by a fixed
projection and rounded, are the keys of an index of all training frames (locality-sensitive hashing). Test
frames vote for the training clips whose frames have their key; the clips with most votes are then compared
frame by frame, forwards and backwards, at the offset that most votes have.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout
from skel_data.splits._split import Split
from skel_data.store._store import Store

_JOINTS = 10
_KEY_SIZE = 8
_BIN = 0.05
_PER_KEY = 64
"""Training frames of one key that are voted for: keys of common poses have thousands."""
_QUERIES = 24
"""Frames of each test body that vote, if it has enough."""
_CANDIDATES = 4
_LONGEST = 1 << 22
"""Frames of a recording: offsets are below."""
TOLERANCE = 0.01
"""Mean difference of distances, as a share of their mean, up to which frames are the same."""
_OF_MOTION = 0.5
"""Share of the motion in a stretch that the difference may be: people who stand still look alike."""
_ROUNDING = 0.001
"""Difference below which frames are the same although nothing moves."""
LEAST = 8
"""Frames in a row that two clips must share."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@define(frozen=True)
class Copy:
    """A test clip of which a stretch is in a training clip.

    Attributes:
        test: Row of the test clip.
        train: Row of the training clip.
        frames: Frames that they share.
        start: First of these frames in the test clip.
        train_start: First of these frames in the training clip.
        backwards: Whether time runs the other way.
        difference: Mean difference of the distances between joints, as a share of their mean.
    """

    test: int
    train: int
    frames: int
    start: int
    train_start: int
    backwards: bool
    difference: float


def find_copies(
    store: Store, split: Split, *, tolerance: float = TOLERANCE, least: int = LEAST
) -> list[Copy]:
    """Find test clips of which a stretch is in a training clip, however it is placed in space.

    Found are clips that are equal but for a shift, a turn, a scale, rounding or frames cut at either end,
    overlapping windows of one recording, mirrored and reversed clips. Frames in which a joint that is looked
    at is missing are passed over. The time grows with the number of frames, not with that of pairs of clips.

    Args:
        store: The recordings.
        split: Its parts are compared.
        tolerance: Mean difference of distances, as a share of their mean, up to which frames are the same.
        least: Frames in a row that two clips must share.

    Returns:
        For each such test clip the training clip with which it shares most frames, by test row.

    Raises:
        ValueError: If a recording is not what was written.
    """
    describe = _Descriptions(store)
    keys, clips, frames = _index(describe, split.train)
    found = []
    for row in split.test.tolist():
        candidates = _candidates(describe, row, keys, clips, frames)
        copies = (_compare(describe, row, *candidate, tolerance, least) for candidate in candidates)
        best = max((copy for copy in copies if copy), key=lambda copy: copy.frames, default=None)
        if best is not None:
            found.append(best)
    return found


class _Descriptions:
    """Descriptions of the frames of clips, and their keys.

    A body slot of a clip is one track of frames; in the index it has the number `clip * slots + slot`.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.slots = max(int(store.bodies.max(initial=1)), 1)
        self._pairs, self._twins = _joint_pairs(store.layout)
        size = len(self._pairs)
        random = np.random.default_rng(0).normal(size=(size, min(_KEY_SIZE, size)))
        self._projection = np.linalg.qr(random)[0].astype(np.float32)
        self._multipliers = np.random.default_rng(1).integers(1, 2**62, _KEY_SIZE, np.int64) | 1
        self.of = lru_cache(maxsize=512)(self._of)

    def _of(self, track: int) -> tuple[Floats, Ints]:
        """Descriptions (F, D) of the frames of a track that have all joints, and their numbers (F,)."""
        clip, slot = divmod(track, self.slots)
        x = self.store.clip(clip)
        if slot >= x.shape[1]:
            return np.zeros((0, len(self._pairs)), np.float32), np.zeros(0, np.int64)
        x = x[:, slot, :, : self.store.layout.dims]
        used = np.unique(self._pairs)
        known = np.isfinite(x[:, used]).all((1, 2)) & (x[:, used] != 0).any(2).all(1)
        frames = np.flatnonzero(known)
        # sums of squares of coordinates of any unit stay finite in float64
        a, b = (x[frames][:, self._pairs[:, side]].astype(np.float64) for side in (0, 1))
        distances = np.sqrt(((a - b) ** 2).sum(2))
        total = distances.mean(1, keepdims=True)
        whole = total[:, 0] > 0
        distances = distances[whole] / total[whole]
        own, other = distances, distances[:, self._twins]
        first = np.arange(len(self._twins)) <= self._twins
        mixed = np.where(first, (own + other) / 2, np.abs(own - other) / 2)
        return mixed.astype(np.float32), frames[whole]

    def keys(self, descriptions: Floats) -> Ints:
        """A number for each description (F,), the same for nearly the same."""
        bins = np.floor(descriptions @ self._projection / _BIN).astype(np.int64)
        with np.errstate(over="ignore"):
            mixed: Ints = (bins * self._multipliers[: bins.shape[1]]).sum(1)
            keys: Ints = np.bitwise_xor(mixed, mixed >> 29)
        return keys


def _joint_pairs(layout: SkeletonLayout) -> tuple[Ints, Ints]:
    """Pairs of joints far from each other (D, 2), and which pair is the mirror image of each (D,)."""
    chosen = {layout.root, layout.mirror[layout.root]}
    away = np.array(layout.hops_from(layout.root))
    while len(chosen) < min(_JOINTS, layout.num_joints):
        joint = int(away.argmax())
        if joint in chosen:
            joint = next(one for one in range(layout.num_joints) if one not in chosen)
        for one in (joint, layout.mirror[joint]):
            chosen.add(one)
            away = np.minimum(away, layout.hops_from(one))
    joints = sorted(chosen)
    pairs = [(a, b) for place, a in enumerate(joints) for b in joints[place + 1 :]]
    numbers = {pair: number for number, pair in enumerate(pairs)}
    twins = [numbers[tuple(sorted((layout.mirror[a], layout.mirror[b])))] for a, b in pairs]  # type: ignore[index]
    return np.array(pairs, np.int64).reshape(-1, 2), np.array(twins, np.int64)


def _index(describe: _Descriptions, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """Keys of all frames of the training clips, ascending, with their tracks and frame numbers."""
    parts: list[tuple[Ints, Ints, Ints]] = []
    for track in _tracks(describe, rows):
        descriptions, frames = describe._of(track)
        parts.append((describe.keys(descriptions), np.full(len(frames), track), frames))
    if not parts:
        return (np.zeros(0, np.int64),) * 3
    keys, tracks, numbers = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    return keys[order], tracks[order], numbers[order]


def _tracks(describe: _Descriptions, rows: Ints) -> Iterator[int]:
    for row in rows.tolist():
        yield from range(row * describe.slots, row * describe.slots + int(describe.store.bodies[row]))


def _candidates(
    describe: _Descriptions, row: int, keys: Ints, tracks: Ints, frames: Ints
) -> list[tuple[int, int, int, bool]]:
    """Tracks that may share frames: that of the test clip, that of a training clip, offset, backwards."""
    found: list[tuple[int, int, int, int, bool]] = []
    for track in _tracks(describe, np.array([row])):
        descriptions, own = describe.of(track)
        if len(own) < 2:
            continue
        asked = np.unique(np.linspace(0, len(own) - 1, min(_QUERIES, len(own))).round().astype(np.int64))
        wanted = describe.keys(descriptions[asked])
        starts, stops = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, "right")
        counts = np.minimum(stops - starts, _PER_KEY)
        if not counts.any():
            continue
        # evenly among those of a key, where there are too many
        nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(starts, counts) + nth * np.repeat(stops - starts, counts) // np.repeat(
            counts, counts
        )
        others, theirs, ours = tracks[places], frames[places], np.repeat(own[asked], counts)
        offsets = np.concatenate([theirs - ours, theirs + ours]) + _LONGEST
        packed = (np.concatenate([others, others]) * (2 * _LONGEST) + offsets) * 2
        packed[len(others) :] += 1
        votes, numbers = np.unique(packed, return_counts=True)
        for place in np.argsort(-numbers, kind="stable")[:_CANDIDATES].tolist():
            rest, backwards = divmod(int(votes[place]), 2)
            other, offset = divmod(rest, 2 * _LONGEST)
            found.append((-int(numbers[place]), track, other, offset - _LONGEST, bool(backwards)))
    return [one[1:] for one in sorted(found)[:_CANDIDATES]]


def _compare(
    describe: _Descriptions,
    row: int,
    track: int,
    other: int,
    offset: int,
    backwards: bool,
    tolerance: float,
    least: int,
) -> Copy | None:
    """The longest stretch that two tracks share at an offset, if it is long enough."""
    (a, own), (b, theirs) = describe.of(track), describe.of(other)
    sought = offset - own if backwards else own + offset
    places = np.searchsorted(theirs, sought).clip(0, max(len(theirs) - 1, 0))
    if not len(theirs):
        return None
    both = theirs[places] == sought
    differences = np.abs(a - b[places]).mean(1)
    same = both & (differences <= tolerance)
    start, length = _longest(same)
    if length < min(least, len(own), len(theirs)) or length < 2:
        return None
    stretch = slice(start, start + length)
    difference, motion = float(differences[stretch].mean()), _motion(a[stretch])
    if difference > max(_OF_MOTION * motion, _ROUNDING):
        return None
    return Copy(
        row,
        other // describe.slots,
        length,
        int(own[start]),
        int(theirs[places[stretch]].min()),
        backwards,
        difference,
    )


def _motion(descriptions: Floats) -> float:
    """Mean deviation of descriptions from their mean over time."""
    return float(np.abs(descriptions - descriptions.mean(0)).mean())


def _longest(flags: NDArray[Any]) -> tuple[int, int]:
    """Start and length of the longest run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    best = int((stops - starts).argmax())
    return int(starts[best]), int(stops[best] - starts[best])
