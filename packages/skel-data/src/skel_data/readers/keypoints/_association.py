"""Association of people from frame to frame by place, for files that do not say who is who.

Each frame is matched with the people seen before it so that the sum of distances is least (optimal
assignment). The distance of two bodies is the mean over their common joints, in sizes of the body, that
is in diagonals of the box around it. Nobody is matched over more than `GATE` sizes, or after `MEMORY` frames.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GATE = 0.75
"""Largest distance of a body from where it was last seen, in sizes."""
MEMORY = 30
"""Frames for which a body that is not seen is remembered."""
_FAR = 1e6


def associate(frames: Sequence[tuple[int, Sequence[Floats], Sequence[int]]]) -> list[list[int]]:
    """Who each body is.

    Args:
        frames: Number of each frame, ascending, its bodies (V, C) with a confidence as the last channel, and
            who they are, where that is known, from 1; 0 is unknown.

    Returns:
        For each frame, who its bodies are: as given; else a negative number, -1 for the first who comes.
    """
    bodies = np.array([body for _, found, _ in frames for body in found], np.float64)
    seen, sizes = _seen(bodies), _sizes(bodies)
    places = np.where(seen[..., None], bodies[..., :-1], 0)
    last: dict[int, tuple[int, int]] = {}  # who: number of the frame, place among all bodies
    strangers, start = 0, 0
    people: list[list[int]] = []
    for number, found, given in frames:
        who = list(given)
        open_ones = [at for at, person in enumerate(who) if person == 0]
        recent = [
            person for person, (when, _) in last.items() if number - when <= MEMORY and person not in who
        ]
        if open_ones and recent:
            here, before = [start + at for at in open_ones], [last[person][1] for person in recent]
            both = seen[here][:, None] & seen[before]
            steps = places[here][:, None] - places[before]
            distances = np.where(both, np.sqrt((steps * steps).sum(-1)), 0).sum(-1)
            costs = np.where(both.any(-1), distances / np.maximum(both.sum(-1) * sizes[before], 1e-9), _FAR)
            for row, column in enumerate(assign(np.where(costs <= GATE, costs, _FAR))):
                if column >= 0 and costs[row, column] <= GATE:
                    who[open_ones[row]] = recent[column]
        for at in open_ones:
            if who[at] == 0:
                strangers += 1
                who[at] = -strangers
        for at, person in enumerate(who, start):
            if sizes[at] > 0:
                last[person] = number, at
        people.append(who)
        start += len(found)
    return people


def assign(costs: Floats) -> list[int]:
    """Column of each row, no two the same, with the least sum of costs; -1 for rows that get none.

    Shortest augmenting paths (Jonker and Volgenant, Computing 1987).
    """
    nearest = costs.argmin(1)
    if len(set(nearest.tolist())) == len(nearest):
        return [int(column) for column in nearest]
    if costs.shape[0] > costs.shape[1]:
        rows = assign(costs.T)
        found = [-1] * costs.shape[0]
        for column, row in enumerate(rows):
            found[row] = column
        return found
    count, width = costs.shape
    u, v = np.zeros(count), np.zeros(width + 1)
    row_of = np.full(width + 1, -1)  # the last column holds the row that is being placed
    for row in range(count):
        row_of[width] = row
        column = width
        shortest, before = np.full(width, np.inf), np.full(width, width)
        done = np.zeros(width + 1, bool)
        while row_of[column] >= 0:
            done[column] = True
            here = row_of[column]
            reduced = costs[here] - u[here] - v[:width]
            better = ~done[:width] & (reduced < shortest)
            shortest[better], before[better] = reduced[better], column
            next_column = int(np.where(done[:width], np.inf, shortest).argmin())
            step = shortest[next_column]
            u[row_of[done]] += step
            v[done] -= step
            shortest[~done[:width]] -= step
            column = next_column
        while column != width:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    found = [-1] * count
    for column in range(width):
        if row_of[column] >= 0:
            found[row_of[column]] = column
    return found


def _seen(bodies: Floats) -> NDArray[np.bool_]:
    """Joints (..., V) that are there."""
    seen: NDArray[np.bool_] = np.isfinite(bodies).all(-1) & (bodies[..., -1] > 0) & bodies[..., :-1].any(-1)
    return seen


def _sizes(bodies: Floats) -> Floats:
    """Diagonal of the box around each body (B,); 1 for a single joint, 0 if nothing of it is seen."""
    seen = _seen(bodies)
    count = seen.sum(-1)
    high = np.where(seen[..., None], bodies[..., :-1], -np.inf).max(-2)
    low = np.where(seen[..., None], bodies[..., :-1], np.inf).min(-2)
    box = np.where(count[..., None] > 0, high - low, 0)
    sizes: Floats = np.where(count > 1, np.sqrt((box * box).sum(-1)), count > 0)
    return sizes
