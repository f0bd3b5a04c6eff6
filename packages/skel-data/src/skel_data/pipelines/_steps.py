"""Steps of the pipelines: pure functions over a padded batch of clips.

A batch is `x` (N, T, M, V, C) with `mask` (N, T, M, V), which says where `x` holds a joint;
elsewhere `x` is zero. Frames from a clip's `lengths` (N,) on are padding, without any joint. No
step loops over clips or frames.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data._layout import SkeletonLayout
from skel_data.pipelines._pipeline import Floats, Ints

Mask = NDArray[np.bool_]


def any_of(mask: Mask, axis: int | tuple[int, ...]) -> Mask:
    """`mask.any`, typed."""
    result: Mask = np.any(mask, axis=axis)
    return result


def require(layout: SkeletonLayout, pipeline: str, *pairs: str) -> list[tuple[int, int]]:
    """The shoulders or hips of a layout that a pipeline needs.

    Raises:
        ValueError: If the layout lacks one.
    """
    found: dict[str, tuple[int, int] | None] = {name: getattr(layout, name) for name in pairs}
    missing = [name for name, pair in found.items() if pair is None]
    if missing:
        lines = " and ".join(f'{name} = ["LEFT", "RIGHT"]' for name in missing)
        raise ValueError(
            f"pipeline {pipeline} needs {' and '.join(missing)}, which layout {layout.name} does not name; "
            f"write {lines}, with the names of those joints, in the layout's TOML file and import with it"
        )
    return [pair for pair in found.values() if pair is not None]


def spine(layout: SkeletonLayout, pipeline: str) -> tuple[int, int] | None:
    """The joint between the hips, and the next one up the spine; None where a layout has no such joints.

    The lower joint is the parent of both hips, the upper one the next on the way to the shoulders; both must
    lie in the middle of the body.

    Raises:
        ValueError: If the layout names no shoulders or hips.
    """
    shoulders, hips = require(layout, pipeline, "shoulders", "hips")
    parents = layout.parents
    if len({parents[hip] for hip in hips}) > 1:
        return None
    below = parents[hips[0]]
    above = shoulders[0]  # from a shoulder up the tree; where that leads past `below`, it is the last step
    while above != parents[above] and parents[above] != below:
        above = parents[above]
    if parents[above] != below:
        above = parents[below]
    middle = above != below and layout.mirror[below] == below and layout.mirror[above] == above
    return (below, above) if middle else None


def known_joints(x: Floats, dims: int) -> tuple[Floats, Mask]:
    """Tell joints from gaps: a gap is NaN, or zero in all coordinates, or has confidence 0.

    Args:
        x: Coordinates and, where C > `dims`, confidence (N, T, M, V, C).
        dims: How many of the channels are coordinates.

    Returns:
        `x` with zeros in the gaps, and the mask.
    """
    with np.errstate(over="ignore"):
        # One quick pass instead of two over an axis of 3
        total = np.abs(x[..., :dims]) @ np.ones(dims, x.dtype)
    mask: Mask = (total > 0) & (total < np.inf)
    if x.shape[-1] > dims:
        mask &= (x[..., dims] > 0) & (x[..., dims] < np.inf)
    return np.where(mask[..., None], x, np.float32(0)), mask


def trim(x: Floats, mask: Mask) -> tuple[Floats, Mask, Ints]:
    """Cut frames without a body off both ends.

    Returns:
        The batch, shifted so that each clip starts with a body, its mask, and its lengths.
    """
    there = any_of(mask, (2, 3))
    start = there.argmax(1)
    lengths = np.where(any_of(there, 1), there.shape[1] - there[:, ::-1].argmax(1) - start, 1)
    frames = np.arange(lengths.max())
    at = np.minimum(start[:, None] + frames, x.shape[1] - 1)
    rows = np.arange(len(x))[:, None]
    inside = (frames < lengths[:, None])[..., None, None]
    return x[rows, at] * inside[..., None], mask[rows, at] & inside, lengths


def fill(x: Floats, mask: Mask, dims: int) -> tuple[Floats, Mask]:
    """Fill gaps by linear interpolation in time, joint by joint.

    Between the first and the last frame of a body every joint that is ever seen gets coordinates: from the
    frames before and after, or from the nearest one where there is only one. Outside, and for
    joints never seen, the gap stays. Confidence stays 0 where coordinates were filled in.
    """
    frames = np.arange(x.shape[1])[:, None, None]
    before = np.maximum.accumulate(np.where(mask, frames, -1), axis=1)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(mask, frames, x.shape[1]), 1), axis=1), 1)
    body = any_of(mask, 3)
    span = np.logical_or.accumulate(body, 1) & np.flip(np.logical_or.accumulate(np.flip(body, 1), 1), 1)
    filled = span[..., None] & any_of(mask, 1)[:, None]
    if (filled == mask).all():
        return x, mask
    clip, frame, slot, joint = np.nonzero(filled & ~mask)
    low, high = before[clip, frame, slot, joint], after[clip, frame, slot, joint]
    low, high = np.where(low < 0, high, low), np.where(high == x.shape[1], low, high)
    weight = ((frame - low) / np.maximum(high - low, 1))[:, None].astype(x.dtype)
    x = x.copy()
    values = x[clip, low, slot, joint, :dims], x[clip, high, slot, joint, :dims]
    x[clip, frame, slot, joint, :dims] = values[0] * (1 - weight) + values[1] * weight
    return x, filled


def centre(x: Floats, mask: Mask, joint: int, dims: int) -> Floats:
    """Move each clip so that the joint of the first body is at the origin in the first frame it is seen.

    Where that joint is never seen, the mean of the body's joints in its first frame takes its place.
    """
    body_seen, joint_seen = any_of(mask[:, :, 0], 2), mask[:, :, 0, joint]
    seen = np.where(any_of(joint_seen, 1)[:, None], joint_seen, body_seen)
    rows, first = np.arange(len(x)), seen.argmax(1)
    body, body_mask = x[rows, first, 0, :, :dims], mask[rows, first, 0]
    mean = body.sum(1) / body_mask.sum(1).clip(1)[:, None]
    origin = np.where(body_mask[:, joint, None], body[:, joint], mean).astype(x.dtype)
    x = x.copy()
    x[..., :dims] -= origin[:, None, None, None]
    return x * mask[..., None]


def centre_each(x: Floats, mask: Mask, joint: str, layout: SkeletonLayout) -> Floats:
    """Move each body so that a joint is at the origin in the first frame that has it.

    Args:
        x: The batch.
        mask: Where it holds a joint.
        joint: Name of the joint; root: the layout's.
        layout: The joints.

    Raises:
        ValueError: If the layout has no such joint.
    """
    if joint not in ("root", *layout.joints):
        raise ValueError(
            f"centre_bodies must be root or a joint of layout {layout.name!r}, got {joint!r}; its joints are "
            f"{', '.join(layout.joints)}"
        )
    index, dims = layout.joints.index(joint) if joint in layout.joints else layout.root, layout.dims
    first = mask[..., index].argmax(1)[:, None, :, None, None]  # (N, 1, M, 1, 1)
    origin = np.take_along_axis(x[..., index : index + 1, :dims], first, 1)
    x = x.copy()
    x[..., :dims] -= origin * mask[..., None]
    return x


def face(x: Floats, mask: Mask, pairs: tuple[tuple[int, int], ...]) -> Floats:
    """Turn each clip about the vertical axis y, once, so that the first body's right side lies towards +x.

    The direction is the mean over the clip of the left-to-right vectors of the pairs, as those of
    `SkeletonLayout.facing`.
    """
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    both = (mask[:, :, 0, left] & mask[:, :, 0, right])[..., None]
    vector = ((x[:, :, 0, right] - x[:, :, 0, left]) * both).sum((1, 2), dtype=np.float64)
    length = np.hypot(vector[:, 0], vector[:, 2])
    known = length > 1e-6 * np.abs(x).max((1, 2, 3, 4), initial=0)
    cos = np.where(known, vector[:, 0] / np.where(known, length, 1), 1)
    sin = np.where(known, vector[:, 2] / np.where(known, length, 1), 0)
    return turn(x, cos[:, None, None, None], sin[:, None, None, None])


def turn(x: Floats, cos: Any, sin: Any) -> Floats:
    """Rotate about y so that the direction (cos, sin) in the plane of x and z comes to lie along +x."""
    out = x.copy()
    out[..., 0] = cos * x[..., 0] + sin * x[..., 2]
    out[..., 2] = cos * x[..., 2] - sin * x[..., 0]
    return out


def scale_to(length: float, x: Floats, mask: Mask, bones: tuple[tuple[int, int], ...], dims: int) -> Floats:
    """Factor per clip (N,) that gives its first body bones of this mean length; 1 where that is unknown."""
    size = bone_length(x, mask, bones, dims)
    known = size > 1e-6 * np.abs(x[..., :dims]).max((1, 2, 3, 4), initial=0)
    return np.where(known, length / np.where(known, size, 1), 1).astype(np.float32)


def bone_length(x: Floats, mask: Mask, bones: tuple[tuple[int, int], ...], dims: int) -> Floats:
    """Typical size of each clip's first body (N,): median over frames of its mean bone, 0 if unknown."""
    child, parent = [bone[0] for bone in bones], [bone[1] for bone in bones]
    body, body_mask = x[:, :, 0, :, :dims], mask[:, :, 0]
    both = body_mask[..., child] & body_mask[..., parent]
    lengths = np.linalg.norm(body[..., child, :] - body[..., parent, :], axis=-1) * both
    count = both.sum(2)
    mean = np.sort(np.where(count > 0, lengths.sum(2) / count.clip(1), np.inf), axis=1)
    frames = (count > 0).sum(1)
    rows = np.arange(len(x))
    middle = (mean[rows, (frames - 1).clip(0) // 2] + mean[rows, frames // 2 * (frames > 0)]) / 2
    return np.where(frames > 0, middle, 0).astype(np.float32)


def resample(x: Floats, mask: Mask, lengths: Ints, frames: int) -> tuple[Floats, Mask]:
    """Stretch each clip to `frames` frames by linear interpolation.

    Frame i lies at (i + 1/2) * length / frames - 1/2, held at both ends, as pixels do when an image
    is resized (half-pixel centres). A gap takes no part: beside one, the joint keeps its nearer
    value.
    """
    at = (np.arange(frames) + 0.5) * lengths[:, None] / frames - 0.5
    at = at.clip(0, lengths[:, None] - 1)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, lengths[:, None] - 1)
    rows = np.arange(len(x))[:, None]
    weight: Floats = (at - low).astype(np.float32)[..., None, None]
    out_mask: Mask = (mask[rows, low] & (weight <= 0.5)) | (mask[rows, high] & (weight >= 0.5))
    part_low: Floats = np.where(mask[rows, low], 1 - weight, np.float32(0))
    part_high: Floats = np.where(mask[rows, high], weight, np.float32(0))
    total: Floats = np.where(out_mask, part_low + part_high, np.float32(1))[..., None]
    out = (x[rows, low] * part_low[..., None] + x[rows, high] * part_high[..., None]) / total
    return np.where(out_mask[..., None], out, 0).astype(np.float32), out_mask


BODIES_BY = ("motion", "file", "track", "confidence")
"""Ways to choose bodies; `Default` describes them."""


def pick_bodies(
    x: Floats,
    mask: Mask,
    tracks: Ints | None,
    dims: int,
    bodies: int,
    *,
    by: str = "motion",
    ghosts: float = 0.0,
) -> tuple[Floats, Mask]:
    """Choose bodies and put each into a slot.

    Args:
        x: Coordinates (N, T, M, V, C).
        mask: Where there are joints.
        tracks: Body id per frame and slot (N, T, M), 0 where there is none. None: each slot is one body.
        dims: How many of the channels are coordinates.
        bodies: Slots to return.
        by: One of `BODIES_BY`.
        ghosts: Share of the frames or the size of the clip's best below which a body is left out.

    Returns:
        Coordinates (N, T, bodies, V, C) and mask.

    Raises:
        ValueError: If bodies are chosen by confidence, but there is none.
    """
    if by == "confidence" and x.shape[-1] == dims:
        raise ValueError("bodies_by is 'confidence', but the layout has no confidence channel")
    if tracks is not None and by != "file":
        mask = mask & (tracks != 0)[..., None]
        if x.shape[2] > 1 or ghosts:
            x, mask = split_by_track(x, mask, tracks)
        else:  # one slot, one body at a time: it stays as it is
            x = x * mask[..., None]
    if ghosts:
        mask = mask & ~are_ghosts(x, mask, dims, ghosts)[:, None, :, None]
        x = x * mask[..., None]
    if x.shape[2] == bodies == 1:
        return x, mask
    if by == "file":
        order = np.argsort(~any_of(mask, (1, 3)), axis=1, kind="stable")[:, None, :bodies]
        at = np.arange(len(x))[:, None, None], np.arange(x.shape[1])[:, None], order
        return _widened(x[at], bodies), _widened(mask[at], bodies)
    scores: dict[str, Callable[[Floats, Mask, int], NDArray[Any]]]
    scores = {"motion": motion_energy, "track": frames_seen, "confidence": mean_confidence}
    return share_slots(x, mask, np.argsort(-scores[by](x, mask, dims), axis=1, kind="stable"), bodies)


def _widened(array: np.ndarray, bodies: int) -> np.ndarray:
    wider = np.zeros((*array.shape[:2], bodies, *array.shape[3:]), array.dtype)
    wider[:, :, : array.shape[2]] = array
    return wider


def split_by_track(x: Floats, mask: Mask, tracks: Ints) -> tuple[Floats, Mask]:
    """Give every tracked body of a clip a slot of its own, by id: (N, T, people, V, C) and mask."""
    clip, frame, slot = np.nonzero((tracks != 0) & any_of(mask, 3))
    # Number the bodies of each clip 0, 1, ... by id
    pairs, inverse = np.unique(np.stack([clip, tracks[clip, frame, slot]], 1), axis=0, return_inverse=True)
    first = np.searchsorted(pairs[:, 0], np.arange(len(x)))
    body = np.arange(len(pairs)) - first[pairs[:, 0]]
    body = body[inverse.reshape(-1)]
    shape = (*x.shape[:2], int(body.max(initial=0)) + 1)
    by_body, body_mask = np.zeros((*shape, *x.shape[3:]), x.dtype), np.zeros((*shape, x.shape[3]), bool)
    by_body[clip, frame, body], body_mask[clip, frame, body] = x[clip, frame, slot], mask[clip, frame, slot]
    return by_body, body_mask


def share_slots(x: Floats, mask: Mask, order: Ints, bodies: int) -> tuple[Floats, Mask]:
    """Put bodies into slots, in this order (N, M).

    A body that is never there at the same time as those in a taken slot shares that slot: tracking has
    lost and found it again. One for which there is no room is left out.

    Returns:
        Coordinates (N, T, bodies, V, C) and mask.
    """
    rows = np.arange(len(x))
    out = np.zeros((*x.shape[:2], bodies, *x.shape[3:]), x.dtype)
    out_mask = np.zeros((*x.shape[:2], bodies, x.shape[3]), bool)
    for body in order.T:
        one, one_mask = x[rows, :, body], mask[rows, :, body]
        there = any_of(one_mask, 2)
        free = ~any_of(any_of(out_mask, 3) & there[..., None], 1)
        put = np.flatnonzero(any_of(free, 1) & any_of(there, 1))
        into = free.argmax(1)[put]
        out[put, :, into] += one[put]
        out_mask[put, :, into] |= one_mask[put]
    return out, out_mask


def motion_energy(x: Floats, mask: Mask, dims: int) -> Floats:
    """How much each body moves (N, M): mean spread of its coordinates, times its share of the frames."""
    count = mask.sum(1)[..., None].clip(1)
    coordinates = x[..., :dims]
    mean = coordinates.sum(1) / count
    spread = np.sqrt((np.square(coordinates - mean[:, None]) * mask[..., None]).sum(1) / count)
    energy: Floats = spread.mean((2, 3)) * any_of(mask, 3).mean(1)
    return energy.astype(np.float32)


def frames_seen(x: Floats, mask: Mask, dims: int) -> Ints:
    """In how many frames each body is seen (N, M)."""
    del x, dims
    count: Ints = any_of(mask, 3).sum(1)
    return count


def mean_confidence(x: Floats, mask: Mask, dims: int) -> Floats:
    """How sure each body is (N, M): mean confidence of its joints, times its share of the frames."""
    mean = (x[..., dims] * mask).sum((1, 3)) / mask.sum((1, 3)).clip(1)
    score: Floats = mean * any_of(mask, 3).mean(1)
    return score


def are_ghosts(x: Floats, mask: Mask, dims: int, share: float) -> Mask:
    """Bodies (N, M) that are seen in few frames, or are small, beside the best body of their clip.

    The size of a body is how far its joints lie from their mean, as a root mean square over its frames.
    """
    seen = frames_seen(x, mask, dims)
    count = mask.sum(3)[..., None].clip(1)
    middle = x[..., :dims].sum(3) / count
    square = np.square((x[..., :dims] - middle[:, :, :, None]) * mask[..., None]).sum((3, 4)) / count[..., 0]
    size = np.sqrt(square.sum(1) / seen.clip(1))
    few: Mask = seen < share * seen.max(1, keepdims=True)
    small: Mask = size < share * size.max(1, keepdims=True)
    return few | small
