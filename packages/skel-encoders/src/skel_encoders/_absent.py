"""Bodies that are absent, which all have the same features."""

from collections.abc import Callable

import torch
from torch import Tensor


def encode_once(encode: Callable[[Tensor], Tensor], bodies: Tensor) -> Tensor:
    """``encode(bodies)`` for bodies (B, ...), with one that is zero throughout computed for all that are.

    Finding them waits for the device. All are computed under `torch.compile` and `torch.export`, where no
    shape may depend on the data, and where the bodies themselves want a gradient, as each has its own.
    """
    if torch.compiler.is_compiling() or bodies.requires_grad:
        return encode(bodies)
    absent = ~bodies.flatten(1).any(1)
    if absent.sum() < 2:
        return encode(bodies)
    first = absent.int().argmax()
    kept = ~absent
    kept[first] = True
    place = kept.cumsum(0) - 1
    return encode(bodies[kept]).index_select(0, place.where(kept, place[first]))
