"""Choice of the bodies that a pipeline keeps, and of their slots. No function loops over clips or frames.

The shapes and the meaning of `x` and `mask` are those of `skel_data.pipelines._steps`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skel_data.pipelines._pipeline import Floats, Ints
from skel_data.pipelines._steps import Mask, any_of

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
